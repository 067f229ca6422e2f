//! Proposals whose observations differ from what the validator sees on Cardano itself, each node through its own connection.

use std::sync::Arc;

use nupeer_consensus::Verdict;
use nupeer_node::cardano::{CardanoView, FollowedCardano, Observe};
use nupeer_observe::portion::BLOCKS_MAX;
use nupeer_runtime::{Block, genesis::CardanoSettings};

use crate::{
    following::{K, World, catches_up, last, number, point, view, view_by},
    judging::{Pair, proposed, reason},
    support::{bridge, chain},
};

const ADA: u64 = 1_000_000;

fn honest(world: &World) -> Arc<Observe> {
    bridge::observe(settings(world).magic)
}

fn settings(world: &World) -> CardanoSettings {
    world.cluster.genesis.cardano.unwrap()
}

/// Builder and judge of the world's chain.
fn pair(world: &World, builder: &FollowedCardano, judge: &FollowedCardano) -> Pair {
    let of = |view: &FollowedCardano| -> Arc<dyn CardanoView> { Arc::new(view.clone()) };
    Pair::of(&world.cluster.genesis, [of(builder), of(judge)])
}

/// A chain with one deposit on its Cardano, k deep.
async fn with_deposit() -> World {
    let world = World::with_bridge(1).await;
    bridge::deposit(&world.cardano(), chain::account(0), 50 * ADA).await;
    world.mint(K + 5).await;
    world
}

fn deposits(pair: &Pair) -> [usize; 2] {
    [&pair.builder, &pair.judge].map(|node| {
        let view = node.executor.store().view().unwrap();
        nupeer_bridge::view::deposits(&view, None, 9).len()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_see_is_voted_for_and_what_the_builder_invents_is_not() {
    let world = with_deposit().await;
    let honestly = honest(&world);
    let adding: Arc<Observe> = Arc::new(move |block: &[u8]| -> Result<Vec<Vec<u8>>, String> {
        let mut seen = honestly(block)?;
        if number(block) == 3 {
            let invented = bridge::deposit_seen(7, chain::account(1), 50 * ADA, false);
            seen.push(invented.to_bytes());
        }
        Ok(seen)
    });
    let leaving_out: Arc<Observe> = Arc::new(|_: &[u8]| Ok(Vec::new()));
    let judge = view(&world, "judge", honest(&world)).await;
    for (folder, observe) in [("adding", adding), ("leaving-out", leaving_out)] {
        let liar = view(&world, folder, observe).await;
        let pair = pair(&world, &liar, &judge);
        let why = reason(pair.verdict(&pair.built().await).await);
        assert!(
            why.starts_with("NP2125") && why.contains("observation root"),
            "{folder}: {why}"
        );
    }
    let builder = view(&world, "builder", honest(&world)).await;
    let pair = pair(&world, &builder, &judge);
    let block = pair.built().await;
    assert_eq!(
        block.header.cardano,
        Some(point(&world.devnet, last(&world.devnet) - K))
    );
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);
    for node in [&pair.builder, &pair.judge] {
        node.decide(proposed(&block)).await.unwrap();
    }
    assert_eq!(deposits(&pair), [1, 1]);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_shallower_than_k_waits_until_it_lies_deep() {
    let world = with_deposit().await;
    let hasty = CardanoSettings {
        security_parameter: settings(&world).security_parameter - 1,
        ..settings(&world)
    };
    let builder = view_by(&world, "builder", honest(&world), hasty).await;
    let judge = view(&world, "judge", honest(&world)).await;
    let pair = pair(&world, &builder, &judge);
    let block = pair.built().await;
    assert_eq!(
        block.header.cardano,
        Some(point(&world.devnet, last(&world.devnet) - K + 1))
    );
    assert_eq!(pair.verdict(&block).await, Verdict::NotYet);
    world.mint(1).await;
    catches_up(&world, &judge).await;
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_blocks_of_cardano_are_voted_for_and_one_more_is_not() {
    let world = World::with_bridge(1).await;
    world.mint(BLOCKS_MAX + K + 20).await;
    let builder = view(&world, "builder", honest(&world)).await;
    let judge = view(&world, "judge", honest(&world)).await;
    let pair = pair(&world, &builder, &judge);
    let block = pair.built().await;
    assert_eq!(block.header.cardano, Some(point(&world.devnet, BLOCKS_MAX)));
    let mut greedy: Block = block.clone();
    greedy.header.cardano = Some(point(&world.devnet, BLOCKS_MAX + 1));
    let why = reason(pair.verdict(&greedy).await);
    assert!(why.contains("at most 100 with"), "{why}");
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);
    world.devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_validator_builds_and_votes_for_nothing_new_and_follows_what_is_decided() {
    let world = World::with_bridge(1).await;
    world.mint(30).await;
    let judge = view(&world, "judge", honest(&world)).await;
    world.fork(K + 3).await;
    bridge::deposit(&world.cardano(), chain::account(0), 50 * ADA).await;
    world.mint(K + 2).await;
    catches_up(&world, &judge).await;
    // It was not there when the fork came.
    let builder = view(&world, "builder", honest(&world)).await;
    let pair = pair(&world, &builder, &judge);
    let block = pair.built().await;
    assert_ne!(block.header.cardano, Some(settings(&world).from));
    assert_eq!(pair.verdict(&block).await, Verdict::NotYet);
    let own = pair.judge.build().await;
    let own = pair.judge.executor.decode(&own.bytes).unwrap();
    assert_eq!(own.header.cardano, Some(settings(&world).from));
    // The others were enough.
    for node in [&pair.builder, &pair.judge] {
        node.decide(proposed(&block)).await.unwrap();
    }
    assert_eq!(deposits(&pair), [1, 1]);
    judge.acknowledge_rollback().unwrap().unwrap();
    world.mint(1).await;
    catches_up(&world, &judge).await;
    let next = pair.judge.build().await;
    let next = pair.judge.executor.decode(&next.bytes).unwrap();
    let deep = point(&world.devnet, last(&world.devnet) - K);
    assert_eq!(next.header.cardano, Some(deep));
    world.devnet.stop().await;
}
