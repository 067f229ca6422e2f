//! A rollback of Cardano deeper than k: it halts bridge actions until the operator has looked, and nothing else.

use std::{sync::Arc, time::Duration};

use nupeer_bridge::view;
use nupeer_cardano_client::follower::FollowerError;
use nupeer_node::{
    Node, NodeError, NodeHandle, acknowledge_rollback,
    cardano::{CardanoHealth, RolledBack},
};
use nupeer_primitives::{CardanoPoint, Code, Numbered};

use crate::{
    following::{K, World, last, point},
    support::{
        Cluster,
        bridge::{self, Told},
        chain, height, reaches, soon,
    },
};

const ADA: u64 = 1_000_000;

/// Waits for what no block tells of.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, waited).await;
}

fn cardano(node: &NodeHandle) -> CardanoHealth {
    node.status().unwrap().cardano
}

async fn sees(node: &NodeHandle, tip: CardanoPoint) {
    until("Cardano's tip", || cardano(node).tip == Some(tip)).await;
}

fn credited(node: &NodeHandle) -> usize {
    view::deposits(&node.view().unwrap(), None, 9).len()
}

/// Asks again while the node that was stopped still lets go of its folder.
async fn unlocked<T>(mut asked: impl AsyncFnMut() -> Result<T, NodeError>) -> T {
    soon("the folder", async {
        loop {
            match asked().await {
                Err(NodeError::Follower(FollowerError::Locked { .. })) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => break answer.unwrap(),
            }
        }
    })
    .await
}

async fn acknowledged(world: &World, place: usize) -> Option<RolledBack> {
    let config = world.config(place);
    unlocked(async || acknowledge_rollback(&config)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_deeper_than_k_halts_bridge_actions_and_nothing_else() {
    let world = World::with_bridge(2).await;
    let from = point(&world.devnet, 0);
    // Alone it decides nothing: its chain lags, at a block that no fork takes back.
    let alone = world.start(0).await.unwrap();
    let node = alone.handle();
    world.mint(30).await;
    let before = point(&world.devnet, last(&world.devnet));
    sees(&node, before).await;
    world.fork(K + 3).await;
    until("a halt", || cardano(&node).halted.is_some()).await;
    let reason = cardano(&node).halted.unwrap();
    for named in [
        "NP6077: ",
        "deeper than 12",
        "nupeer node --acknowledge-rollback",
    ] {
        assert!(reason.contains(named), "{reason}");
    }
    // Whoever runs has the record open.
    let refused = acknowledge_rollback(&world.config(0)).unwrap_err();
    assert_eq!(refused.code(), Code(7061), "{refused}");
    drop(node);
    alone.stop().await.unwrap();

    let account = chain::account(0);
    bridge::deposit(&world.cardano(), account, 50 * ADA).await;
    world.mint(K + 2).await;
    let deep = point(&world.devnet, last(&world.devnet) - K);
    // The other one never saw the fork, and proposes what is deep. Both are needed for a block.
    let halted = unlocked(async || world.start(0).await).await;
    let other = world.start(1).await.unwrap();
    let nodes = [halted.handle(), other.handle()];
    let tip = point(&world.devnet, last(&world.devnet));
    for node in &nodes {
        sees(node, tip).await;
    }
    let later = height(&nodes[1]).0 + 4;
    for node in &nodes {
        reaches(node, nupeer_primitives::Height(later)).await;
        assert_eq!(node.status().unwrap().tip.cardano, Some(from));
        assert_eq!(credited(node), 0, "not proposed, not voted for");
    }
    assert_eq!(cardano(&nodes[0]).halted, Some(reason));
    assert_eq!(cardano(&nodes[1]).halted, None);
    drop(nodes);
    halted.stop().await.unwrap();

    let looked_into = acknowledged(&world, 0).await.unwrap();
    let RolledBack { from, depth, k } = looked_into;
    assert_eq!((from, depth, k), (before, K + 3, K));
    assert_eq!(acknowledged(&world, 0).await, None, "once is enough");
    let back = unlocked(async || world.start(0).await).await;
    for node in [back.handle(), other.handle()] {
        until("the credit", || credited(&node) == 1).await;
        assert!(node.status().unwrap().tip.cardano >= Some(deep));
        assert_eq!(cardano(&node).halted, None);
    }
    for node in [back, other] {
        node.stop().await.unwrap();
    }
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_a_rollback_on_record_has_nothing_to_acknowledge() {
    let world = World::with_bridge(1).await;
    assert_eq!(acknowledged(&world, 0).await, None);
    let without = Cluster::new(1, 1);
    assert_eq!(acknowledge_rollback(&without.config(0)).unwrap(), None);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_validator_signs_no_anchor_until_its_operator_has_looked() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = bridge::genesis(1, Told::settings());
    let cluster = Cluster::of(folder.path(), 1, genesis);
    let told = Arc::new(Told::default());
    told.halt(Some("a rollback"));
    let account = chain::account(0);
    told.tell(vec![bridge::deposit_seen(1, account, 50 * ADA, false)]);
    let node = Node::start(cluster.config(0), Some(told.clone()))
        .await
        .unwrap();
    let handle = node.handle();
    let to_sign = || view::to_sign(&handle.view().unwrap());
    until("an anchor to sign", || to_sign().is_some()).await;
    let waiting = to_sign().unwrap();
    let later = height(&handle).0 + 5;
    reaches(&handle, nupeer_primitives::Height(later)).await;
    assert_eq!(to_sign(), Some(waiting.clone()));
    assert_eq!(waiting.signatures, [None]);
    told.halt(None);
    until("a signature", || {
        view::anchor(&handle.view().unwrap(), waiting.seq).is_some()
    })
    .await;
    assert_eq!(to_sign(), None);
    drop(handle);
    node.stop().await.unwrap();
}
