//! Nodes on loopback, with files and ports of their own.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod bridge;
pub mod chain;
pub mod described;
pub mod http;
pub mod replay;
pub mod solo;

use std::{
    fs,
    future::Future,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use nupeer_node::{Node, NodeConfig, NodeError, NodeHandle, TransactionStatus};
use nupeer_primitives::{Hash, Height};
use nupeer_runtime::{Genesis, genesis::CardanoSettings};

/// Nothing on loopback takes this long, however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Validators, each with a folder and ports of its own.
pub struct Cluster {
    folder: PathBuf,
    // Removed with the cluster, unless the folder is somebody else's.
    _owned: Option<tempfile::TempDir>,
    ports: Vec<(u16, u16)>,
    pub genesis: Genesis,
}

impl Cluster {
    pub fn new(validators: u8, accounts: u16) -> Self {
        let owned = tempfile::tempdir().unwrap();
        let mut cluster = Cluster::at(owned.path(), validators, accounts);
        cluster._owned = Some(owned);
        cluster
    }

    /// A cluster in a folder that outlives it.
    pub fn at(folder: &Path, validators: u8, accounts: u16) -> Self {
        Cluster::of(folder, validators, chain::genesis(validators, accounts))
    }

    /// A cluster that follows a Cardano, in a folder that outlives it.
    pub fn following(folder: &Path, validators: u8, cardano: CardanoSettings) -> Self {
        let genesis = Genesis {
            cardano: Some(cardano),
            ..chain::genesis(validators, 1)
        };
        Cluster::of(folder, validators, genesis)
    }

    /// A cluster of a chain with that many validators.
    pub fn of(folder: &Path, validators: u8, genesis: Genesis) -> Self {
        let count = usize::from(validators);
        // All are bound before any is let go, so that no port comes twice.
        let bound: Vec<_> = (0..2 * count)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<u16> = bound
            .iter()
            .map(|l| l.local_addr().unwrap().port())
            .collect();
        let ports = ports.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("genesis.json"), genesis.to_json().unwrap()).unwrap();
        Cluster {
            folder: folder.into(),
            _owned: None,
            ports,
            genesis,
        }
    }

    pub fn config(&self, place: usize) -> NodeConfig {
        let home = self.folder.join(place.to_string());
        fs::create_dir_all(&home).unwrap();
        let validator = u8::try_from(place).unwrap();
        let secrets = [
            ("consensus.key", chain::validator_key(validator).to_bytes()),
            ("bridge.key", chain::bridge_key(validator).to_bytes()),
            ("network.key", [validator; 32]),
        ];
        for (name, secret) in secrets {
            let path = home.join(name);
            fs::write(&path, hex::encode(secret)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let at = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
        let others = || {
            self.ports
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place)
        };
        NodeConfig {
            data_folder: home.join("data"),
            genesis: self.folder.join("genesis.json"),
            consensus_key: home.join("consensus.key"),
            bridge_key: home.join("bridge.key"),
            network_key: home.join("network.key"),
            moniker: format!("place-{place}"),
            consensus_listen: at(self.ports[place].0),
            consensus_peers: others().map(|(_, ports)| at(ports.0)).collect(),
            gossip_listen: at(self.ports[place].1),
            gossip_peers: others().map(|(_, ports)| at(ports.1)).collect(),
            api_listen: ([127, 0, 0, 1], 0).into(),
            block_target_ms: 100,
            state_cache_mib: 8,
            ..NodeConfig::default()
        }
    }

    pub async fn start(&self, place: usize) -> Result<Node, NodeError> {
        Node::start(self.config(place), None).await
    }

    pub async fn start_all(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for place in 0..self.ports.len() {
            nodes.push(self.start(place).await.unwrap());
        }
        nodes
    }
}

/// Waits, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

pub fn height(node: &NodeHandle) -> Height {
    node.status().unwrap().tip.height
}

/// Waits until a node has decided a height.
pub async fn reaches(node: &NodeHandle, wanted: Height) {
    let mut blocks = node.subscribe();
    soon("a height", async {
        while height(node) < wanted {
            // Having missed some is as good as having heard of one.
            let _ = blocks.recv().await;
        }
    })
    .await;
}

/// Waits until a transaction is final on a node; tells where.
pub async fn is_final(node: &NodeHandle, id: &Hash) -> Height {
    let mut blocks = node.subscribe();
    soon("a transaction", async {
        loop {
            match node.transaction_status(id).unwrap() {
                TransactionStatus::Final(location) => return location.height,
                TransactionStatus::Refused(refusal) => panic!("refused: {refusal:?}"),
                _ => drop(blocks.recv().await),
            }
        }
    })
    .await
}

/// Waits until a node's gossip is connected to as many peers.
pub async fn has_peers(node: &NodeHandle, count: usize) {
    let mut blocks = node.subscribe();
    soon("peers", async {
        while node.status().unwrap().gossip.peers < count {
            let _ = blocks.recv().await;
        }
    })
    .await;
}

/// All have the same block at a height, with a certificate that a stranger accepts.
pub fn agree(nodes: &[&NodeHandle], height: Height) {
    let block = nodes[0].block(height).unwrap().unwrap();
    for node in nodes {
        assert_eq!(
            node.block(height).unwrap().as_ref(),
            Some(&block),
            "height {height}"
        );
        let certificate = node.certificate(height).unwrap().unwrap();
        assert_eq!(certificate.block, block.header.id());
        let chain = node.chain();
        assert_eq!(
            certificate.verify(&chain.id, &chain.validators),
            Ok(()),
            "height {height}"
        );
    }
}
