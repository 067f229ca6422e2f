//! The relayer between a sidechain and the devnet: it does what is due, once, and again after a fork; and it believes nobody.

use nupeer_client::Client;
use nupeer_devnet::chain::Reorganisation;
use nupeer_relayer::{Step, plan::Objection};
use serde_json::json;

use crate::{
    fixture::{Relaying, leaf},
    world::{ADA, World},
};

#[tokio::test]
async fn what_is_due_is_done_once_and_without_waiting_for_blocks() {
    let mut relaying = Relaying::start().await;
    assert_eq!(relaying.round().await, [""; 0]);
    let deposits = relaying.deposits().await;
    let leaves = [
        leaf(0, 0, 9 * ADA),
        leaf(0, 1, 8 * ADA),
        leaf(1, 0, 7 * ADA),
    ];
    relaying.certify(&[], &deposits).await;
    assert_eq!(relaying.round().await, ["anchor 1"]);
    // No block was made: what follows builds on what waits.
    let sweeps = [
        "sweep of 1 deposits into shard 0",
        "sweep of 1 deposits into shard 1",
    ];
    assert_eq!(relaying.round().await, sweeps);
    assert_eq!(relaying.round().await, [""; 0]);
    relaying.world.mint(1).await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
    relaying.certify(&leaves, &deposits).await;
    assert_eq!(relaying.round().await, ["anchor 2"]);
    let payments = [
        "payment 0 of shard 0",
        "payment 1 of shard 0",
        "payment 0 of shard 1",
    ];
    assert_eq!(relaying.round().await, payments);
    relaying.world.mint(1).await;
    assert_eq!(relaying.round().await, [""; 0]);
    assert_eq!(relaying.held().await, [283 * ADA, 93 * ADA]);
}

#[tokio::test]
async fn what_a_fork_undoes_is_done_again() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    relaying.round().await;
    relaying.world.mint(1).await;
    assert_eq!(relaying.round().await.len(), 2);
    relaying.world.mint(1).await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
    let state = relaying.world.state().await;
    let swept: Vec<_> = state
        .shards
        .values()
        .map(|s| s.utxo.reference.transaction_id.0)
        .collect();
    let fork = Reorganisation {
        depth: 1,
        drop: swept,
        outgrow: true,
        ..Reorganisation::default()
    };
    let owner = relaying.world.devnet.owner();
    owner
        .ask(move |chain| chain.reorganise(&fork))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(relaying.held().await, [0, 0]);
    // It takes them for waiting, until they are in no block for long.
    assert_eq!(relaying.round().await, [""; 0]);
    relaying.world.mint(3).await;
    assert_eq!(relaying.held().await, [0, 0]);
    assert_eq!(relaying.round().await, [""; 0]);
    relaying.world.mint(1).await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
    assert_eq!(relaying.round().await, [""; 0]);
}

#[tokio::test]
async fn a_relayer_that_starts_anew_goes_on_where_the_chain_is() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    relaying.round().await;
    // It forgets that the anchor waits: the node refuses the same again, and nothing is lost.
    relaying.relayer = Relaying::relayer(&relaying.world, &relaying.sidechain);
    let round = relaying.relayer.round().await.unwrap();
    assert_eq!((round.submitted.len(), round.failed.len()), (0, 1));
    relaying.world.mint(1).await;
    assert_eq!(relaying.round().await.len(), 2);
    relaying.relayer = Relaying::relayer(&relaying.world, &relaying.sidechain);
    relaying.world.mint(1).await;
    assert_eq!(relaying.round().await, [""; 0]);
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
}

#[tokio::test]
async fn a_node_that_lies_moves_nothing() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    let path = "/v1/bridge/anchors/1";
    let state = relaying.world.state().await;
    // A certified anchor whose state root is another than what was signed.
    let mut next = World::next_anchor(&state, &[], &deposits);
    let certificate = relaying.world.certify(&state, &next, &[1, 2, 3]).unwrap();
    next.state_root.0[0] ^= 1;
    let (head, sidechain) = (state.head.utxo.reference, relaying.sidechain.clone());
    sidechain.certify(&next, head, &certificate, &[], deposits.len());
    let round = relaying.relayer.round().await.unwrap();
    assert!(round.submitted.is_empty());
    assert!(matches!(
        round.objections[..],
        [Objection::NotCertified { seq: 1, .. }]
    ));
    // The true one; then payments that are not under it.
    relaying.certify(&[], &deposits).await;
    assert_eq!(relaying.round().await, ["anchor 1"]);
    relaying.world.mint(1).await;
    let stolen = hex::encode(leaf(0, 0, 2 * ADA).to_data().to_cbor());
    let mut answer = sidechain_answer(&relaying, path);
    answer["leaves"] = json!([stolen]);
    sidechain.set(path, answer);
    let round = relaying.relayer.round().await.unwrap();
    assert_eq!(round.objections, [Objection::OtherLeaves { seq: 1 }]);
    assert!(
        round
            .submitted
            .iter()
            .all(|(step, _)| matches!(step, Step::Sweep { .. }))
    );
    // And a node of another bridge is not listened to at all.
    sidechain.set(
        "/v1/bridge",
        json!({ "bridge_id": "00", "anchors": { "certified": null } }),
    );
    let error = relaying.relayer.round().await.unwrap_err();
    assert!(error.to_string().contains("serves bridge 00"), "{error}");
}

fn sidechain_answer(relaying: &Relaying, path: &str) -> serde_json::Value {
    let client = Client::new([relaying.sidechain.url()]);
    std::thread::scope(|scope| scope.spawn(|| client.get(path).unwrap()).join().unwrap())
}
