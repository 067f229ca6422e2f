//! A container's folder: what is asked for, checked and written down; and its removal.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};
use serde::Serialize;

use super::paths::Paths;
use super::shim::Orders;
use crate::driver::WorkloadSpec;
use crate::error::DriverError;

/// The least CPU that the kernel's quota can express: 1 ms in each 100 ms.
const CPU_MILLI_MIN: u64 = 10;
/// The least memory in which a container can be set up at all.
const MEMORY_BYTES_MIN: u64 = 8 << 20;
/// Setting a container up takes two processes at a time.
const PIDS_MIN: u64 = 4;
/// Linux has no more.
const PIDS_MAX: u64 = 1 << 22;

/// Refuses limits that the kernel could not enforce as they are stated.
pub(super) fn check_limits(spec: &WorkloadSpec) -> Result<(), DriverError> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let check =
        |what, provided: u64, minimum, maximum| match (minimum..=maximum).contains(&provided) {
            true => Ok(()),
            false => Err(DriverError::Limit {
                what,
                provided,
                minimum,
                maximum,
            }),
        };
    check(
        "CPU in thousandths",
        spec.limits.cpu_milli.into(),
        CPU_MILLI_MIN,
        cores * 1000,
    )?;
    check(
        "memory in bytes",
        spec.limits.memory_bytes,
        MEMORY_BYTES_MIN,
        i64::MAX as u64,
    )?;
    check("processes", spec.limits.pids_max.into(), PIDS_MIN, PIDS_MAX)?;
    check(
        "published port",
        spec.port.unwrap_or(1).into(),
        1,
        u16::MAX.into(),
    )
}

/// Writes a container's folder, `spec.json` last.
pub(super) fn lay_out(
    paths: &Paths,
    oci: &impl Serialize,
    orders: &Orders,
    spec: &WorkloadSpec,
) -> Result<(), DriverError> {
    let failed = || DriverError::io("laying out a container");
    let absent = |path: PathBuf| match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    for stale in [paths.spec(), paths.init(), paths.exit()] {
        absent(stale).map_err(failed())?;
    }
    fs::create_dir_all(paths.folder()).map_err(failed())?;
    fail::fail_point!("layout-cleared");
    let write = |path: &Path, bytes: Result<Vec<u8>, serde_json::Error>| {
        bytes
            .map_err(Into::into)
            .and_then(|bytes| fs::write(path, bytes))
            .map_err(failed())
    };
    write(&paths.oci(), serde_json::to_vec(oci))?;
    fail::fail_point!("layout-oci");
    write(&paths.orders(), serde_json::to_vec(orders))?;
    fail::fail_point!("layout-orders");
    let unfinished = paths.folder().join("spec.unfinished");
    write(&unfinished, serde_json::to_vec(spec))?;
    fail::fail_point!("layout-spec");
    fs::rename(unfinished, paths.spec()).map_err(failed())?;
    fail::fail_point!("layout-done");
    Ok(())
}

/// Nothing is ever mounted there in this mount namespace; should it be, removing the folder must not follow it.
pub(super) fn unmount_below(folder: &Path) -> Result<(), DriverError> {
    let failed = || DriverError::io("looking for mounts");
    let folder = match folder.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed())?,
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(failed())?;
    let points = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new);
    let mut below: Vec<&Path> = points.filter(|point| point.starts_with(&folder)).collect();
    below.sort_unstable();
    for point in below.into_iter().rev() {
        umount2(point, MntFlags::MNT_DETACH).map_err(DriverError::sys("unmounting"))?;
    }
    Ok(())
}
