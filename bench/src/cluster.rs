//! Four whole validators in this process: stores on disk, consensus and gossip over loopback. What they share is the machine.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use nupeer_node::{Node, NodeConfig, NodeHandle};
use tokio::runtime::Runtime;

use crate::{
    chain::{BLOCK_TARGET_MS, BenchChain, VALIDATORS, bridge_key, consensus_key},
    note,
};

/// How long the validators may take until they decide.
const START_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Cluster {
    pub(crate) runtime: Runtime,
    nodes: Vec<Node>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start(chain: &BenchChain) -> Result<Self> {
        note("four validators start");
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("genesis.json"), chain.genesis.to_json()?)?;
        let ports = free_ports(2 * usize::from(VALIDATORS))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let mut nodes = Vec::new();
        for place in 0..VALIDATORS {
            let config = config(folder.path(), place, &ports)?;
            nodes.push(runtime.block_on(Node::start(config, None))?);
        }
        let cluster = Cluster {
            runtime,
            nodes,
            _folder: folder,
        };
        cluster.wait_for_height(3)?;
        Ok(cluster)
    }

    pub(crate) fn handles(&self) -> Vec<NodeHandle> {
        self.nodes.iter().map(Node::handle).collect()
    }

    fn wait_for_height(&self, height: u64) -> Result<()> {
        let end = Instant::now() + START_MAX;
        for handle in self.handles() {
            while handle.status()?.tip.height.0 < height {
                ensure!(Instant::now() < end, "the validators do not decide");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    pub(crate) fn stop(self) -> Result<()> {
        let Cluster { runtime, nodes, .. } = self;
        for node in nodes {
            runtime.block_on(node.stop())?;
        }
        Ok(())
    }
}

/// Ports that were free a moment ago; all are held before any is let go.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held: std::io::Result<Vec<TcpListener>> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let ports = held?;
    let port = |listener: &TcpListener| Ok(listener.local_addr()?.port());
    ports.iter().map(port).collect()
}

fn config(folder: &Path, place: u8, ports: &[u16]) -> Result<NodeConfig> {
    let home = folder.join(place.to_string());
    fs::create_dir_all(&home)?;
    for (name, secret) in [
        ("consensus.key", consensus_key(place).to_bytes()),
        ("bridge.key", bridge_key(place).to_bytes()),
        ("network.key", [place; 32]),
    ] {
        let path = home.join(name);
        fs::write(&path, hex::encode(secret))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    let (own, address) = (usize::from(place), |port: u16| {
        format!("/ip4/127.0.0.1/tcp/{port}")
    });
    let others = |of: usize| {
        let others = ports
            .chunks(2)
            .enumerate()
            .filter(|(other, _)| *other != own);
        others.map(|(_, pair)| address(pair[of])).collect()
    };
    Ok(NodeConfig {
        data_folder: home.join("data"),
        genesis: folder.join("genesis.json"),
        consensus_key: home.join("consensus.key"),
        bridge_key: home.join("bridge.key"),
        network_key: home.join("network.key"),
        moniker: format!("validator-{place}"),
        consensus_listen: address(ports[2 * own]),
        consensus_peers: others(0),
        gossip_listen: address(ports[2 * own + 1]),
        gossip_peers: others(1),
        api_listen: ([127, 0, 0, 1], 0).into(),
        block_target_ms: BLOCK_TARGET_MS,
        ..NodeConfig::default()
    })
}
