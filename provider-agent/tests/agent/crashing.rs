//! What an agent that dies between two effects leaves of an upload and of a transaction on its way.

use nupeer_agent::chain::Certified;
use nupeer_agent::outbox::Outbox;
use nupeer_agent::reconcile::Step;
use nupeer_lease::actions::{Progress, ReportLease};
use nupeer_lease::{Action, LeaseState};
use nupeer_primitives::{Height, TimeMs};

use crate::stage::{LEASE, Stage, image, lease, path, provisioning};
use crate::{alone, dies_at};

#[test]
fn a_step_whose_transaction_was_on_its_way_is_taken_again_until_the_chain_shows_it() {
    let _alone = alone();
    let accept = || {
        let (lease, progress) = (LEASE, Progress::Provisioning);
        Action::ReportLease(ReportLease { lease, progress })
    };
    for (failpoint, submitted) in [("outbox-before-submit", 0), ("outbox-submitted", 1)] {
        let stage = Stage::new();
        let until = TimeMs(u64::MAX);
        stage
            .chain
            .say([(LEASE, lease(LeaseState::Reserved { until }))]);
        let outbox = Outbox::new(stage.chain.clone());
        let known = Certified {
            height: Height(1),
            time: TimeMs(1),
        };
        let send = |outbox: &Outbox| outbox.send(&LEASE, Step::Accept, known, accept());
        let died = dies_at(failpoint, 0, || send(&outbox).unwrap());
        assert!(died, "{failpoint}");
        let count = || stage.chain.submitted.lock().unwrap().len();
        assert_eq!(count(), submitted, "{failpoint}");
        // A restart knows nothing of it: while the chain does not show it, the same is said again, which the chain's rules take once.
        let restarted = Outbox::new(stage.chain.clone());
        send(&restarted).unwrap();
        send(&restarted).unwrap();
        assert_eq!(count(), submitted + 1, "{failpoint}");
        // Once the chain shows it, nothing is left to do.
        stage.lease(provisioning());
        assert_eq!(count(), submitted + 1, "{failpoint}");
    }
}

#[test]
fn what_a_node_calls_pending_for_ever_is_sent_again_once_it_can_be_in_no_block() {
    let _alone = alone();
    let stage = Stage::new();
    stage.lease(provisioning());
    let (lease, progress) = (LEASE, Progress::Active);
    let outbox = Outbox::new(stage.chain.clone());
    let sent_by = |seconds: u64| {
        let known = Certified {
            height: Height(seconds),
            time: TimeMs(seconds * 1_000),
        };
        let action = Action::ReportLease(ReportLease { lease, progress });
        let step = Step::ReportActive;
        outbox.send(&LEASE, step, known, action).unwrap();
        let submitted = stage.chain.submitted.lock().unwrap().len();
        (submitted, *stage.chain.doubts.lock().unwrap())
    };
    assert_eq!(sent_by(1), (1, 0));
    assert_eq!(sent_by(20), (1, 0));
    assert_eq!(sent_by(21), (1, 1), "another node is asked from now on");
    assert_eq!(sent_by(301), (1, 2));
    assert_eq!(sent_by(302), (2, 2));
    assert_eq!(sent_by(303), (2, 2));
}

#[test]
fn an_image_that_came_but_was_not_noted_is_no_tenants_and_comes_again() {
    let _alone = alone();
    let stage = Stage::new();
    stage.lease(provisioning());
    // The upload is answered by a thread of its own, whose panic the agent survives as an error.
    fail::cfg("upload-imported", "1*panic").unwrap();
    let (status, _) = stage.ask("PUT", &path("/image"), &image().archive);
    fail::remove("upload-imported");
    assert_eq!(status, 500);
    let noted = || stage.site.records.images();
    assert_eq!((noted(), stage.scratch_files()), (vec![], 0));
    // What nobody needs goes; what is uploaded again is there.
    stage.round().unwrap();
    assert_eq!(stage.site.engine.images().list().unwrap(), []);
    assert_eq!(stage.ask("PUT", &path("/image"), &image().archive).0, 200);
    assert_eq!(noted(), [image().digest]);
    assert_eq!(stage.site.engine.images().list().unwrap(), [image().digest]);
}
