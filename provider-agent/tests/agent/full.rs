//! A disk that takes nothing any more: who is to be paused or removed is, and nothing is taken in that would fill it.

use std::fs;

use nupeer_agent::site::Engine;
use nupeer_lease::{CloseReason, Lease, LeaseState, PauseReason};
use nupeer_paas_drivers::WorkloadState;
use nupeer_primitives::TimeMs;

use crate::stage::{LEASE, Stage, active, image, lease, provisioning, spec};

/// An agent with a lease that runs, and on whose disk nothing can be replaced: folders stand where its files would go.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.lease(provisioning());
    stage.round().unwrap();
    for (what, body) in [
        ("/manifest", spec().to_bytes()),
        ("/image", image().archive),
    ] {
        assert_eq!(stage.ask_about(LEASE, "PUT", what, &body).0, 200, "{what}");
    }
    stage.round().unwrap();
    stage.lease(active());
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Running));
    let data = stage.folder.path().join("data");
    for name in ["seen".into(), format!("leases/{LEASE}/meter.json")] {
        let file = data.join(name);
        let _ = fs::remove_file(&file);
        fs::create_dir(&file).unwrap();
        fs::write(file.join("in the way"), "").unwrap();
    }
    stage
}

/// So many blocks later that the agent has to write down how far the chain is.
fn later(stage: &Stage, lease: Lease) {
    for _ in 0..100 {
        stage.chain.say([(LEASE, lease.clone())]);
    }
    stage.round().unwrap();
}

fn problem(stage: &Stage) -> String {
    stage.site.problems().unwrap_or_default()
}

#[test]
fn a_workload_is_paused_though_nothing_can_be_written() {
    let stage = stage();
    let (reason, until) = (PauseReason::Funds, TimeMs(u64::MAX));
    later(&stage, lease(LeaseState::Paused { reason, until }));
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Paused));
    assert!(problem(&stage).contains("NP8062"), "{}", problem(&stage));
}

#[test]
fn a_workload_is_removed_though_nothing_can_be_written() {
    let stage = stage();
    let (reason, until) = (CloseReason::TenantClosed, TimeMs(u64::MAX));
    later(&stage, lease(LeaseState::Closing { reason, until }));
    assert_eq!(stage.engine.state(&LEASE), None);
    assert!(problem(&stage).contains("NP8062"), "{}", problem(&stage));
}

#[test]
fn no_image_is_taken_that_would_leave_too_little() {
    let stage = Stage::with(|config| config.disk_reserve_bytes = u64::MAX);
    stage.lease(provisioning());
    stage.round().unwrap();
    let refused = stage.ask_about(LEASE, "PUT", "/image", &image().archive);
    assert_eq!(Stage::refusal(refused), (507, "NP8088".into()));
    assert_eq!(stage.scratch_files(), 0);
    assert_eq!(stage.engine.images().list().unwrap(), []);
}
