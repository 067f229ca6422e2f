//! The process ends between effects that outlive it; afterwards nothing is missing and nothing is there twice.

use super::*;
use crate::testing::{chain, extend};

/// Failpoints are the process's; tests that set them take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn interrupted_at(failpoint: &str) {
    let _turn = TURN.lock().await;
    let _scenario = fail::FailScenario::setup();
    let trunk = chain(20, 1);
    let (lost, won) = (extend(&trunk, 4, 2), extend(&trunk, 8, 3));
    let node = TestNode::start(42, lost[..22].to_vec());
    let mut fixture = Fixture::new(config(&node, None));
    let running = fixture.start();
    fixture.until_at(&lost[21]).await;
    running.stop().await;
    node.set(lost.clone());
    for then in [&lost, &won] {
        node.set(then.clone());
        fail::cfg(failpoint, "1*return").unwrap();
        let Running { stop, mut task } = fixture.start();
        // Where nothing is rolled back, a rollback's failpoints are not reached: then the follower just arrives.
        let reached = tokio::select! {
            ended = &mut task => {
                let error = ended.unwrap().unwrap_err();
                assert!(matches!(error, FollowerError::Failpoint(name) if name == failpoint), "{error}");
                true
            }
            () = fixture.until_at(then.last().unwrap()) => false,
        };
        if !reached {
            // An effect may be visible before the failpoint after it: both outcomes are an end.
            Running { stop, task }.end().await;
        }
        fail::remove(failpoint);
        fixture = fixture_after(fixture).await;
        let running = fixture.start();
        fixture.until_at(then.last().unwrap()).await;
        running.stop().await;
        fixture.assert_holds(None, then);
        assert_eq!(fixture.follower.deep_rollback(), None);
        assert!(
            reached || failpoint.ends_with("rollback"),
            "{failpoint} was never reached"
        );
    }
}

/// Waits until nothing holds the store any more, then opens it again.
async fn fixture_after(fixture: Fixture) -> Fixture {
    while Arc::strong_count(&fixture.follower.inner) > 1 {
        tokio::task::yield_now().await;
    }
    fixture.reopened()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_blocks_are_written() {
    interrupted_at("follower-before-blocks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_blocks_are_written() {
    interrupted_at("follower-after-blocks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_rollback_is_written() {
    interrupted_at("follower-before-rollback").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_is_written() {
    interrupted_at("follower-after-rollback").await;
}
