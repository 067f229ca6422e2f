//! Cardano from the command line: a devnet, a bridge on it, deposits and what becomes of them, a withdrawal.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nupeer_testing::child::dies_with_us;
use serde_json::Value;

use crate::validators::{NUPEER, wait_until};

/// A folder with a devnet and whatever else a test starts; all of it ends with the test.
struct Stage {
    folder: tempfile::TempDir,
    children: Vec<Child>,
    api_url: String,
}

impl Stage {
    /// A devnet with a block each 200 ms.
    fn new() -> Self {
        let mut stage = Stage {
            folder: tempfile::tempdir().unwrap(),
            children: Vec::new(),
            api_url: "http://127.0.0.1:1".into(),
        };
        stage.start_devnet();
        stage
    }

    fn start_devnet(&mut self) {
        let (network, status) = (self.path("devnet/network.json"), ["devnet", "status"]);
        self.start(
            &["devnet", "up", "--block-interval-ms", "200"],
            "devnet.log",
        );
        wait_until("the devnet answers", || {
            network.exists() && self.run("nobody", &status).status.success()
        });
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, who: &str) -> Command {
        let mut command = Command::new(NUPEER);
        command
            .current_dir(self.folder.path())
            .env("NUPEER_WALLET", self.path(&format!("{who}.json")))
            .env("NUPEER_WALLET_PASSWORD", "a password")
            .env("NUPEER_CARDANO_SOCKET", self.path("devnet/node.socket"))
            .env("NUPEER_CARDANO_NETWORK", self.path("devnet/network.json"))
            .env("NUPEER_API_URL", &self.api_url)
            .stdin(Stdio::null());
        command
    }

    /// Starts something that goes on running; its place among the children.
    fn start(&mut self, arguments: &[&str], log: &str) -> usize {
        let log = std::fs::File::create(self.path(log)).unwrap();
        let mut command = self.command("relayer");
        command
            .args(arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        dies_with_us(&mut command, Signal::SIGKILL);
        self.children.push(command.spawn().unwrap());
        self.children.len() - 1
    }

    fn end(&mut self, index: usize, signal: Signal) {
        let child = &mut self.children[index];
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        child.wait().unwrap();
    }

    fn run(&self, who: &str, arguments: &[&str]) -> Output {
        self.command(who)
            .arg("--json")
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What a command prints, which must succeed.
    fn does(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.run(who, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code and words of a command that is refused.
    fn refused(&self, who: &str, arguments: &[&str]) -> (i32, String) {
        let output = self.run(who, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    }

    /// A wallet with that much from the faucet; its address.
    fn person(&self, who: &str, amount: &str) -> String {
        let made = self.does(who, &["wallet", "new"]);
        let address = text(&made["receive"]);
        self.does(who, &["devnet", "faucet", &address, amount]);
        address
    }

    fn deploy(&self) -> Value {
        self.person("deployer", "200ADA");
        self.does(
            "deployer",
            &["genesis", "keys", "--out", "chain", "--validators", "4"],
        );
        let deploy = ["deploy", "--committee", "chain"];
        let shown = self.does("deployer", &[&deploy[..], &["--dry-run"]].concat());
        assert_eq!(shown["transactions"].as_array().map(Vec::len), Some(3));
        assert!(!self.path("deployment.json").exists());
        self.does("deployer", &[&deploy[..], &["--yes"]].concat())
    }

    fn blocks(&self) -> u64 {
        let status = self.does("nobody", &["devnet", "status"]);
        status["tip"]["block_number"].as_u64().unwrap()
    }

    /// The state that a wallet tells of one deposit.
    fn deposit_state(&self, who: &str, tx: &str) -> String {
        let funds = self.does(who, &["wallet", "funds", "--deployment", "deployment.json"]);
        let deposits = funds["deposits"].as_array().unwrap();
        let found = deposits.iter().find(|deposit| deposit["tx"] == tx);
        text(&found.unwrap()["state"])
    }

    /// Deposits, with Cardano held still where one block is missing: nobody credits it then. The twelfth has it credited.
    fn deposit_until_the_twelfth_block(&self, who: &str, amount: &str) -> Value {
        let deposits = ["wallet", "funds", "--deployment", "deployment.json"];
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| self.does(who, &["deposit", amount, "--yes", "--wait"]));
            let mut tx = String::new();
            wait_until("the wallet knows the deposit", || {
                tx = text(&self.does(who, &deposits)["deposits"][0]["tx"]);
                !tx.is_empty()
            });
            let depth = || -> Option<u64> {
                let shown = self.run("nobody", &["devnet", "tx", &tx]).stdout;
                serde_json::from_slice::<Value>(&shown).ok()?["depth"].as_u64()
            };
            wait_until("the deposit is in a block", || depth().is_some());
            self.does("nobody", &["devnet", "stall"]);
            while depth() < Some(11) {
                self.does("nobody", &["devnet", "hurry", "1"]);
            }
            assert_eq!(depth(), Some(11), "it was held still in time");
            let (tip, status) = (
                self.does("nobody", &["devnet", "status"])["tip"]["slot"].clone(),
                || self.does("nobody", &["status"]),
            );
            wait_until("the node sees the eleventh block", || {
                status()["cardano_view"]["node_tip_slot"] == tip
            });
            let seen = status()["height"].as_u64().unwrap();
            wait_until("blocks that could credit it", || {
                status()["height"].as_u64() >= Some(seen + 4)
            });
            assert_eq!(self.deposit_state(who, &tx), "waiting");
            assert!(!waiting.is_finished());
            self.does("nobody", &["devnet", "hurry", "1"]);
            let deposited = waiting.join().unwrap();
            self.does("nobody", &["devnet", "resume"]);
            deposited
        })
    }

    /// Deposits, and lets a fork take it two blocks deep: its input is spent otherwise there.
    fn lose_a_deposit(&self, who: &str, address: &str) -> String {
        // What it spends must be older than the fork.
        let before = self.blocks();
        wait_until("some blocks", || self.blocks() >= before + 4);
        let made = self.does(who, &["deposit", "5ADA", "--yes"]);
        let (tx, input) = (text(&made["tx"]), text(&made["inputs"][0]));
        let pay = [
            "wallet",
            "pay",
            address,
            "2ADA",
            "--spend",
            &input,
            "--no-submit",
            "--yes",
        ];
        let other = text(&self.does(who, &pay)["cbor"]);
        self.does("nobody", &["devnet", "stall"]);
        let depth = || self.does("nobody", &["devnet", "tx", &tx])["depth"].as_u64();
        if depth().is_none() {
            self.does("nobody", &["devnet", "hurry", "1"]);
        }
        let depth = (depth().unwrap() + 1).to_string();
        let fork = ["devnet", "fork", "--depth", &depth, "--replace", &other];
        let done = self.does("nobody", &fork);
        assert_eq!(done["dropped"][0]["id"], tx.as_str());
        self.does("nobody", &["devnet", "resume"]);
        tx
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id())) {
                let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
                let _ = child.wait();
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn edited(path: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    let edited = path.with_file_name("edited.json");
    std::fs::write(&edited, value.to_string()).unwrap();
    edited
}

#[test]
fn a_devnet_goes_on_with_its_chain_and_runs_once() {
    let mut stage = Stage::new();
    let address = stage.person("somebody", "7ADA");
    let (code, said) = stage.refused("nobody", &["devnet", "up"]);
    assert_eq!(code, 11, "{said}");
    let before = stage.blocks();
    stage.end(0, Signal::SIGKILL);
    let (code, said) = stage.refused("nobody", &["devnet", "status"]);
    assert!(code == 6 && said.contains("nupeer devnet up"), "{said}");
    stage.start_devnet();
    assert!(stage.blocks() >= before);
    let funds = stage.does("somebody", &["wallet", "funds"]);
    assert_eq!(funds["cardano_lovelace"], "7000000");
    assert_eq!(text(&funds["receive"]), address);
    let (code, said) = stage.refused("nobody", &["devnet", "tx", &"ab".repeat(32)]);
    assert_eq!(code, 5, "{said}");
    let deep = ["devnet", "rollback", "--depth", "13"];
    let (code, said) = stage.refused("nobody", &deep);
    assert!(code == 3 && said.contains("NP71"), "{said}");
}

#[test]
fn a_deposit_that_a_killed_node_forgot_is_submitted_again_by_a_wallet_that_looks() {
    let mut stage = Stage::new();
    stage.deploy();
    stage.person("tenant", "20ADA");
    stage.does("nobody", &["devnet", "stall"]);
    let tx = text(&stage.does("tenant", &["deposit", "5ADA", "--yes"])["tx"]);
    stage.end(0, Signal::SIGKILL);
    stage.start_devnet();
    let (code, said) = stage.refused("nobody", &["devnet", "tx", &tx]);
    assert_eq!(code, 5, "{said}");
    wait_until("the deposit is in a block", || {
        stage.deposit_state("tenant", &tx) == "waiting"
    });
    // The wallet's journal is damaged, and then gone: what lies on Cardano is found without it.
    let journal = stage.path("tenant.json.deposited.json");
    std::fs::write(&journal, "{}").unwrap();
    let funds = ["wallet", "funds", "--deployment", "deployment.json"];
    let (code, said) = stage.refused("tenant", &funds);
    assert!(code == 1 && said.contains("moved away"), "{said}");
    std::fs::remove_file(&journal).unwrap();
    let funds = stage.does("tenant", &funds);
    let [found] = &funds["deposits"].as_array().unwrap()[..] else {
        panic!("{funds}")
    };
    assert_eq!(
        (text(&found["tx"]), text(&found["state"])),
        (tx, "waiting".into())
    );
    assert!(!journal.exists(), "found, and not remembered");
}

#[test]
fn a_deposit_that_the_node_refused_is_never_sent_later() {
    let stage = Stage::new();
    stage.deploy();
    let address = stage.person("tenant", "20ADA");
    stage.does("nobody", &["devnet", "stall"]);
    // What is only shown is neither sent nor remembered.
    let before: Vec<_> = std::fs::read_dir(stage.folder.path()).unwrap().collect();
    for words in [
        &["deposit", "15ADA"][..],
        &["wallet", "pay", &address, "2ADA"],
    ] {
        let shown = stage.does("tenant", &[words, &["--dry-run"]].concat());
        assert_eq!(shown["dry_run"], true, "{shown}");
    }
    let after: Vec<_> = std::fs::read_dir(stage.folder.path()).unwrap().collect();
    assert_eq!(after.len(), before.len());
    let deposit = ["deposit", "15ADA", "--yes"];
    let first = text(&stage.does("tenant", &deposit)["tx"]);
    // It waits for a block, and the second would spend what it spends.
    let (code, said) = stage.refused("tenant", &["deposit", "14ADA", "--yes"]);
    assert_eq!(code, 3, "{said}");
    let funds = stage.does(
        "tenant",
        &["wallet", "funds", "--deployment", "deployment.json"],
    );
    let known: Vec<_> = funds["deposits"].as_array().unwrap().iter().collect();
    assert_eq!(known.len(), 1, "{funds}");
    assert_eq!(known[0]["tx"], first.as_str());
}

#[test]
fn a_bridge_is_deployed_once_and_a_changed_file_is_noticed() {
    let stage = Stage::new();
    let deployed = stage.deploy();
    let named: Vec<_> = deployed["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tx| text(&tx["name"]))
        .collect();
    assert_eq!(named, ["seed", "reference scripts", "birth"]);
    let birth = stage.does("nobody", &["devnet", "tx", &text(&deployed["birth"])]);
    assert_eq!(
        birth["fee_lovelace"],
        deployed["transactions"][2]["fee_lovelace"]
    );
    assert_eq!(
        (&birth["cpu"], &birth["mem"]),
        (
            &deployed["transactions"][2]["cpu"],
            &deployed["transactions"][2]["mem"]
        )
    );
    let (code, said) = stage.refused("deployer", &["deploy", "--yes", "--committee", "chain"]);
    assert!(code == 3 && said.contains("never overwritten"), "{said}");
    let file = stage.path("deployment.json");
    let edited = edited(&file, |deployment| {
        deployment["scripts"]["vault"] = "00".repeat(28).into()
    });
    let edited = edited.to_str().unwrap();
    let (code, said) = stage.refused(
        "deployer",
        &["deposit", "5ADA", "--yes", "--deployment", edited],
    );
    assert!(
        code == 10 && said.contains("NP7502") && said.contains("script vault"),
        "{said}"
    );
    let elsewhere = ["deposit", "5ADA", "--yes", "--cardano-network", "preprod"];
    let (code, said) = stage.refused("deployer", &elsewhere);
    assert!(code == 10 && said.contains("NP7504"), "{said}");
    stage.does("pauper", &["wallet", "new"]);
    let (code, said) = stage.refused("pauper", &["deposit", "5ADA", "--yes"]);
    assert!(
        code == 3 && said.contains("NP7010") && said.contains("faucet"),
        "{said}"
    );
    let (code, said) = stage.refused("deployer", &["deposit", "4.999999ADA", "--yes"]);
    assert!(code == 3 && said.contains("less than 5"), "{said}");
    let (code, said) = stage.refused("deployer", &["deposit", "5ADA"]);
    assert!(code == 9 && said.contains("--yes"), "{said}");
}

#[test]
fn a_deposit_is_credited_or_lost_and_money_comes_back() {
    let mut stage = Stage::new();
    stage.deploy();
    let address = stage.person("tenant", "300ADA");
    stage.person("relayer", "100ADA");
    let network = stage.path("devnet/network.json");
    let genesis = [
        "genesis",
        "new",
        "--out",
        "chain",
        "--name",
        "test",
        "--validators",
        "4",
        "--deployment",
        "deployment.json",
    ];
    stage.does("deployer", &genesis);
    let target = [
        "--json",
        "up",
        "--data",
        "chain",
        "--block-target-ms",
        "300",
    ];
    stage.start(&target, "up.log");
    let log = stage.path("up.log");
    let urls = || -> Option<Vec<String>> {
        let log = std::fs::read_to_string(&log).unwrap();
        let line = log.lines().find(|line| line.starts_with('{'))?;
        let value: Value = serde_json::from_str(line).ok()?;
        Some(value["api_urls"].as_array()?.iter().map(text).collect())
    };
    wait_until("the validators decide", || urls().is_some());
    let urls = urls().unwrap();
    let config = format!(
        "api_urls = {urls:?}\ncardano_socket = \"devnet/node.socket\"\ncardano_network = {network:?}\n\
         deployment = \"deployment.json\"\nwallet = \"relayer.json\"\npoll_ms = 200\n"
    );
    std::fs::write(stage.path("relayer.toml"), config).unwrap();
    let relayer = ["relayer", "--config", "relayer.toml"];
    stage.api_url = urls[2].clone();
    let deposited = stage.deposit_until_the_twelfth_block("tenant", "200ADA");
    assert!(deposited["depth_at_credit"].is_u64(), "{deposited}");
    assert!(deposited["credited_height"].as_u64() > Some(0));
    let known = |transaction: &str| -> Value {
        let url = format!("{}/v1/deposits/{transaction}/0", stage.api_url);
        ureq::get(url)
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    };
    let told = known(&text(&deposited["tx"]));
    assert_eq!(told["state"], "credited", "{told}");
    assert_eq!(told["deposit"]["output"], deposited["output"]);
    assert_eq!(told["depth_needed"], 12);
    assert_eq!(known(&"0".repeat(64))["state"], "unknown");
    // A dry run ends as the real withdrawal would.
    for (who, amount, code) in [
        ("tenant", "0.5ADA", "NP3015"),
        ("tenant", "200ADA", "NP2001"),
        ("relayer", "5ADA", "NP2001"),
    ] {
        let (exit, said) = stage.refused(who, &["withdraw", amount, "--dry-run"]);
        assert!(exit == 3 && said.contains(code), "{amount}: {said}");
    }
    let shown = stage.does("tenant", &["withdraw", "10ADA", "--dry-run"]);
    assert_eq!(
        (&shown["dry_run"], &shown["refused"]),
        (&true.into(), &Value::Null)
    );
    let never_signed = stage.path("relayer.json.known-chain.json");
    assert!(!never_signed.exists() && stage.path("tenant.json.known-chain.json").exists());
    // Nothing is swept yet, so that no shard can pay it: it waits, and comes back.
    let stuck = stage.does("tenant", &["withdraw", "199ADA", "--yes"]);
    assert_eq!(text(&stuck["state"]), "queued", "{stuck}");
    let id = text(&stuck["id"]);
    let (code, said) = stage.refused("relayer", &["withdraw", "cancel", &id, "--yes"]);
    assert!(code == 3 && said.contains("NP2001"), "no fee: {said}");
    let back = stage.does("tenant", &["withdraw", "cancel", &id, "--yes"]);
    assert_eq!(text(&back["state"]), "cancelled", "{back}");
    let (code, said) = stage.refused("tenant", &["withdraw", "cancel", &id, "--yes"]);
    assert!(code == 3 && said.contains("NP3027"), "{said}");
    let first = stage.start(&relayer, "relayer.log");
    let lost = stage.lose_a_deposit("tenant", &address);
    // What a relayer leaves undone another one does.
    stage.end(first, Signal::SIGKILL);
    stage.start(&relayer, "relayer-2.log");
    wait_until("the wallet tells of the loss", || {
        stage.deposit_state("tenant", &lost) == "lost"
    });
    let withdrawn = stage.does("tenant", &["withdraw", "10ADA", "--yes", "--wait"]);
    assert_eq!(
        (text(&withdrawn["state"]), text(&withdrawn["lovelace"])),
        ("paid".into(), "10000000".into())
    );
    let id = text(&withdrawn["id"]);
    let shown = stage.does("nobody", &["withdraw", "show", &id]);
    assert_eq!(shown["payout_tx"], withdrawn["payout_tx"]);
    let prove = ["withdraw", "show", &id, "--prove", "chain/genesis.json"];
    let proven = stage.does("nobody", &prove);
    assert_eq!(
        (
            text(&proven["state"]),
            &proven["there"],
            &proven["payout_tx"]
        ),
        ("paid".into(), &true.into(), &withdrawn["payout_tx"])
    );
    let payout = stage.does("nobody", &["devnet", "tx", &text(&withdrawn["payout_tx"])]);
    assert!(
        payout["depth"].as_u64() >= Some(12) && payout["cpu"].as_u64() > Some(1_000_000),
        "{payout}"
    );
    let funds = stage.does(
        "tenant",
        &["wallet", "funds", "--deployment", "deployment.json"],
    );
    // 300 from the faucet, 200 deposited, 10 back, less the fees of three transactions that are on the chain.
    let lovelace = |name: &str| text(&funds[name]).parse::<u64>().unwrap();
    let on_cardano = lovelace("cardano_lovelace");
    assert!((109_000_000..110_000_000).contains(&on_cardano), "{funds}");
    let on_sidechain = lovelace("sidechain_lovelace");
    assert!(
        (189_900_000..190_000_000).contains(&on_sidechain),
        "{funds}"
    );
    assert_eq!(funds["held_lovelace"], "0");
    assert_eq!(
        stage.deposit_state("tenant", &text(&deposited["tx"])),
        "credited"
    );
    assert_eq!(stage.deposit_state("tenant", &lost), "lost");
    let (code, said) = stage.refused("tenant", &["deposit", "4ADA", "--yes", "--no-submit"]);
    assert!(
        code == 3 && said.contains("the least that this chain credits"),
        "{said}"
    );
    let (code, said) = stage.refused("tenant", &["withdraw", "0.5ADA", "--yes"]);
    assert!(code == 3 && said.contains("NP30"), "{said}");
    let (code, said) = stage.refused(
        "tenant",
        &["withdraw", "5ADA", "--yes", "--to", "addr_test1nothing"],
    );
    assert!(code == 2, "{said}");
}
