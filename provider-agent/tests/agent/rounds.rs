//! Rounds of the loop: what is begun, and above all what is not.

use nupeer_agent::AgentError;
use nupeer_agent::chain::ChainError;
use nupeer_lease::actions::Progress;
use nupeer_lease::{Action, CloseReason, LeaseState, PauseReason};
use nupeer_paas_drivers::WorkloadState;
use nupeer_primitives::{Height, TimeMs};

use crate::stage::{LEASE, Stage, active, image, lease, path, provisioning, spec};

fn reported(stage: &Stage) -> Vec<Progress> {
    let submitted = stage.chain.submitted.lock().unwrap();
    submitted
        .iter()
        .filter_map(|action| match action {
            Action::ReportLease(report) => Some(report.progress),
            _ => None,
        })
        .collect()
}

fn upload(stage: &Stage) {
    assert_eq!(
        stage.ask("PUT", &path("/manifest"), &spec().to_bytes()).0,
        200
    );
    assert_eq!(stage.ask("PUT", &path("/image"), &image().archive).0, 200);
}

#[test]
fn a_lease_is_accepted_brought_up_and_reported_each_once() {
    let stage = Stage::new();
    let until = TimeMs(u64::MAX);
    stage.lease(lease(LeaseState::Reserved { until }));
    stage.round().unwrap();
    assert_eq!(reported(&stage), [], "nothing is uploaded yet");
    upload(&stage);
    stage.round().unwrap();
    assert_eq!(reported(&stage), [Progress::Provisioning]);
    assert_eq!(
        stage.engine.state(&LEASE),
        None,
        "the chain has not said so"
    );
    stage.lease(provisioning());
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
    stage.round().unwrap();
    stage.round().unwrap();
    assert_eq!(reported(&stage), [Progress::Provisioning, Progress::Active]);
}

#[test]
fn a_chain_that_does_not_answer_stops_nothing_and_starts_nothing() {
    let stage = Stage::new();
    stage.engine.put(&LEASE.to_string(), WorkloadState::Running);
    stage.engine.put("0123456789abcdef", WorkloadState::Running);
    let refused = stage.round();
    assert!(matches!(
        refused,
        Err(AgentError::Chain(ChainError::Unreachable(_)))
    ));
    assert_eq!(stage.engine.workloads.lock().unwrap().len(), 2);
}

#[test]
fn a_node_that_lags_behind_is_not_believed() {
    let stage = Stage::new();
    stage.lease(active());
    stage.engine.put(&LEASE.to_string(), WorkloadState::Running);
    stage.round().unwrap();
    let mut old = stage.chain.desired.lock().unwrap().clone().unwrap();
    old.height = Height(old.height.0 - 1);
    old.leases.clear();
    *stage.chain.desired.lock().unwrap() = Some(old);
    let refused = stage.round();
    assert!(matches!(
        refused,
        Err(AgentError::Chain(ChainError::Behind { .. }))
    ));
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
}

#[test]
fn what_a_listing_lacks_is_shown_to_be_gone_before_it_is_removed() {
    let stage = Stage::new();
    stage.engine.put(&LEASE.to_string(), WorkloadState::Running);
    *stage.chain.hidden.lock().unwrap() = Some(active());
    stage.chain.say([]);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
    *stage.chain.hidden.lock().unwrap() = None;
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), None);
}

#[test]
fn an_engine_that_cannot_be_asked_is_not_an_empty_one() {
    let stage = Stage::new();
    stage.lease(provisioning());
    upload(&stage);
    *stage.engine.broken.lock().unwrap() = true;
    assert!(matches!(stage.round(), Err(AgentError::Driver(_))));
    *stage.engine.broken.lock().unwrap() = false;
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
}

#[test]
fn what_belongs_to_no_lease_is_removed_and_its_image_too() {
    let stage = Stage::new();
    stage.lease(provisioning());
    upload(&stage);
    stage.round().unwrap();
    assert_eq!(stage.site.engine.images().list().unwrap(), [image().digest]);
    stage.engine.put("0123456789abcdef", WorkloadState::Broken);
    stage.chain.say([]);
    for _ in 0..3 {
        stage.round().unwrap();
    }
    assert!(stage.engine.workloads.lock().unwrap().is_empty());
    assert_eq!(stage.site.engine.images().list().unwrap(), []);
    assert_eq!(stage.site.records.ids(), []);
}

#[test]
fn unsigned_time_pauses_first_the_workload_then_the_lease_and_signing_resumes_both() {
    let stage = Stage::with(|config| config.unsigned_ms_max = 1_000);
    stage.lease(provisioning());
    upload(&stage);
    stage.round().unwrap();
    stage.lease(active());
    let record = stage.site.records.of(&LEASE).unwrap();
    record.lock().unwrap().meter.ran_ms = 2_000;
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Paused));
    stage.round().unwrap();
    assert_eq!(reported(&stage).last(), Some(&Progress::Paused));
    let reason = PauseReason::Unsigned;
    let until = TimeMs(u64::MAX);
    let mut paused = lease(LeaseState::Paused { reason, until });
    paused.ran_ms = 3_000;
    stage.chain.say([(LEASE, paused.clone())]);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Paused));
    let ran_ms = record.lock().unwrap().meter.ran_ms;
    record.lock().unwrap().meter.acked_ms = ran_ms;
    stage.chain.say([(LEASE, paused)]);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
    stage.round().unwrap();
    assert_eq!(reported(&stage).last(), Some(&Progress::Active));
}

#[test]
fn what_is_over_is_gone_before_the_lease_is_ended() {
    let stage = Stage::new();
    stage.lease(provisioning());
    upload(&stage);
    stage.round().unwrap();
    let reason = CloseReason::TenantClosed;
    let until = TimeMs(u64::MAX);
    stage.lease(lease(LeaseState::Closing { reason, until }));
    assert_eq!(stage.engine.state(&LEASE), None);
    let ended = || {
        let submitted = stage.chain.submitted.lock().unwrap();
        matches!(submitted.last(), Some(Action::EndLease(_)))
    };
    assert!(!ended());
    stage.round().unwrap();
    assert!(ended());
}

#[test]
fn running_time_is_counted_while_the_chain_is_away_and_never_beyond_its_clock() {
    let stage = Stage::new();
    stage.lease(provisioning());
    upload(&stage);
    stage.round().unwrap();
    let mut running = active();
    running.state = LeaseState::Active {
        since: TimeMs(1_000_000),
    };
    stage.lease(running);
    *stage.chain.desired.lock().unwrap() = None;
    let record = stage.site.records.of(&LEASE).unwrap();
    let before = record.lock().unwrap().meter.ran_ms;
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert!(stage.round().is_err());
    assert!(record.lock().unwrap().meter.ran_ms >= before + 29);
    let (known, time) = stage.site.lease(&LEASE).unwrap();
    record.lock().unwrap().meter.ran_ms = u64::MAX;
    let metered_ms = record
        .lock()
        .unwrap()
        .meter
        .metered_ms(known.clock_ms(time));
    assert_eq!(metered_ms, known.clock_ms(time));
}
