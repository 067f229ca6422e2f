//! The chapters, in order.

mod arrival;
mod departure;
mod market;

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    havoc::Havoc,
    person::{Person, number, text},
    report::{CardanoTransaction, ClientKill, Costs, Funds},
    stage::Stage,
    told::Told,
};
use crate::{
    api::Api,
    cardano_socket::CardanoSocket,
    commands::cluster::Validators,
    error::{CliError, Exit, Outcome, file_error},
};

/// Validators, and with them members of the bridge's committee.
const VALIDATORS: &str = "4";
/// What people get from the faucet and bring from Cardano.
const TENANT: (&str, &str) = ("600ADA", "500ADA");
const OWNER: (&str, &str) = ("300ADA", "80ADA");
/// What is lost to a fork.
const LOST_DEPOSIT: &str = "25ADA";
/// What the owner's machine is bonded with.
const BOND: &str = "50ADA";
/// What the owner takes back to Cardano.
const WITHDRAWAL: &str = "10ADA";
/// What the tenant signs for before they look away.
const ATTENDED: Duration = Duration::from_secs(9);
/// How often processes are killed where that is asked for.
const KILLS: u32 = 20;
/// How long nodes that were all killed at once are waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// What the workload answers to a request.
const GREETING: &str = "Hello from a leased container";

/// Plays the story.
pub(super) fn play(stage: &mut Stage, block_target_ms: u64, havoc: Option<u64>) -> Outcome<Told> {
    let mut story = Story::begin(stage)?;
    story.contracts()?;
    story.validators(block_target_ms)?;
    story.havoc = havoc.map(|seed| story.stage.havoc(seed, KILLS));
    story.part(4, Story::deposits)?;
    story.part(5, Story::lost_deposit)?;
    story.part(6, Story::machine)?;
    story.part(7, Story::order)?;
    story.part(8, Story::workload)?;
    story.part(9, Story::settlement)?;
    story.withdrawal()?;
    story.balance()
}

struct Story<'s> {
    stage: &'s mut Stage,
    told: Told,
    deployer: Person,
    tenant: Person,
    owner: Person,
    relayer: Person,
    /// The tenant's deposit that the fork took: its transaction.
    lost: String,
    /// Where the workload's port is published.
    published: String,
    lease: String,
    /// When the lease was ordered.
    ordered: Option<Instant>,
    /// What is killed, where that is asked for.
    havoc: Option<Havoc>,
    /// When the withdrawal was paid and closed.
    withdrawal_paid_s: f64,
}

impl<'s> Story<'s> {
    /// 1. A Cardano devnet, and everybody's wallet.
    fn begin(stage: &'s mut Stage) -> Outcome<Self> {
        stage.teller.chapter();
        let devnet = stage.path("devnet");
        let log = stage.log("devnet");
        let arguments = ["devnet", "up", "--data", &devnet, "--profile", "fast"];
        stage.running.start("devnet", &arguments, &[], &log)?;
        let ready = stage.data.join("devnet/network.json");
        let control = stage.data.join("devnet/control.socket");
        let answers =
            || ready.exists() && std::os::unix::net::UnixStream::connect(&control).is_ok();
        stage.wait_until("the devnet answers", answers)?;
        let person = |name| Person::new(stage, name);
        let (deployer, tenant) = (person("deployer")?, person("tenant")?);
        let (owner, relayer) = (person("owner")?, person("relayer")?);
        let story = Story {
            stage,
            told: Told::default(),
            deployer,
            tenant,
            owner,
            relayer,
            lost: String::new(),
            published: String::new(),
            lease: String::new(),
            ordered: None,
            havoc: None,
            withdrawal_paid_s: 0.0,
        };
        story.faucet(&story.deployer, "500ADA")?;
        story.faucet(&story.relayer, "200ADA")?;
        story.faucet(&story.tenant, TENANT.0)?;
        story.faucet(&story.owner, OWNER.0)?;
        let teller = &story.stage.teller;
        teller.done("k 12, a block a second; wallets funded");
        Ok(story)
    }

    /// A part of the story, and what is killed in it.
    fn part(
        &mut self,
        chapter: usize,
        tells: impl FnOnce(&mut Self) -> Outcome<()>,
    ) -> Outcome<()> {
        if let Some(havoc) = &self.havoc {
            havoc.beginner().begins(chapter);
        }
        tells(self)?;
        self.part_ends(chapter)
    }

    fn part_ends(&mut self, chapter: usize) -> Outcome<()> {
        match &mut self.havoc {
            Some(havoc) => havoc.part_ends(chapter),
            None => Ok(()),
        }
    }

    /// Nothing is killed any more.
    fn havoc_ends(&mut self) {
        let Some(havoc) = self.havoc.take() else {
            return;
        };
        let started = self.stage.started;
        let clients = |person: &Person| {
            let name = person.name;
            let done = person.cut_off.done().into_iter();
            done.map(move |(at, command)| ClientKill {
                name,
                command,
                at_s: at.saturating_duration_since(started).as_secs_f64(),
            })
        };
        let clients: Vec<ClientKill> = clients(&self.tenant).chain(clients(&self.owner)).collect();
        let (kills, cut_off) = (havoc.kills(), clients.len());
        let mut reported = havoc.report(started, clients);
        reported.withdrawal_paid_s = self.withdrawal_paid_s;
        self.told.report.havoc = Some(reported);
        let line = format!("{kills} kills of processes and {cut_off} of clients in all");
        self.stage.teller.aside(&line);
    }

    fn faucet(&self, person: &Person, amount: &str) -> Outcome<()> {
        let devnet = self.stage.path("devnet");
        person
            .does(&[
                "devnet",
                "faucet",
                &person.receive,
                amount,
                "--data",
                &devnet,
            ])
            .map(drop)
    }

    /// How to reach the devnet.
    fn cardano(&self) -> CardanoSocket {
        CardanoSocket {
            cardano_socket: Some(self.stage.data.join("devnet/node.socket")),
            cardano_network: self.stage.data.join("devnet/network.json"),
        }
    }

    /// 2. Validators' keys, and the bridge's contracts on Cardano.
    fn contracts(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let (chain, deployment) = (self.stage.path("chain"), self.stage.path("deployment.json"));
        let network = self.stage.path("devnet/network.json");
        let deployer = &self.deployer;
        deployer.does(&[
            "genesis",
            "keys",
            "--out",
            &chain,
            "--validators",
            VALIDATORS,
        ])?;
        let deploy = [
            "deploy",
            "--yes",
            "--committee",
            &chain,
            "--shards",
            "2",
            "--out",
            &deployment,
        ];
        let teller = self.stage.teller.clone();
        let deployed = deployer.follows(&deploy, move |line| teller.doing(line))?;
        deployer.does(&[
            "genesis",
            "new",
            "--out",
            &chain,
            "--name",
            "demo",
            "--validators",
            VALIDATORS,
            "--deployment",
            &deployment,
            "--cardano-network",
            &network,
        ])?;
        let made = deployed["transactions"].as_array().into_iter().flatten();
        let made: Vec<(String, String)> = made
            .map(|made| Ok((text(made, "name")?, text(made, "tx")?)))
            .collect::<Outcome<_>>()?;
        for (name, id) in &made {
            self.note_transaction(&format!("deploy, {name}"), id)?;
        }
        let bridge = text(&deployed, "bridge_id")?;
        let bridge = bridge.get(..16).unwrap_or(&bridge);
        let teller = &self.stage.teller;
        teller.done(&format!("bridge {bridge}…, two shards"));
        Ok(())
    }

    /// 3. Four validators, each following Cardano by itself; and the relayer.
    fn validators(&mut self, block_target_ms: u64) -> Outcome<()> {
        self.stage.teller.chapter();
        let cardano = self.cardano();
        let (chain, logs) = (self.stage.data.join("chain"), self.stage.data.join("logs"));
        let validators = Validators {
            data: &chain,
            logs: Some(&logs),
            block_target_ms,
            cardano: Some(&cardano),
        };
        self.stage.teller.doing("each decides a block");
        let teller = self.stage.teller.clone();
        let apis = validators.start(&self.stage.running, |line| teller.doing(&line))?;
        // Each asks another validator first.
        let from = |first: usize| -> Vec<&str> {
            let all = apis.iter().map(String::as_str);
            all.cycle().skip(first).take(apis.len()).collect()
        };
        self.tenant.asks(&from(1));
        self.owner.asks(&from(2));
        self.relayer.asks(&from(3));
        self.start_relayer(&apis)?;
        self.told.api_urls = apis;
        let height = self.at_one_height()?;
        let count = self.told.api_urls.len();
        let agree = format!("{count} of {VALIDATORS} agree at height {height}");
        self.stage.teller.done(&agree);
        Ok(())
    }

    fn start_relayer(&mut self, apis: &[String]) -> Outcome<()> {
        let config = RelayerConfig {
            api_urls: apis.to_vec(),
            cardano_socket: self.stage.path("devnet/node.socket"),
            cardano_network: self.stage.path("devnet/network.json"),
            deployment: self.stage.path("deployment.json"),
            wallet: self.relayer.file("wallet.json"),
            poll_ms: 500,
        };
        let file = self.relayer.file("relayer.toml");
        write_toml(&file, &config)?;
        let log = self.stage.log("relayer");
        let environment = self.relayer.environment().to_vec();
        self.stage.running.start(
            "relayer",
            &["relayer", "--config", &file],
            &environment,
            &log,
        )
    }

    /// What a transaction cost on Cardano.
    fn note_transaction(&mut self, what: &str, id: &str) -> Outcome<Costs> {
        let devnet = self.stage.path("devnet");
        let shown = self
            .deployer
            .does(&["devnet", "tx", id, "--data", &devnet])?;
        let costs = costs(&shown)?;
        self.add_transaction(what, id, costs);
        Ok(costs)
    }

    fn add_transaction(&mut self, what: &str, id: &str, costs: Costs) {
        let transactions = &mut self.told.report.cardano.transactions;
        transactions.push(CardanoTransaction {
            what: what.to_owned(),
            tx: id.to_owned(),
            costs,
        });
    }

    /// The height at which all validators have the same state root.
    fn at_one_height(&mut self) -> Outcome<u64> {
        let apis: Vec<Api> = self.told.api_urls.iter().map(|url| Api::new(url)).collect();
        let mut agreed = (0, String::new());
        let network = &mut self.told.report.network;
        self.stage.wait_until("the validators agree", || {
            let status: Vec<Value> = apis
                .iter()
                .filter_map(|api| api.get("/v1/status").ok())
                .collect();
            let of = |status: &Value| {
                (
                    status["height"].as_u64(),
                    status["state_root"].as_str().map(str::to_owned),
                )
            };
            match status.split_first() {
                Some((first, rest)) if rest.len() + 1 == apis.len() => {
                    let same = rest.iter().all(|other| of(other) == of(first));
                    if let (true, (Some(height), Some(root))) = (same, of(first)) {
                        agreed = (height, root);
                        return height > 0;
                    }
                    false
                }
                _ => false,
            }
        })?;
        network.validators = apis.len();
        network.all_agree = true;
        (network.height, network.state_root) = agreed;
        Ok(network.height)
    }
}

/// The settings of the relayer.
#[derive(serde::Serialize)]
struct RelayerConfig {
    api_urls: Vec<String>,
    cardano_socket: String,
    cardano_network: String,
    deployment: String,
    wallet: String,
    poll_ms: u64,
}

fn write_toml(file: &str, config: &impl serde::Serialize) -> Outcome<()> {
    let text = toml::to_string(config)
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    std::fs::write(file, text).map_err(|error| file_error(std::path::Path::new(file), &error))
}

fn joined<T>(thread: std::thread::Result<Outcome<T>>) -> Outcome<T> {
    thread.unwrap_or_else(|_| {
        Err(CliError::new(
            Exit::Unexpected,
            "a part of the demo panicked",
        ))
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the devnet says a transaction cost.
fn costs(shown: &Value) -> Outcome<Costs> {
    Ok(Costs {
        cpu: number(shown, "cpu")?,
        mem: number(shown, "mem")?,
        size: number(shown, "size")?,
        fee: number(shown, "fee_lovelace")?,
    })
}

/// What a person has, as their own wallet says; asked again while no node answers it.
fn funds(person: &Person) -> Outcome<Funds> {
    let end = Instant::now() + ANSWERS_WITHIN;
    let shown = loop {
        let shown = person.does(&["wallet", "funds"])?;
        if !shown["sidechain_lovelace"].is_null() || Instant::now() >= end {
            break shown;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    Ok(Funds {
        cardano: number(&shown, "cardano_lovelace")?,
        sidechain: number(&shown, "sidechain_lovelace")?,
        held: number(&shown, "held_lovelace")?,
    })
}

/// What a wallet says of one deposit.
fn deposit_state(funds: &Value, tx: &str) -> Option<String> {
    let deposits = funds["deposits"].as_array()?;
    let found = deposits.iter().find(|deposit| deposit["tx"] == tx)?;
    found["state"].as_str().map(str::to_owned)
}
