//! Nodes that misbehave, and stores that are not ours.

use nupeer_primitives::blake2b_256;

use super::*;
use crate::testing::{chain, extend, with_body};

/// Serves `bad` at the end of good blocks; afterwards the good chain goes on.
async fn refuses(bad: Block, good: Vec<Block>, said: &str) {
    let broken = [&good[..5], &[bad]].concat();
    let node = TestNode::start(42, broken);
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    let status = fixture.until(|status| status.error.is_some()).await;
    assert!(status.error.as_ref().unwrap().contains(said), "{status:?}");
    assert_eq!(status.tip, Some(good[4].tip), "what came before it is kept");
    node.set(good.clone());
    fixture.until_at(good.last().unwrap()).await;
    running.stop().await;
    fixture.assert_holds(None, &good);
}

#[tokio::test]
async fn a_block_that_does_not_follow_is_refused_and_following_goes_on() {
    let good = chain(8, 1);
    let stranger = chain(6, 2)[5].clone();
    refuses(stranger, good, "is the last block").await;
}

#[tokio::test]
async fn a_block_that_skips_a_number_is_refused() {
    let good = chain(8, 1);
    let mut parent = good[4].clone();
    parent.tip.block_number += 1;
    refuses(
        with_body(Some(&parent), 1, [&[0x80], &[0x80], &[0xa0], &[0x80]]),
        good,
        "is next",
    )
    .await;
}

#[tokio::test]
async fn a_block_whose_slot_does_not_ascend_is_refused() {
    let good = chain(8, 1);
    let mut parent = good[4].clone();
    parent.tip.point.slot.0 -= 2;
    refuses(
        with_body(Some(&parent), 1, [&[0x80], &[0x80], &[0xa0], &[0x80]]),
        good,
        "is not above",
    )
    .await;
}

#[tokio::test]
async fn a_block_with_another_body_is_refused() {
    let good = chain(8, 1);
    let mut bad = good[5].clone();
    let end = bad.raw.len();
    bad.raw[end - 2..].copy_from_slice(&[0xa0, 0x90 - 0x0f]);
    bad.raw.push(0x00);
    refuses(bad, good, "the body's hash").await;
}

#[tokio::test]
async fn garbage_in_place_of_a_block_is_refused() {
    let good = chain(8, 1);
    let bad = Block {
        raw: vec![0x82, 0x07, 0xff],
        ..good[5].clone()
    };
    refuses(bad, good, "not a block").await;
}

/// A transaction of 16 kB can nest data as deeply; pallas drops such trees recursively.
#[tokio::test]
async fn data_nested_as_deeply_as_a_block_is_long_does_no_harm() {
    let deep = |levels: usize| [vec![0x81; levels], vec![0x00]].concat();
    // Witnesses `{4: [datum]}` for one transaction, whose body is as small as pallas allows: `{0: [], 1: [], 2: 0}`.
    let bodies = [&[0x81, 0xa3, 0x00, 0x80, 0x01, 0x80, 0x02, 0x00][..]].concat();
    let witnesses = [&[0x81, 0xa1, 0x04, 0x81][..], &deep(90_000)].concat();
    let good = chain(5, 1);
    let block = with_body(good.last(), 1, [&bodies, &witnesses, &[0xa0], &[0x80]]);
    let blocks = extend(&[good, vec![block]].concat(), 2, 1);
    let node = TestNode::start(42, blocks.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&blocks[7]).await;
    running.stop().await;
    fixture.assert_holds(None, &blocks);
}

#[tokio::test]
async fn a_node_that_comes_late_is_waited_for() {
    let blocks = chain(10, 1);
    let mut node = TestNode::start(42, blocks.clone());
    node.pause().await;
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    let status = fixture.until(|status| status.error.is_some()).await;
    assert!(status.error.unwrap().contains("no node answers"));
    node.resume();
    fixture.until_at(&blocks[9]).await;
    assert_eq!(fixture.follower.status().error, None);
    running.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_know_the_beginning_yet_is_waited_for() {
    let blocks = chain(30, 1);
    let node = TestNode::start(42, blocks[..10].to_vec());
    let fixture = Fixture::new(config(&node, Some(blocks[19].tip.point)));
    let running = fixture.start();
    let status = fixture.until(|status| status.error.is_some()).await;
    assert!(status.error.unwrap().contains("may still be catching up"));
    node.set(blocks.clone());
    fixture.until_at(&blocks[29]).await;
    running.stop().await;
}

#[tokio::test]
async fn a_store_is_one_process_one_network_and_one_beginning() {
    let node = TestNode::start(42, vec![]);
    let Fixture {
        folder, follower, ..
    } = Fixture::new(config(&node, None));
    let open = |config| {
        Follower::open(folder.path(), config, observe)
            .map(|_| ())
            .unwrap_err()
    };
    assert!(
        matches!(open(config(&node, None)), FollowerError::Locked { path } if path == folder.path())
    );
    drop(follower);
    let mut elsewhere = config(&node, None);
    elsewhere.node.network.magic = 1;
    let refused = open(elsewhere);
    assert!(
        matches!(
            refused,
            FollowerError::OtherNetwork {
                provided: 1,
                expected: 42
            }
        ),
        "{refused}"
    );
    let point = CardanoPoint {
        slot: nupeer_primitives::Slot(1),
        hash: blake2b_256(&[]),
    };
    let refused = open(config(&node, Some(point)));
    assert!(
        matches!(refused, FollowerError::OtherStart { expected: None, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_follower_runs_once_at_a_time() {
    let node = TestNode::start(42, chain(3, 1));
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until(at_tip).await;
    let second = fixture.follower.run(std::future::pending()).await;
    assert!(matches!(second, Err(FollowerError::AlreadyRunning)));
    running.stop().await;
}
