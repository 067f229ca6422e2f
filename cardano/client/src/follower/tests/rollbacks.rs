//! Following, falling back, and coming back.

use super::*;
use crate::testing::{chain, extend};

#[tokio::test]
async fn blocks_are_followed_to_the_tip_and_beyond() {
    let blocks = chain(30, 1);
    let node = TestNode::start(42, blocks[..20].to_vec());
    let fixture = Fixture::new(config(&node, None));
    assert_eq!(fixture.follower.tip(), None);
    let running = fixture.start();
    fixture.until_at(&blocks[19]).await;
    assert!(fixture.until(at_tip).await.connected);
    node.set(blocks.clone());
    fixture.until_at(&blocks[29]).await;
    running.stop().await;
    fixture.assert_holds(None, &blocks);
    assert_eq!(
        fixture.follower.point_at_depth(12).unwrap(),
        Some(blocks[17].tip)
    );
    assert_eq!(
        fixture.follower.point_at_depth(29).unwrap(),
        Some(blocks[0].tip)
    );
    assert_eq!(fixture.follower.point_at_depth(30).unwrap(), None);
}

#[tokio::test]
async fn a_fork_replaces_the_blocks_that_lost() {
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 3, 2), extend(&trunk, 5, 3));
    let node = TestNode::start(42, lost.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[22]).await;
    node.set(won.clone());
    fixture.until_at(&won[24]).await;
    running.stop().await;
    fixture.assert_holds(None, &won);
    let old = lost[21].tip.point;
    assert_eq!(fixture.follower.locate(old).unwrap(), Location::Forked);
    assert!(!fixture.follower.contains(old).unwrap());
    assert_eq!(fixture.follower.deep_rollback(), None);
    let refused = fixture.follower.observations(None, old).unwrap_err();
    assert!(matches!(refused, FollowerError::NotOnChain { point } if point == old));
}

#[tokio::test]
async fn a_rollback_without_a_fork_is_followed_too() {
    let blocks = chain(20, 1);
    let node = TestNode::start(42, blocks.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&blocks[19]).await;
    node.set(blocks[..15].to_vec());
    fixture.until_at(&blocks[14]).await;
    running.stop().await;
    fixture.assert_holds(None, &blocks[..15]);
}

#[tokio::test]
async fn after_a_restart_only_new_blocks_are_observed() {
    let blocks = chain(30, 1);
    let node = TestNode::start(42, blocks[..20].to_vec());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&blocks[19]).await;
    running.stop().await;
    assert_eq!(fixture.observed(), 20);
    let fixture = fixture.reopened();
    assert_eq!(
        fixture.follower.tip(),
        Some(blocks[19].tip),
        "known before the node is asked"
    );
    node.set(blocks.clone());
    let running = fixture.start();
    fixture.until_at(&blocks[29]).await;
    running.stop().await;
    // The RollBackward after the intersection took nothing away.
    assert_eq!(fixture.observed(), 10);
    fixture.assert_holds(None, &blocks);
}

#[tokio::test]
async fn a_fork_while_away_is_noticed() {
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 6, 2), extend(&trunk, 9, 3));
    let mut node = TestNode::start(42, lost.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[25]).await;
    node.pause().await;
    fixture.until(|status| !status.connected).await;
    node.set(won.clone());
    node.resume();
    fixture.until_at(&won[28]).await;
    running.stop().await;
    fixture.assert_holds(None, &won);
    assert_eq!(fixture.follower.deep_rollback(), None);
}

#[tokio::test]
async fn a_node_that_is_catching_up_takes_nothing_away() {
    let blocks = chain(40, 1);
    let mut node = TestNode::start(42, blocks[..30].to_vec());
    let needed = FollowerConfig {
        retention: Retention::WindowAndConsumed,
        ..config(&node, None)
    };
    let fixture = Fixture::new(needed);
    let running = fixture.start();
    fixture.until_at(&blocks[29]).await;
    node.pause().await;
    // Twenty blocks behind, more than k: a node that replays its chain is no rollback.
    node.set(blocks[..10].to_vec());
    node.resume();
    fixture
        .until(|status| status.node_tip == Some(blocks[9].tip))
        .await;
    assert_eq!(fixture.follower.tip(), Some(blocks[29].tip));
    node.set(blocks.clone());
    fixture.until_at(&blocks[39]).await;
    running.stop().await;
    assert_eq!(fixture.observed(), 40, "each block once");
    fixture.assert_holds(None, &blocks);
    assert_eq!(fixture.follower.deep_rollback(), None);
}

#[tokio::test]
async fn a_rollback_deeper_than_k_stays_on_record_until_acknowledged() {
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 13, 2), extend(&trunk, 14, 3));
    let node = TestNode::start(42, lost.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[32]).await;
    node.set(won.clone());
    fixture.until_at(&won[33]).await;
    running.stop().await;
    let expected = DeepRollback {
        from: lost[32].tip.point,
        to: Some(trunk[19].tip.point),
        depth: 13,
    };
    assert_eq!(fixture.follower.deep_rollback(), Some(expected));
    let fixture = fixture.reopened();
    assert_eq!(fixture.follower.deep_rollback(), Some(expected));
    fixture.follower.acknowledge_deep_rollback().unwrap();
    assert_eq!(fixture.reopened().follower.deep_rollback(), None);
}

/// Each is shallow by itself, and nothing grew between them.
async fn two_shallow_rollbacks(restarted_between: bool) {
    let blocks = chain(40, 1);
    let node = TestNode::start(42, blocks.clone());
    let mut fixture = Fixture::new(config(&node, None));
    let mut running = fixture.start();
    fixture.until_at(&blocks[39]).await;
    node.set(blocks[..29].to_vec());
    fixture.until_at(&blocks[28]).await;
    assert_eq!(fixture.follower.deep_rollback(), None);
    if restarted_between {
        running.stop().await;
        fixture = fixture.reopened();
        running = fixture.start();
        fixture.until(at_tip).await;
    }
    node.set(blocks[..18].to_vec());
    fixture.until_at(&blocks[17]).await;
    let expected = DeepRollback {
        from: blocks[28].tip.point,
        to: Some(blocks[17].tip.point),
        depth: 22,
    };
    assert_eq!(fixture.follower.deep_rollback(), Some(expected));
    // What an operator looked into is not told again by the next fork.
    fixture.follower.acknowledge_deep_rollback().unwrap();
    let (lost, won) = (extend(&blocks[..18], 8, 2), extend(&blocks[..18], 9, 3));
    node.set(lost.clone());
    fixture.until_at(&lost[25]).await;
    node.set(won.clone());
    fixture.until_at(&won[26]).await;
    running.stop().await;
    assert_eq!(fixture.follower.deep_rollback(), None);
}

#[tokio::test]
async fn rollbacks_that_add_up_to_more_than_k_are_one() {
    two_shallow_rollbacks(false).await;
}

#[tokio::test]
async fn rollbacks_that_add_up_to_more_than_k_are_one_after_a_restart_too() {
    two_shallow_rollbacks(true).await;
}

#[tokio::test]
async fn a_rollback_of_exactly_k_is_ordinary() {
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 12, 2), extend(&trunk, 13, 3));
    let node = TestNode::start(42, lost.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[31]).await;
    node.set(won.clone());
    fixture.until_at(&won[32]).await;
    running.stop().await;
    assert_eq!(fixture.follower.deep_rollback(), None);
}

#[tokio::test]
async fn a_rollback_below_everything_remembered_ends_following() {
    let (ours, theirs) = (chain(40, 1), chain(60, 2));
    let node = TestNode::start(42, ours.clone());
    let fixture = Fixture::new(config(&node, Some(ours[4].tip.point)));
    let running = fixture.start();
    fixture.until_at(&ours[39]).await;
    node.set(theirs.clone());
    let refused = running.failure().await;
    assert!(
        matches!(refused, FollowerError::BeyondUndo { tip } if tip == ours[39].tip.point),
        "{refused}"
    );
    let expected = DeepRollback {
        from: ours[39].tip.point,
        to: None,
        depth: 35,
    };
    assert_eq!(fixture.follower.deep_rollback(), Some(expected));
    // Away or not makes no difference.
    let fixture = fixture.reopened();
    let refused = fixture.start().failure().await;
    assert!(
        matches!(refused, FollowerError::BeyondUndo { .. }),
        "{refused}"
    );
    assert_eq!(fixture.reopened().follower.deep_rollback(), Some(expected));
}

#[tokio::test]
async fn following_begins_after_a_given_block() {
    let blocks = chain(30, 1);
    let from = blocks[9].tip.point;
    let node = TestNode::start(42, blocks.clone());
    let fixture = Fixture::new(config(&node, Some(from)));
    let unknown = Location::At {
        block_number: None,
        depth: None,
    };
    assert_eq!(fixture.follower.locate(from).unwrap(), unknown);
    let running = fixture.start();
    fixture.until_at(&blocks[29]).await;
    running.stop().await;
    fixture.assert_holds(Some(from), &blocks[10..]);
    fixture.assert_holds(None, &blocks[10..]);
    let known = Location::At {
        block_number: Some(9),
        depth: Some(20),
    };
    assert_eq!(fixture.follower.locate(from).unwrap(), known);
    assert_eq!(
        fixture.follower.point_at_depth(20).unwrap(),
        Some(blocks[9].tip)
    );
    assert_eq!(
        fixture.follower.locate(blocks[8].tip.point).unwrap(),
        Location::Forgotten
    );
}

#[tokio::test]
async fn rows_are_forgotten_after_the_window_unless_somebody_needs_them() {
    // 72 slots are 36 blocks here.
    let blocks = chain(100, 1);
    let node = TestNode::start(42, blocks[..50].to_vec());
    let needed = FollowerConfig {
        retention: Retention::WindowAndConsumed,
        ..config(&node, None)
    };
    let (short, long) = (Fixture::new(config(&node, None)), Fixture::new(needed));
    let running = (short.start(), long.start());
    long.until_at(&blocks[49]).await;
    short.until_at(&blocks[49]).await;
    node.set(blocks.clone());
    long.until_at(&blocks[99]).await;
    short.until_at(&blocks[99]).await;
    assert_eq!(
        short.follower.locate(blocks[0].tip.point).unwrap(),
        Location::Forgotten
    );
    let refused = short
        .follower
        .observations(Some(blocks[0].tip.point), blocks[99].tip.point)
        .unwrap_err();
    assert!(
        matches!(refused, FollowerError::Forgotten { .. }),
        "{refused}"
    );
    assert!(
        short.follower.contains(blocks[63].tip.point).unwrap(),
        "72 slots back"
    );
    long.assert_holds(None, &blocks);
    long.follower.consumed_up_to(blocks[10].tip.point).unwrap();
    let more = extend(&blocks, 1, 1);
    node.set(more.clone());
    long.until_at(&more[100]).await;
    short.until_at(&more[100]).await;
    // One block alone was written, so what is kept is the window of the block before it, and no more.
    assert_eq!(
        short.follower.locate(blocks[62].tip.point).unwrap(),
        Location::Forgotten,
        "76 slots back, and 74 from the block before"
    );
    assert!(
        short.follower.contains(blocks[64].tip.point).unwrap(),
        "72 slots back"
    );
    assert_eq!(
        long.follower.locate(blocks[9].tip.point).unwrap(),
        Location::Forgotten
    );
    long.assert_holds(Some(blocks[10].tip.point), &more[11..]);
    running.0.stop().await;
    running.1.stop().await;
    long.reopened()
        .assert_holds(Some(blocks[10].tip.point), &more[11..]);
}

#[tokio::test]
async fn questions_about_places_have_exact_answers() {
    let blocks = chain(20, 1);
    let node = TestNode::start(42, blocks.clone());
    let fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&blocks[19]).await;
    running.stop().await;
    let follower = &fixture.follower;
    let place = |n: usize| blocks[n].tip.point;
    let at = |n: u64| Location::At {
        block_number: Some(n),
        depth: Some(19 - n),
    };
    for n in [0, 7, 19] {
        assert_eq!(follower.locate(place(n)).unwrap(), at(n as u64));
    }
    let ahead = extend(&blocks, 1, 1)[20].tip.point;
    assert_eq!(follower.locate(ahead).unwrap(), Location::Ahead);
    let between = CardanoPoint {
        slot: nupeer_primitives::Slot(7),
        ..place(3)
    };
    assert_eq!(follower.locate(between).unwrap(), Location::Forked);
    let found = follower.observations(Some(place(4)), place(6)).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|seen| seen.block_number)
            .collect::<Vec<_>>(),
        [5, 6]
    );
    assert_eq!(follower.observations(Some(place(6)), place(6)).unwrap(), []);
    let refused = follower.observations(Some(place(7)), place(6)).unwrap_err();
    assert!(matches!(refused, FollowerError::Order { .. }), "{refused}");
    let refused = follower.observations(None, ahead).unwrap_err();
    assert!(matches!(refused, FollowerError::Ahead { .. }), "{refused}");
}
