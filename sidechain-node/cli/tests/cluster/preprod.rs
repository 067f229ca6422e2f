//! `nupeer node` beside real blocks of preprod: told by its genesis or by an option after which block to follow, over a socket that speaks a
//! cardano-node's protocols.

mod needs_chain_data;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nupeer_node::NodeConfig;
use nupeer_testing::{
    chain_data,
    child::{Signal, dies_with_us},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    replay::{Replay, Replayed},
    validators::{NUPEER, free_ports, wait_until},
};

const PREPROD: u64 = 1;
/// The block of the chunk after which to follow.
const FROM: usize = 7;

/// A Cardano with a chunk of preprod's chain.
struct World {
    folder: tempfile::TempDir,
    cardano: Replay,
    /// What it is served by.
    _runtime: Runtime,
}

impl World {
    fn new() -> World {
        let blocks = chain_data::immutable_blocks().into_iter();
        let blocks = blocks.map(Replayed::read).collect();
        let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
        let cardano = {
            let _inside = runtime.enter();
            Replay::start(folder.path(), PREPROD, blocks)
        };
        World {
            folder,
            cardano,
            _runtime: runtime,
        }
    }

    fn point(&self, place: usize) -> String {
        self.cardano.blocks[place].point.to_string()
    }

    fn last(&self) -> String {
        self.point(self.cardano.blocks.len() - 1)
    }

    /// The node of a chain of one validator, made with these options besides.
    fn chain(&self, name: &str, options: &[&str]) -> Node {
        let out = self.folder.path().join(name);
        std::fs::create_dir(&out).unwrap();
        let mut new = Command::new(NUPEER);
        new.args(["genesis", "new", "--name", name, "--validators", "1"]);
        let made = new.arg("--out").arg(&out).args(options).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let api = free_ports(1)[0];
        let config = NodeConfig {
            data_folder: "data".into(),
            genesis: "../genesis.json".into(),
            consensus_key: "consensus.key".into(),
            bridge_key: "bridge.key".into(),
            network_key: "network.key".into(),
            consensus_listen: "/ip4/127.0.0.1/tcp/0".into(),
            gossip_listen: "/ip4/127.0.0.1/tcp/0".into(),
            api_listen: SocketAddr::from(([127, 0, 0, 1], api)),
            block_target_ms: 200,
            ..NodeConfig::default()
        };
        let file = out.join("validator-0/node.toml");
        std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
        let child = None;
        Node { file, api, child }
    }
}

struct Node {
    file: PathBuf,
    api: u16,
    child: Option<Child>,
}

impl Node {
    /// `nupeer node` beside the Cardano at `socket`, told to follow it from `from`.
    fn command(&self, socket: &Path, from: &str) -> Command {
        let mut command = Command::new(NUPEER);
        command.arg("node").arg("--config").arg(&self.file);
        command.arg("--cardano-socket").arg(socket);
        command.args(["--network", "preprod", "--cardano-from", from]);
        command.stdin(Stdio::null());
        dies_with_us(&mut command, Signal::SIGKILL);
        command
    }

    fn start(&mut self, socket: &Path, from: &str) {
        let log = std::fs::File::create(self.file.with_file_name("log")).unwrap();
        let mut command = self.command(socket, from);
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn status(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/v1/status", self.api);
        ureq::get(url).call().ok()?.body_mut().read_json().ok()
    }

    /// Its status once it has followed up to `tip`, and its own chain has gone on.
    fn follows_to(&self, tip: &str) -> Value {
        let mut last = Value::Null;
        wait_until("preprod's tip", || {
            last = self.status().unwrap_or_default();
            let view = &last["cardano_view"];
            let is_there = view["tip"] == tip && view["connected"] == true;
            is_there && last["height"].as_u64() > Some(1)
        });
        last
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
