//! The small process beside each container.
//!
//! `libcontainer` starts containers by `clone3` without `exec`, which is only sound in a process of one thread; the agent
//! has many. So a container is started by a process of its own, the shim, which stays as the container's parent: it
//! writes its output to disk, notes how it ended, and takes it along when it is killed itself. The agent may end and
//! start again meanwhile.
//!
//! The root that the container sees is mounted in the shim's own mount namespace: the image read-only, and a bounded
//! scratch filesystem above it. It is gone with the shim, whatever kills it; the machine's own mounts never change.

/// Where a test has the shim die as if it were killed: `FAILPOINTS=<name>=return` in its environment. An agent gives shims none.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name, |_| std::process::abort());
    };
}

mod attend;
mod loopback;
pub(super) mod mounts;
mod start;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::unistd::{daemon, dup2_stdin, dup2_stdout, getppid};
use serde::{Deserialize, Serialize};

use super::paths::Paths;

/// What the agent tells a shim, in the container's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Orders {
    /// The container's name.
    pub(super) id: String,
    /// The container's cgroup, from the root of every hierarchy.
    pub(super) cgroup: String,
    /// Where to mount the container's root.
    pub(super) stage: PathBuf,
    /// The image's root.
    pub(super) image_root: PathBuf,
    /// Bytes the container may write into its root.
    pub(super) scratch_bytes: u64,
    /// Who the container's root is on this machine.
    pub(super) root_id: u32,
    /// Who the container's first process is on this machine.
    pub(super) user_id: u32,
    /// Microseconds of CPU in each period of [`CPU_PERIOD_US`].
    pub(super) cpu_quota_us: u64,
    /// Bytes of output in one segment; two are kept.
    pub(super) log_segment_bytes: u64,
    /// Whether the container ends when the agent that started it ends.
    pub(super) with_agent: bool,
}

/// CPU quotas are measured over this period: the kernel's default.
pub(super) const CPU_PERIOD_US: u64 = 100_000;

/// What a shim tells the agent, on its standard output, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// The container runs.
    Running,
    /// It does not, because of this.
    Failed(String),
}

/// The container's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Init {
    /// Its id on this machine.
    pub(super) pid: i32,
}

/// Why a container did not start, in words.
type Reason = String;

/// The whole life of a shim. It makes itself ready, waits on its standard input for the folder of a container that is
/// laid out, starts it, and attends it until it ends. Ready shims are what makes a container start quickly. To be called
/// first thing by a process that was started for this alone, while it has one thread.
pub fn run() -> ExitCode {
    #[cfg(feature = "failpoints")]
    std::mem::forget(fail::FailScenario::setup());
    let agent = getppid().as_raw();
    // Out of the agent's session and from under its feet: what ends the agent's terminal does not end the container.
    let ready = daemon(true, true)
        .map_err(|errno| format!("becoming a daemon: {errno}"))
        .and_then(|()| mounts::separate());
    let Some(paths) = assignment() else {
        return ExitCode::SUCCESS;
    };
    match ready.and_then(|()| start::start(&paths, agent)) {
        Ok(running) => {
            told(&Report::Running);
            silence();
            attend::attend(running)
        }
        Err(reason) => {
            told(&Report::Failed(reason));
            ExitCode::FAILURE
        }
    }
}

/// The folder to start a container from; none when the agent ends or wants none any more.
fn assignment() -> Option<Paths> {
    let mut folder = Vec::new();
    io::stdin().read_to_end(&mut folder).ok()?;
    (!folder.is_empty()).then(|| Paths(PathBuf::from(OsString::from_vec(folder))))
}

fn told(report: &Report) -> ExitCode {
    let mut out = io::stdout();
    // When nobody listens any more the agent has died, and will find out from the kernel.
    let _ = serde_json::to_writer(&mut out, report).map(|()| out.flush());
    ExitCode::FAILURE
}

/// Lets go of the agent's pipes.
fn silence() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = dup2_stdin(&null);
        let _ = dup2_stdout(&null);
    }
}

fn orders(paths: &Paths) -> Result<Orders, Reason> {
    let bytes = fs::read(paths.orders()).map_err(|error| format!("reading the orders: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("reading the orders: {error}"))
}
