//! How fast following is, beside a loop that only receives.

use std::time::Instant;

use super::*;
use crate::testing::chain;

/// The share of the bare loop's rate that following must reach, in per cent.
const SHARE_MIN_PERCENT: u128 = 30;
const BLOCKS: u64 = 4000;

/// Receives every block and does nothing with it.
async fn bare_loop(node: &Node, blocks: u64) -> Duration {
    let mut session = node.connect().await.unwrap();
    let began = Instant::now();
    let sync = session.chain_sync();
    sync.find_intersect(vec![pallas_network::miniprotocols::Point::Origin])
        .await
        .unwrap();
    for _ in 0..=blocks {
        sync.request_next().await.unwrap();
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn following_keeps_at_least_a_third_of_a_bare_loops_pace() {
    let blocks = chain(BLOCKS, 1);
    let node = TestNode::start(42, blocks.clone());
    let mut shares = Vec::new();
    // One run on a busy machine says little: the best of a few counts.
    for _ in 0..5 {
        let bare = bare_loop(&Node::new(&node.socket, network()), BLOCKS).await;
        let fixture = Fixture::new(config(&node, None));
        let began = Instant::now();
        let running = fixture.start();
        fixture.until_at(blocks.last().unwrap()).await;
        let followed = began.elapsed();
        running.stop().await;
        shares.push(bare.as_micros() * 100 / followed.as_micros().max(1));
        if shares
            .last()
            .is_some_and(|share| *share >= SHARE_MIN_PERCENT)
        {
            return;
        }
    }
    panic!("per cent of the bare loop's pace: {shares:?}");
}
