//! A container of which the driver or the shim died is listed as what it is, removed without a trace, and runs when it is laid out anew.

use nupeer_paas_drivers::container::{ContainerConfig, ContainerDriver};
use nupeer_paas_drivers::{Driver, DriverError, WorkloadSpec, WorkloadState};

use crate::common::{PATIENCE, Site, ample, wait_until};
use crate::{alone, dies_at};

const LAYING_OUT: [&str; 5] = [
    "layout-cleared",
    "layout-oci",
    "layout-orders",
    "layout-spec",
    "layout-done",
];
const STARTING: [(&str, WorkloadState); 4] = [
    ("shim-locked", WorkloadState::Prepared),
    ("shim-forgot", WorkloadState::Prepared),
    ("shim-created", WorkloadState::Prepared),
    ("shim-noted", WorkloadState::Broken),
];
const ENDING: [&str; 3] = ["shim-reaped", "shim-exit-written", "shim-exit-noted"];
/// In the container's own process, just before the kernel is asked to end it with its shim.
const UNGUARDED: &str = "container-unguarded";
const REMOVING: &str = "removal-cleared";

pub(crate) fn failpoints() -> Vec<&'static str> {
    let starting = STARTING.map(|(name, _)| name);
    [&LAYING_OUT[..], &starting, &ENDING, &[UNGUARDED, REMOVING]].concat()
}

/// A shim that dies at `failpoint`.
fn dying(failpoint: &str, config: &mut ContainerConfig) {
    let environment = format!("FAILPOINTS={failpoint}=return");
    let shim = std::mem::take(&mut config.shim);
    config.shim = vec!["/usr/bin/env".into(), environment.into()];
    config.shim.extend(shim);
}

/// A driver whose shims live, over the containers of `site`.
fn healthy(site: &Site) -> ContainerDriver {
    let mut config = site.config.clone();
    config.shim.drain(..2);
    ContainerDriver::open(config).unwrap()
}

fn only(driver: &ContainerDriver) -> WorkloadState {
    let found = driver.list().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].state
}

/// Whatever was left: it runs again, and then it is gone without a trace.
fn runs_and_is_removed(site: &Site, driver: &ContainerDriver, spec: &WorkloadSpec) {
    if only(driver) == WorkloadState::Broken {
        let refused = driver.prepare(spec).unwrap_err();
        assert!(matches!(refused, DriverError::Broken(_)), "{refused}");
        driver.remove(&spec.id).unwrap();
        driver.prepare(spec).unwrap();
    }
    driver.start(&spec.id).unwrap();
    site.wait_for_output(&spec.id, "up");
    driver.remove(&spec.id).unwrap();
    assert_eq!(driver.list().unwrap(), []);
    assert!(site.traces().is_empty(), "{:?}", site.traces());
}

#[test]
fn a_container_whose_laying_out_was_cut_off_is_broken_or_whole() {
    let _alone = alone();
    for failpoint in LAYING_OUT {
        for ran_before in [false, true] {
            let site = Site::new();
            if ran_before {
                site.outcome("echo before", ample());
            }
            let spec = site.spec("echo up; sleep 1000", ample());
            let prepare = || site.driver.prepare(&spec).unwrap();
            assert!(dies_at(failpoint, prepare), "{failpoint}");
            let reopened = site.reopened();
            let left = match failpoint {
                "layout-done" => WorkloadState::Prepared,
                _ => WorkloadState::Broken,
            };
            assert_eq!(only(&reopened), left, "{failpoint}, {ran_before}");
            runs_and_is_removed(&site, &reopened, &spec);
        }
    }
}

#[test]
fn a_container_whose_shim_dies_while_starting_it_does_not_run_and_can_be_started() {
    let _alone = alone();
    for (failpoint, left) in STARTING {
        let site = Site::with(|config| dying(failpoint, config));
        let spec = site.spec("echo up; sleep 1000", ample());
        site.driver.prepare(&spec).unwrap();
        let error = site.driver.start(&spec.id).unwrap_err();
        let DriverError::Start { reason, .. } = &error else {
            panic!("{failpoint}: {error}")
        };
        assert_eq!(
            reason, "its shim died before it could say why",
            "{failpoint}"
        );
        // The kernel takes the container along, if there is one.
        let driver = healthy(&site);
        let state = || only(&driver);
        wait_until(|| state() == left, || format!("{failpoint}: {:?}", state()));
        runs_and_is_removed(&site, &driver, &spec);
    }
}

#[test]
fn a_container_whose_shim_died_before_the_kernel_was_asked_to_end_it_does_not_run() {
    let _alone = alone();
    // So long that the shim dies first on any machine, however busy.
    let late = format!("{UNGUARDED}=sleep(5000);shim-created");
    let site = Site::with(|config| dying(&late, config));
    let spec = site.spec("echo up; sleep 1000", ample());
    site.driver.prepare(&spec).unwrap();
    site.driver.start(&spec.id).unwrap_err();
    let driver = healthy(&site);
    let state = || only(&driver);
    wait_until(
        || state() == WorkloadState::Prepared,
        || format!("{:?}", state()),
    );
    assert_eq!(site.output(&spec.id), "", "it never ran");
    runs_and_is_removed(&site, &driver, &spec);
}

#[test]
fn a_container_whose_shim_dies_while_noting_its_end_has_ended_or_is_broken() {
    let _alone = alone();
    for failpoint in ENDING {
        let site = Site::with(|config| dying(failpoint, config));
        let spec = site.spec("echo up", ample());
        site.run(&spec);
        assert!(site.driver.wait(&spec.id, PATIENCE).unwrap(), "{failpoint}");
        let driver = healthy(&site);
        let state = only(&driver);
        match failpoint {
            "shim-exit-noted" => {
                let ended = matches!(state, WorkloadState::Exited { exit } if exit.code == Some(0));
                assert!(ended, "{state:?}");
            }
            _ => assert_eq!(state, WorkloadState::Broken, "{failpoint}"),
        }
        runs_and_is_removed(&site, &driver, &spec);
    }
}

#[test]
fn a_removal_that_was_cut_off_is_done_again() {
    let _alone = alone();
    let site = Site::new();
    let id = site.run(&site.spec("echo up; sleep 1000", ample()));
    let remove = || site.driver.remove(&id).unwrap();
    assert!(dies_at(REMOVING, remove));
    let reopened = site.reopened();
    let state = only(&reopened);
    assert!(!matches!(state, WorkloadState::Running), "{state:?}");
    reopened.remove(&id).unwrap();
    assert_eq!(reopened.list().unwrap(), []);
    assert!(site.traces().is_empty(), "{:?}", site.traces());
}

#[test]
fn a_container_of_which_a_power_cut_took_bytes_is_broken_and_laid_out_anew() {
    for short in ["spec.json", "shim.json", "config.json"] {
        let site = Site::new();
        let spec = site.spec("echo up; sleep 1000", ample());
        site.driver.prepare(&spec).unwrap();
        let folder = site.config.folder.join("containers");
        std::fs::write(folder.join(spec.id.as_str()).join(short), b"").unwrap();
        assert_eq!(only(&site.driver), WorkloadState::Broken, "{short}");
        runs_and_is_removed(&site, &site.driver, &spec);
    }
}
