//! A disk that takes nothing any more: who is to be paused or removed is, and nothing is taken in that would fill it.

use std::fs;
use std::time::Duration;

use nupeer_agent::metering::Meter;
use nupeer_agent::records::RecordError;
use nupeer_agent::run::renew;
use nupeer_agent::site::Engine;
use nupeer_agent::{AgentConfig, AgentError};
use nupeer_lease::{CloseReason, Lease, LeaseId, LeaseState, PauseReason};
use nupeer_paas_drivers::WorkloadState;
use nupeer_primitives::{Hash, TimeMs};

use crate::rivals::machine;
use crate::stage::{LEASE, Stage, active, image, lease, provisioning, spec};

const OTHER: LeaseId = LeaseId(Hash([0x55; 32]));

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

fn unmetered(stage: &Stage) -> Option<String> {
    stage.site.unmetered.lock().unwrap().clone()
}

#[test]
fn a_meter_that_could_not_be_written_is_told_of_until_it_is() {
    let stage = stage();
    assert_eq!(unmetered(&stage), None);
    let (reason, until) = (PauseReason::Funds, TimeMs(u64::MAX));
    later(&stage, lease(LeaseState::Paused { reason, until }));
    for round in 0..3 {
        let told = unmetered(&stage).unwrap_or_default();
        assert!(told.starts_with("NP8062"), "{round}: {told}");
        stage.round().unwrap();
    }
    let file = format!("data/leases/{LEASE}/meter.json");
    let file = stage.folder.path().join(file);
    fs::remove_dir_all(&file).unwrap();
    stage.round().unwrap();
    assert_eq!(unmetered(&stage), None);
    let kept: Meter = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let record = stage.site.records.get(&LEASE).unwrap();
    let meter = record.lock().unwrap().meter.clone();
    assert_eq!((kept.ran_ms, kept.look.unwrap().run), (meter.ran_ms, None));
}

#[test]
fn a_note_that_could_not_be_written_is_not_signed_however_often_it_is_asked_for() {
    let stage = stage();
    std::thread::sleep(Duration::from_millis(5));
    stage.round().unwrap();
    for _ in 0..2 {
        let refused = stage.ask_about(LEASE, "GET", "/usage", b"");
        assert_eq!(Stage::refusal(refused), (500, "NP8062".into()));
    }
}

/// What an owner may want to be kept free: more bytes than there are, more files.
const RESERVES: [fn(&mut AgentConfig); 2] = [
    |config| config.disk_reserve_bytes = u64::MAX,
    |config| config.disk_reserve_files = u64::MAX,
];

#[test]
fn no_image_is_taken_that_would_leave_too_little() {
    for reserve in RESERVES {
        let stage = Stage::with(reserve);
        stage.lease(provisioning());
        stage.round().unwrap();
        let refused = stage.ask_about(LEASE, "PUT", "/image", &image().archive);
        assert_eq!(Stage::refusal(refused), (507, "NP8088".into()));
        assert_eq!(stage.scratch_files(), 0);
        assert_eq!(stage.engine.images().list().unwrap(), []);
    }
}

#[test]
fn an_image_that_some_lease_has_already_is_taken_however_little_is_free() {
    let stage = Stage::with(RESERVES[0]);
    let image = image();
    let upload = |id| stage.ask_about(id, "PUT", "/image", &image.archive);
    stage
        .chain
        .say([(LEASE, provisioning()), (OTHER, provisioning())]);
    stage.round().unwrap();
    let import = || {
        let mut archive = std::io::Cursor::new(&image.archive);
        let images = stage.engine.images();
        images.import(&mut archive, &image.digest).unwrap();
    };
    // In the store, and no lease's: it is about to be removed.
    import();
    assert_eq!(Stage::refusal(upload(OTHER)), (507, "NP8088".into()));
    stage.round().unwrap();
    import();
    let record = stage.site.records.of(&LEASE).unwrap();
    record.lock().unwrap().set_image(image.digest).unwrap();
    assert_eq!(upload(OTHER).0, 200);
    assert_eq!(stage.scratch_files(), 0);
}

#[test]
fn a_machine_that_can_take_no_image_is_not_offered() {
    let offered = |stage: &Stage| {
        *stage.chain.machine.lock().unwrap() = Some(machine("http://here"));
        stage.chain.say([]);
        stage.round().unwrap();
        let done = renew(&stage.site);
        (done, stage.chain.published.lock().unwrap().len())
    };
    let roomy = Stage::new();
    assert!(matches!(offered(&roomy), (Ok(()), 1)));
    for reserve in RESERVES {
        let stage = Stage::with(reserve);
        // What it published while there was room.
        *stage.site.offer.lock().unwrap() = roomy.site.offer.lock().unwrap().clone();
        let refused = offered(&stage);
        assert!(
            matches!(
                refused,
                (Err(AgentError::Record(RecordError::Full { .. })), 0)
            ),
            "{refused:?}"
        );
        let told = stage.site.unoffered.lock().unwrap().clone().unwrap();
        assert!(told.starts_with("NP8088: "), "{told}");
        assert!(stage.site.offer.lock().unwrap().is_none());
    }
}
