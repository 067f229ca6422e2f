//! What is damaged of one lease's record is that lease's trouble alone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nupeer_lease::actions::Progress;
use nupeer_lease::{Action, CloseReason, LeaseId, LeaseState, PauseReason};
use nupeer_paas_drivers::{Exit, WorkloadState};
use nupeer_primitives::{Hash, TimeMs};
use serde_json::Value;

use crate::stage::{LEASE, Stage, active, image, lease, provisioning, spec};

const OTHER: LeaseId = LeaseId(Hash([0x55; 32]));
const EXITED: WorkloadState = WorkloadState::Exited {
    exit: Exit {
        code: Some(0),
        signal: None,
        oom_kills: 0,
    },
};

/// An agent with two leases that run.
fn stage() -> Stage {
    let stage = Stage::new();
    stage
        .chain
        .say([(LEASE, provisioning()), (OTHER, provisioning())]);
    stage.round().unwrap();
    for id in [LEASE, OTHER] {
        upload(&stage, id, "/manifest", &spec().to_bytes());
        upload(&stage, id, "/image", &image().archive);
    }
    stage.round().unwrap();
    stage.chain.say([(LEASE, active()), (OTHER, active())]);
    stage.round().unwrap();
    assert_eq!(states(&stage), [Some(WorkloadState::Running); 2]);
    stage
}

fn upload(stage: &Stage, id: LeaseId, what: &str, body: &[u8]) {
    assert_eq!(stage.ask_about(id, "PUT", what, body).0, 200, "{what}");
}

fn states(stage: &Stage) -> [Option<WorkloadState>; 2] {
    [LEASE, OTHER].map(|id| stage.engine.state(&id))
}

/// Goes round until a workload runs that ended: the agent rests a moment before it starts one again.
fn rounds_until_it_runs(stage: &Stage, id: LeaseId) {
    for _ in 0..500 {
        stage.round().unwrap();
        if stage.engine.state(&id) == Some(WorkloadState::Running) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("lease {id} does not run");
}

fn file(stage: &Stage, name: &str) -> PathBuf {
    let leases = stage.folder.path().join("data/leases");
    leases.join(LEASE.to_string()).join(name)
}

/// What the agent says of a lease to its tenant.
fn told(stage: &Stage, id: LeaseId) -> Value {
    let (status, body) = stage.ask_about(id, "GET", "", b"");
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

/// What the agent says to whoever runs it.
fn problem(stage: &Stage) -> String {
    stage.site.problems().unwrap_or_default()
}

fn reported(stage: &Stage) -> Vec<(LeaseId, Progress)> {
    let submitted = stage.chain.submitted.lock().unwrap();
    let reports = submitted.iter().filter_map(|action| match action {
        Action::ReportLease(report) => Some((report.lease, report.progress)),
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_lease_whose_upload_is_damaged_runs_on_and_comes_up_again_once_it_is_uploaded_again() {
    for (name, what, body) in [
        ("manifest.cbor", "manifest", spec().to_bytes()),
        ("image", "image", image().archive),
    ] {
        let stage = stage();
        fs::write(file(&stage, name), "no such thing").unwrap();
        let stage = stage.restart();
        stage.round().unwrap();
        assert_eq!(states(&stage), [Some(WorkloadState::Running); 2]);
        let expected = format!(
            "NP8067: the {what} kept of lease {LEASE} is damaged and set aside: its tenant uploads the {what} again"
        );
        assert_eq!(problem(&stage), expected);
        let said = told(&stage, LEASE);
        assert_eq!(
            (&said[what], &said["problem"]),
            (&false.into(), &expected.into())
        );
        assert_eq!(told(&stage, OTHER)["problem"], Value::Null);
        // It ends: nobody knows what to run until its tenant says so again; the other comes up as ever.
        for id in [LEASE, OTHER] {
            stage.engine.put(&id.to_string(), EXITED);
        }
        rounds_until_it_runs(&stage, OTHER);
        assert_eq!(stage.engine.state(&LEASE), Some(EXITED));
        upload(&stage, LEASE, &format!("/{what}"), &body);
        rounds_until_it_runs(&stage, LEASE);
        assert_eq!(states(&stage), [Some(WorkloadState::Running); 2]);
        assert_eq!(told(&stage, LEASE)["problem"], Value::Null);
        assert_eq!(problem(&stage), "");
    }
}

#[test]
fn a_manifest_that_became_another_one_is_not_run() {
    let stage = stage();
    let mut other = spec();
    other.pids += 1;
    fs::write(file(&stage, "manifest.cbor"), other.to_bytes()).unwrap();
    let stage = stage.restart();
    let id = LEASE.to_string().parse().unwrap();
    stage.engine.workloads.lock().unwrap().remove(&id);
    stage.round().unwrap();
    assert_eq!(states(&stage), [None, Some(WorkloadState::Running)]);
    assert!(problem(&stage).starts_with("NP8067: the manifest"));
    upload(&stage, LEASE, "/manifest", &spec().to_bytes());
}

#[test]
fn a_lease_whose_meter_is_damaged_stands_still_and_nothing_is_signed_for() {
    let stage = stage();
    fs::write(file(&stage, "meter.json"), "{").unwrap();
    let stage = stage.restart();
    stage.round().unwrap();
    stage.round().unwrap();
    let [paused, other] = states(&stage);
    assert_eq!(paused, Some(WorkloadState::Paused));
    assert_eq!(other, Some(WorkloadState::Running));
    assert_eq!(reported(&stage).last(), Some(&(LEASE, Progress::Paused)));
    assert!(problem(&stage).starts_with("NP8067: the meter"));
    let refused = Stage::refusal(stage.ask_about(LEASE, "GET", "/usage", b""));
    assert_eq!(refused, (409, "NP8067".to_owned()));
    assert_eq!(stage.ask_about(OTHER, "GET", "/usage", b"").0, 200);
    // It is not let run on, and ends without a note.
    let (reason, until) = (PauseReason::Unsigned, TimeMs(u64::MAX));
    let still = lease(LeaseState::Paused { reason, until });
    stage.chain.say([(LEASE, still), (OTHER, active())]);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Paused));
    let reason = CloseReason::TenantClosed;
    let over = lease(LeaseState::Closing { reason, until });
    stage.chain.say([(LEASE, over), (OTHER, active())]);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), None);
    stage.round().unwrap();
    let submitted = stage.chain.submitted.lock().unwrap();
    assert!(matches!(
        submitted.last(),
        Some(Action::EndLease(end)) if end.lease == LEASE && end.usage.is_none()
    ));
}

#[test]
fn a_meter_that_is_damaged_before_anything_ran_begins_anew() {
    let stage = stage();
    fs::write(file(&stage, "meter.json"), "{").unwrap();
    stage
        .chain
        .say([(LEASE, provisioning()), (OTHER, active())]);
    let stage = stage.restart();
    for _ in 0..2 {
        stage.round().unwrap();
    }
    assert_eq!(problem(&stage), "");
    assert_eq!(states(&stage), [Some(WorkloadState::Running); 2]);
}
