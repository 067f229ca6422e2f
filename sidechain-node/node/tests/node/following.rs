//! Nodes that follow a Cardano: the devnet, over its socket, as they would a cardano-node.

use std::path::Path;

use nupeer_cardano_client::Network;
use nupeer_devnet::{
    Config as DevnetConfig, Devnet,
    control::{Client, Cut},
};
use nupeer_node::{Node, NodeError, NodeHandle};
use nupeer_primitives::{CardanoPoint, Code, Hash, Numbered, Slot, TimeMs};
use nupeer_runtime::genesis::CardanoSettings;

use crate::support::{Cluster, agree, soon};

/// A Cardano that makes blocks on demand, and two validators that follow it from its first block.
struct World {
    folder: tempfile::TempDir,
    devnet: Devnet,
    cluster: Cluster,
}

/// k of the devnet's profile `fast`.
const K: u64 = 12;

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let config = DevnetConfig {
            block_interval_ms: None,
            ..DevnetConfig::new(folder.path().join("devnet"))
        };
        let devnet = Devnet::start(config).await.unwrap();
        devnet.owner().mint(1).await.unwrap().unwrap();
        let genesis = devnet.genesis();
        let network = Network::devnet(
            TimeMs(genesis.system_start_ms),
            1_000,
            K,
            genesis.profile.epoch_slots(),
        );
        std::fs::write(folder.path().join("network.json"), network.to_json()).unwrap();
        let cardano = CardanoSettings {
            magic: u32::try_from(network.magic).unwrap(),
            security_parameter: u32::try_from(K).unwrap(),
            from: point(&devnet, 0),
        };
        let cluster = Cluster::following(&folder.path().join("chain"), 2, cardano);
        World {
            folder,
            devnet,
            cluster,
        }
    }

    async fn start(&self, place: usize) -> Result<Node, NodeError> {
        let config = nupeer_node::NodeConfig {
            cardano_socket: self.devnet.socket_path().into(),
            cardano_network: self.network_file().into(),
            ..self.cluster.config(place)
        };
        Node::start(config, None).await
    }

    fn network_file(&self) -> Box<Path> {
        self.folder.path().join("network.json").into()
    }

    async fn mint(&self, blocks: u64) {
        self.devnet.owner().mint(blocks).await.unwrap().unwrap();
    }

    async fn fork(&self, depth: u64) {
        let cut = Cut {
            depth,
            drop: Vec::new(),
            replace: Vec::new(),
            force: depth > K,
        };
        Client::new(self.devnet.control_path())
            .fork(cut)
            .await
            .unwrap();
    }
}

fn point(devnet: &Devnet, number: u64) -> CardanoPoint {
    let block = devnet.view().block(number).unwrap();
    CardanoPoint {
        slot: Slot(block.slot),
        hash: Hash(*block.hash),
    }
}

fn last(devnet: &Devnet) -> u64 {
    devnet.view().tip().block_number
}

/// Waits until a node's chain names a point.
async fn names(node: &NodeHandle, wanted: CardanoPoint) {
    let mut blocks = node.subscribe();
    soon("a Cardano point", async {
        while node.status().unwrap().tip.cardano != Some(wanted) {
            let _ = blocks.recv().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_name_what_lies_k_deep_and_a_shallow_fork_changes_nothing() {
    let world = World::new().await;
    let nodes = [world.start(0).await.unwrap(), world.start(1).await.unwrap()];
    let handles = nodes.each_ref().map(Node::handle);
    world.mint(30).await;
    for node in &handles {
        names(node, point(&world.devnet, last(&world.devnet) - K)).await;
    }
    world.fork(K - 1).await;
    world.mint(K).await;
    for node in &handles {
        names(node, point(&world.devnet, last(&world.devnet) - K)).await;
        assert_eq!(node.status().unwrap().cardano.halted, None);
    }
    let height = handles[0]
        .status()
        .unwrap()
        .tip
        .height
        .min(handles[1].status().unwrap().tip.height);
    agree(&handles.each_ref(), height);
    for node in nodes {
        node.stop().await.unwrap();
    }
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundred_blocks_are_observed_in_steps() {
    let world = World::new().await;
    world.mint(350).await;
    let nodes = [world.start(0).await.unwrap(), world.start(1).await.unwrap()];
    let node = nodes[0].handle();
    names(&node, point(&world.devnet, last(&world.devnet) - K)).await;
    let slots: Vec<u64> = soon("headers", async {
        let tip = node.status().unwrap().tip.height.0;
        let header = |height| {
            node.block(nupeer_primitives::Height(height))
                .unwrap()
                .unwrap()
                .header
        };
        (1..=tip)
            .map(|height| header(height).cardano.unwrap().slot.0)
            .collect()
    })
    .await;
    assert!(
        slots.windows(2).all(|pair| pair[1] - pair[0] <= 100),
        "{slots:?}"
    );
    for node in nodes {
        node.stop().await.unwrap();
    }
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_deeper_than_k_halts_bridge_actions_and_nothing_else() {
    let world = World::new().await;
    let nodes = [world.start(0).await.unwrap(), world.start(1).await.unwrap()];
    let node = nodes[0].handle();
    world.mint(30).await;
    let named = point(&world.devnet, last(&world.devnet) - K);
    names(&node, named).await;
    world.fork(K + 3).await;
    let mut blocks = node.subscribe();
    let halted = soon("a halt", async {
        loop {
            if let Some(reason) = node.status().unwrap().cardano.halted {
                break reason;
            }
            let _ = blocks.recv().await;
        }
    })
    .await;
    assert!(halted.contains("deeper than 12"), "{halted}");
    // The chain goes on, at the point where it was.
    let height = node.status().unwrap().tip.height.next().next();
    crate::support::reaches(&node, height).await;
    assert_eq!(node.status().unwrap().tip.cardano, Some(named));
    for node in nodes {
        node.stop().await.unwrap();
    }
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_follows_cardano_needs_a_socket_and_the_right_network() {
    let world = World::new().await;
    let started = |config| async {
        Node::start(config, None)
            .await
            .map(drop)
            .unwrap_err()
            .code()
    };
    let without = world.cluster.config(0);
    assert_eq!(started(without.clone()).await, Code(6072));
    let socket = world.devnet.socket_path().to_owned();
    let other = nupeer_node::NodeConfig {
        cardano_socket: socket.clone(),
        cardano_network: "preprod".into(),
        ..without.clone()
    };
    assert_eq!(started(other).await, Code(6075));
    let unknown = nupeer_node::NodeConfig {
        cardano_socket: socket,
        cardano_network: "preprd".into(),
        ..without
    };
    assert_eq!(started(unknown).await, Code(6074));
    world.devnet.stop().await;
}
