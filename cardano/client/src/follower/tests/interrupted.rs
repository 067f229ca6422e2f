//! The process ends between effects that outlive it; afterwards nothing is missing and nothing is there twice.

use super::*;
use crate::testing::{chain, extend};

/// Failpoints are the process's; tests that set them take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const BEFORE_BLOCKS: &str = "follower-before-blocks";
const AFTER_BLOCKS: &str = "follower-after-blocks";
const BEFORE_ROLLBACK: &str = "follower-before-rollback";
const AFTER_ROLLBACK: &str = "follower-after-rollback";

#[test]
fn all_failpoints_of_the_sources_are_here() {
    let named = [BEFORE_BLOCKS, AFTER_BLOCKS, BEFORE_ROLLBACK, AFTER_ROLLBACK];
    nupeer_testing::failpoints::assert_all_named(env!("CARGO_MANIFEST_DIR"), &named);
}

/// First the chain goes on, then another outgrows it from two blocks back.
async fn interrupted_at(failpoint: &'static str) {
    let _turn = TURN.lock().await;
    let _scenario = fail::FailScenario::setup();
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 4, 2), extend(&trunk, 8, 3));
    let node = TestNode::start(42, lost[..22].to_vec());
    let mut fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[21]).await;
    running.stop().await;
    for (then, rolls_back) in [(&lost, false), (&won, true)] {
        node.set(then.clone());
        fail::cfg(failpoint, "1*return").unwrap();
        let running = fixture.start();
        if rolls_back || !failpoint.ends_with("rollback") {
            let error = running.failure().await;
            assert!(
                matches!(error, FollowerError::Failpoint(name) if name == failpoint),
                "{error}"
            );
        } else {
            fixture.until_at(then.last().unwrap()).await;
            running.stop().await;
        }
        fail::remove(failpoint);
        fixture = fixture.reopened();
        let running = fixture.start();
        fixture.until_at(then.last().unwrap()).await;
        running.stop().await;
        fixture.assert_holds(None, then);
        assert_eq!(fixture.follower.deep_rollback(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_blocks_are_written() {
    interrupted_at(BEFORE_BLOCKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_blocks_are_written() {
    interrupted_at(AFTER_BLOCKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_rollback_is_written() {
    interrupted_at(BEFORE_ROLLBACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_is_written() {
    interrupted_at(AFTER_ROLLBACK).await;
}
