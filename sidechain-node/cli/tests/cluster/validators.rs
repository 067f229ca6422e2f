//! Validators that a test starts, kills and asks.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer, SigningKey};
use nupeer_ledger::actions::Transfer;
use nupeer_node::NodeConfig;
use nupeer_primitives::{AccountId, Amount, AssetId, CardanoNetwork, PublicKey, Signature, TimeMs};
use nupeer_runtime::{
    Action, Chain, Genesis, Sender, SignedTransaction, Transaction, Witness, witness::signing_hash,
};
use nupeer_testing::child::{Signal, dies_with_us};
use serde_json::Value;

pub(crate) const NUPEER: &str = env!("CARGO_BIN_EXE_nupeer");

/// An account's key for tests.
pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn account(n: u8) -> AccountId {
    AccountId::of_key(PublicKey(key(n).verifying_key().to_bytes()).hash())
}

pub(crate) fn address(n: u8) -> String {
    account(n).to_bech32(CardanoNetwork::Testnet)
}

/// A signed transfer of lovelace.
pub(crate) fn transfer(
    chain: &Chain,
    from: u8,
    to: u8,
    sequence: u64,
    lovelace: u128,
) -> SignedTransaction {
    let transfer = Transfer {
        to: account(to),
        asset: AssetId::Ada,
        amount: Amount::new(lovelace),
    };
    let transaction = Transaction {
        network: chain.id,
        sender: Sender {
            account: account(from),
            key: account(from).hash(),
        },
        sequence,
        valid_until: TimeMs(u64::MAX),
        action: Action::Ledger(nupeer_ledger::Action::Transfer(transfer)),
    };
    let signature = Signature(
        key(from)
            .sign(&signing_hash(&transaction.id()).0)
            .to_bytes(),
    );
    let public_key = PublicKey(key(from).verifying_key().to_bytes());
    SignedTransaction {
        transaction,
        witness: Witness::Key {
            public_key,
            signature,
        },
    }
}

/// Four validators of a chain of their own, with a block each 200 ms.
pub(crate) struct Validators {
    pub(crate) chain: Chain,
    pub(crate) genesis: PathBuf,
    configs: Vec<PathBuf>,
    apis: Vec<u16>,
    children: Vec<Option<Child>>,
    _folder: tempfile::TempDir,
}

impl Validators {
    /// Makes the chain; each of `credits` starts with that many ADA.
    pub(crate) fn new(credits: &[(u8, u64)]) -> Self {
        let credits: Vec<String> = credits
            .iter()
            .map(|(n, ada)| format!("{}={ada}ADA", address(*n)))
            .collect();
        Self::make(&credits)
    }

    /// As [`Validators::new`], for an account by its address.
    pub(crate) fn with_credit(address: &str, ada: u64) -> Self {
        Self::make(&[format!("{address}={ada}ADA")])
    }

    /// As [`Validators::new`], for credits as the command line takes them.
    pub(crate) fn make(credits: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("chain");
        std::fs::create_dir(&out).unwrap();
        let mut command = Command::new(NUPEER);
        command
            .args([
                "genesis",
                "new",
                "--name",
                "test",
                "--validators",
                "4",
                "--out",
            ])
            .arg(&out);
        credits.iter().for_each(|credit| {
            command.arg("--credit").arg(credit);
        });
        let made = command.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let genesis = out.join("genesis.json");
        let text = std::fs::read_to_string(&genesis).unwrap();
        let chain = Genesis::from_json(&text).unwrap().chain().unwrap();
        let ports = free_ports(12);
        let apis = ports[8..].to_vec();
        let configs = (0..4)
            .map(|index| write_config(&out, index, &ports))
            .collect();
        let children = (0..4).map(|_| None).collect();
        Validators {
            chain,
            genesis,
            configs,
            apis,
            children,
            _folder: folder,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    pub(crate) fn start(&mut self, index: usize) {
        self.start_by(index, Command::new(NUPEER));
    }

    /// Starts it where `limit` (arguments of `ulimit`) holds.
    pub(crate) fn start_within(&mut self, index: usize, limit: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} && exec \"$@\"")]);
        shell.args(["sh", NUPEER]);
        self.start_by(index, shell);
    }

    /// Starts it by a command that lacks what follows the program's name.
    fn start_by(&mut self, index: usize, mut command: Command) {
        let log = self.configs[index].with_file_name("log");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        command
            .arg("node")
            .arg("--config")
            .arg(&self.configs[index]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        dies_with_us(&mut command, Signal::SIGKILL);
        self.children[index] = Some(command.spawn().unwrap());
    }

    pub(crate) fn start_all(&mut self) {
        (0..self.len()).for_each(|index| self.start(index));
    }

    /// The process that runs as `index`.
    pub(crate) fn pid(&self, index: usize) -> u32 {
        self.children[index].as_ref().expect("it runs").id()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn config(&self, index: usize) -> &Path {
        &self.configs[index]
    }

    pub(crate) fn url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.apis[index])
    }

    pub(crate) fn get(&self, index: usize, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.url(index));
        let mut answer = agent().get(url).call().ok()?;
        answer.body_mut().read_json().ok()
    }

    pub(crate) fn height(&self, index: usize) -> Option<u64> {
        self.get(index, "/v1/status")?["height"].as_u64()
    }

    /// Waits until `index` has reached `height`.
    pub(crate) fn wait_for_height(&self, index: usize, height: u64) {
        wait_until(&format!("validator {index} at height {height}"), || {
            self.height(index) >= Some(height)
        });
    }

    /// Submits; whether the validator took it.
    pub(crate) fn submit(&self, index: usize, transaction: &SignedTransaction) -> bool {
        let url = format!("{}/v1/transactions", self.url(index));
        let sent = agent().post(url).send(&transaction.to_bytes()[..]);
        sent.is_ok_and(|answer| answer.status().as_u16() == 202)
    }

    /// Status and body of the answer to a POST of these bytes.
    pub(crate) fn post(&self, index: usize, body: &[u8]) -> (u16, Value) {
        self.post_to(index, "/v1/transactions", body)
    }

    /// As [`Validators::post`], to another path.
    pub(crate) fn post_to(&self, index: usize, path: &str, body: &[u8]) -> (u16, Value) {
        let url = format!("{}{path}", self.url(index));
        let mut answer = lenient().post(url).send(body).unwrap();
        (
            answer.status().as_u16(),
            answer.body_mut().read_json().unwrap(),
        )
    }

    pub(crate) fn status_of(&self, index: usize, path: &str) -> u16 {
        lenient()
            .get(format!("{}{path}", self.url(index)))
            .call()
            .unwrap()
            .status()
            .as_u16()
    }

    pub(crate) fn text(&self, index: usize, path: &str) -> String {
        lenient()
            .get(format!("{}{path}", self.url(index)))
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    }

    /// An answer that does not end by itself.
    pub(crate) fn open(&self, index: usize, path: &str) -> impl std::io::Read + use<> {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30)));
        let agent: ureq::Agent = config.build().into();
        agent
            .get(format!("{}{path}", self.url(index)))
            .call()
            .unwrap()
            .into_body()
            .into_reader()
    }

    pub(crate) fn is_final(&self, index: usize, id: &str) -> bool {
        let answer = self.get(index, &format!("/v1/transactions/{id}"));
        answer.is_some_and(|answer| answer["status"] == "final")
    }

    /// The lovelace of an account as `index` sees it.
    pub(crate) fn lovelace(&self, index: usize, n: u8) -> u128 {
        let answer = self
            .get(index, &format!("/v1/accounts/{}", address(n)))
            .unwrap();
        answer["balances"][0]["amount"]
            .as_str()
            .unwrap_or("0")
            .parse()
            .unwrap()
    }
}

impl Drop for Validators {
    fn drop(&mut self) {
        (0..self.len()).for_each(|index| self.kill(index));
    }
}

/// Polls until `condition` holds, for at most a minute.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
    config.build().into()
}

/// Answers refusals too.
fn lenient() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
    config.http_status_as_error(false).build().into()
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

fn write_config(out: &Path, index: usize, ports: &[u16]) -> PathBuf {
    let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
    let others = |from: usize| {
        (0..4)
            .filter(|o| *o != index)
            .map(|o| address(ports[from + o]))
            .collect()
    };
    let folder = out.join(format!("validator-{index}"));
    let config = NodeConfig {
        data_folder: "data".into(),
        genesis: "../genesis.json".into(),
        consensus_key: "consensus.key".into(),
        bridge_key: "bridge.key".into(),
        network_key: "network.key".into(),
        consensus_listen: address(ports[index]),
        consensus_peers: others(0),
        gossip_listen: address(ports[4 + index]),
        gossip_peers: others(4),
        api_listen: SocketAddr::from(([127, 0, 0, 1], ports[8 + index])),
        block_target_ms: 200,
        ..NodeConfig::default()
    };
    let path = folder.join("node.toml");
    std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
    path
}
