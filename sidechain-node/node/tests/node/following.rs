//! Nodes that follow a Cardano: the devnet, over its socket, as they would a cardano-node.

use std::{path::Path, sync::Arc};

use nupeer_cardano_client::{Network, Node as CardanoNode, follower::FollowerError};
use nupeer_devnet::{
    Config as DevnetConfig, Devnet,
    control::{Client, Cut},
};
use nupeer_node::{
    Node, NodeConfig, NodeError, NodeHandle,
    cardano::{CardanoView, FollowedCardano, ObservationError, Observe},
};
use nupeer_observe::portion::{BLOCKS_MAX, OBSERVATIONS_MAX};
use nupeer_primitives::{CardanoPoint, Code, Hash, Numbered, Slot, TimeMs};
use nupeer_runtime::{Genesis, genesis::CardanoSettings};

use crate::support::{Cluster, agree, bridge, chain, soon};

/// A Cardano that makes blocks on demand, and validators that follow it from its first block.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) devnet: Devnet,
    pub(crate) cluster: Cluster,
}

/// k of the devnet's profile `fast`.
pub(crate) const K: u64 = 12;

impl World {
    /// Two validators without a bridge.
    async fn new() -> World {
        let genesis = |cardano| Genesis {
            cardano: Some(cardano),
            ..chain::genesis(2, 1)
        };
        World::of(2, genesis).await
    }

    /// So many validators of a chain with a bridge.
    pub(crate) async fn with_bridge(validators: u8) -> World {
        World::of(validators, |cardano| bridge::genesis(validators, cardano)).await
    }

    async fn of(validators: u8, genesis: impl Fn(CardanoSettings) -> Genesis) -> World {
        let folder = tempfile::tempdir().unwrap();
        let config = DevnetConfig {
            block_interval_ms: None,
            ..DevnetConfig::new(folder.path().join("devnet"))
        };
        let devnet = Devnet::start(config).await.unwrap();
        devnet.owner().mint(1).await.unwrap().unwrap();
        let born = devnet.genesis();
        let (start, epoch) = (TimeMs(born.system_start_ms), born.profile.epoch_slots());
        let network = Network::devnet(start, 1_000, K, epoch);
        std::fs::write(folder.path().join("network.json"), network.to_json()).unwrap();
        let cardano = CardanoSettings {
            magic: u32::try_from(network.magic).unwrap(),
            security_parameter: u32::try_from(K).unwrap(),
            from: point(&devnet, 0),
        };
        let cluster = Cluster::of(&folder.path().join("chain"), validators, genesis(cardano));
        World {
            folder,
            devnet,
            cluster,
        }
    }

    /// The settings of a validator that follows this Cardano.
    pub(crate) fn config(&self, place: usize) -> NodeConfig {
        NodeConfig {
            cardano_socket: self.devnet.socket_path().into(),
            cardano_network: self.network_file().into(),
            ..self.cluster.config(place)
        }
    }

    pub(crate) async fn start(&self, place: usize) -> Result<Node, NodeError> {
        Node::start(self.config(place), None).await
    }

    /// This Cardano, as a client asks it.
    pub(crate) fn cardano(&self) -> CardanoNode {
        let network = Network::named_or_file(&self.network_file().to_string_lossy()).unwrap();
        CardanoNode::new(self.devnet.socket_path(), network)
    }

    fn network_file(&self) -> Box<Path> {
        self.folder.path().join("network.json").into()
    }

    pub(crate) async fn mint(&self, blocks: u64) {
        self.devnet.owner().mint(blocks).await.unwrap().unwrap();
    }

    pub(crate) async fn fork(&self, depth: u64) {
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

pub(crate) fn point(devnet: &Devnet, number: u64) -> CardanoPoint {
    let block = devnet.view().block(number).unwrap();
    CardanoPoint {
        slot: Slot(block.slot),
        hash: Hash(*block.hash),
    }
}

pub(crate) fn last(devnet: &Devnet) -> u64 {
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

/// A view of the world's Cardano in a folder of its own, followed up to the tip.
pub(crate) async fn view(world: &World, folder: &str, observe: Arc<Observe>) -> FollowedCardano {
    let settings = world.cluster.genesis.cardano.unwrap();
    view_by(world, folder, observe, settings).await
}

/// As [`view`], by other settings than the chain's.
pub(crate) async fn view_by(
    world: &World,
    folder: &str,
    observe: Arc<Observe>,
    settings: CardanoSettings,
) -> FollowedCardano {
    let node = world.cardano();
    let folder = world.folder.path().join(folder);
    // Whoever followed before lets go of the folder when its thread has ended.
    let opened = soon("the folder", async {
        loop {
            match FollowedCardano::open(&folder, node.clone(), settings, observe.clone()) {
                Err(FollowerError::Locked { .. }) => tokio::task::yield_now().await,
                opened => break opened,
            }
        }
    });
    let view = opened.await.unwrap();
    catches_up(world, &view).await;
    view
}

/// Lets a view follow up to the tip.
pub(crate) async fn catches_up(world: &World, view: &FollowedCardano) {
    let tip = point(&world.devnet, last(&world.devnet));
    let follower = view.follower().clone();
    let mut status = follower.subscribe();
    let reached = async move {
        let at = |tip_now: Option<nupeer_cardano_client::Tip>| tip_now.map(|tip| tip.point);
        while at(status.borrow_and_update().tip) != Some(tip) {
            status.changed().await.unwrap();
        }
    };
    soon("the tip", follower.run(reached)).await.unwrap();
}

/// A block's number: `[era, [[[number, …`.
pub(crate) fn number(block: &[u8]) -> u64 {
    let mut d = minicbor::Decoder::new(block);
    d.array().unwrap();
    d.u64().unwrap();
    (0..3).for_each(|_| {
        d.array().unwrap();
    });
    d.u64().unwrap()
}

/// Most blocks make a fifth of what goes into one of this chain, some more than fits into any.
fn crowded(block: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let (number, all) = (number(block), OBSERVATIONS_MAX);
    let count = if number % 7 == 3 { all + 1 } else { all / 5 };
    Ok(vec![number.to_be_bytes().to_vec(); count])
}

#[tokio::test(flavor = "multi_thread")]
async fn observations_are_taken_in_portions_and_a_crowded_block_holds_nothing_up() {
    let world = World::new().await;
    world.mint(60).await;
    let proposer = view(&world, "proposer", Arc::new(crowded)).await;
    let validator = view(&world, "validator", Arc::new(crowded)).await;
    let (mut at, end) = (0, last(&world.devnet) - K);
    let place = |number| Some(point(&world.devnet, number));
    let mut alone = 0;
    while at < end {
        let named = proposer.point(place(at));
        let next = (at + 1..=end).find(|number| place(*number) == named);
        let next = next.expect("a later block, deep enough");
        let seen = validator.observations(place(at), named).unwrap();
        let numbers: std::collections::BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(numbers.len() as u64, next - at, "every block of them");
        let crowd = seen.len() > OBSERVATIONS_MAX;
        assert!(!crowd || next == at + 1);
        alone += u64::from(crowd);
        // What goes beyond the rule is refused, and what stays within is not.
        if next < end {
            let refused = validator.observations(place(at), place(next + 1));
            let provided = place(next + 1);
            assert!(
                matches!(&refused, Err(ObservationError::Impossible { provided: p, .. }) if *p == provided),
                "{refused:?}"
            );
        }
        assert!(validator.observations(place(at), place(at + 1)).is_ok());
        at = next;
    }
    assert!(alone >= 6 && end - 1 < BLOCKS_MAX, "{alone}");
    assert_eq!(validator.health().halted, None);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_lie_deep_yet_is_found_with_its_depth() {
    let world = World::new().await;
    world.mint(30).await;
    let observe = |block: &[u8]| Ok(vec![number(block).to_be_bytes().to_vec()]);
    let node = view(&world, "node", Arc::new(observe)).await;
    let end = last(&world.devnet);
    let parent = Some(point(&world.devnet, end - 10));
    let depth_of = |parent, wanted: u64| {
        node.depth_of(parent, &move |seen: &[u8]| seen == wanted.to_be_bytes())
    };
    for depth in [0, 1, 9] {
        assert_eq!(depth_of(parent, end - depth), Some(depth));
    }
    // What the parent holds is observed already, what comes next is not here.
    assert_eq!(depth_of(parent, end - 10), None);
    assert_eq!(depth_of(parent, end + 1), None);
    assert_eq!(depth_of(None, end), None);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_could_not_read_is_observed_again() {
    let world = World::new().await;
    world.mint(30).await;
    let old = |block: &[u8]| match number(block) {
        10.. => Err("an era to come".to_owned()),
        _ => crowded(block),
    };
    let place = |number| Some(point(&world.devnet, number));
    let node = view(&world, "node", Arc::new(old)).await;
    let (early, first, deep) = (place(8), place(9), place(last(&world.devnet) - K));
    assert_eq!(node.point(early), first, "what can be read goes in first");
    assert_eq!(node.health().halted, None);
    assert_eq!(node.point(first), first);
    assert!(node.health().halted.unwrap().contains("an era to come"));
    let refused = node.observations(first, deep);
    assert!(matches!(refused, Err(ObservationError::Impossible { .. })));
    drop(node);
    // The same folder, with a version that knows the era: nothing is followed anew.
    let node = view(&world, "node", Arc::new(crowded)).await;
    let fresh = view(&world, "fresh", Arc::new(crowded)).await;
    let named = node.point(first);
    assert!(named != first && named == fresh.point(first));
    assert_eq!(
        node.observations(first, named).unwrap(),
        fresh.observations(first, named).unwrap()
    );
    assert_eq!(node.health().halted, None);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_gives_up_the_named_point_leaves_the_chain_where_it_was() {
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
async fn a_block_target_that_no_chain_keeps_is_refused() {
    let cluster = crate::support::Cluster::new(1, 1);
    let started = async |block_target_ms| {
        let config = NodeConfig {
            block_target_ms,
            ..cluster.config(0)
        };
        Node::start(config, None).await
    };
    for provided in [0, 9, 60_001, u64::MAX] {
        let error = started(provided).await.map(drop).unwrap_err();
        assert_eq!(error.code(), Code(6063), "{error}");
        assert!(error.to_string().contains(&provided.to_string()), "{error}");
    }
    started(10).await.unwrap().stop().await.unwrap();
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
    let other = NodeConfig {
        cardano_socket: socket.clone(),
        cardano_network: "preprod".into(),
        ..without.clone()
    };
    assert_eq!(started(other).await, Code(6075));
    let unknown = NodeConfig {
        cardano_socket: socket,
        cardano_network: "preprd".into(),
        ..without
    };
    assert_eq!(started(unknown).await, Code(6074));
    world.devnet.stop().await;
}
