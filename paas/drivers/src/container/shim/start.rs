//! From orders to a running container.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{Uid, fchown, pipe2};

use super::super::cgroup::{Group, Hierarchies, process, wait_for_end};
use super::super::log::LogWriter;
use super::super::paths::Paths;
use super::super::watch::hold;
use super::{CPU_PERIOD_US, Init, Orders, Reason, loopback, mounts, orders};

/// A container that runs.
pub(super) struct Running {
    pub(super) paths: Paths,
    pub(super) pid: i32,
    pub(super) init: OwnedFd,
    pub(super) output: File,
    pub(super) log: LogWriter,
    pub(super) group: Group,
    /// The agent, where the container is to end with it.
    pub(super) agent: Option<OwnedFd>,
    /// Says, as long as it is open, that somebody attends the container.
    pub(super) _lock: File,
}

/// Starts the container laid out in `paths` on behalf of process `agent`.
pub(super) fn start(paths: &Paths, agent: i32) -> Result<Running, Reason> {
    let lock = take_lock(paths)?;
    failpoint!("shim-locked");
    let orders = orders(paths)?;
    let agent = match orders.with_agent {
        true => Some(process(agent).ok_or("the agent has ended")?),
        false => None,
    };
    forget_last_run(paths)?;
    failpoint!("shim-forgot");
    let log = LogWriter::open(&paths.log(), orders.log_segment_bytes)
        .map_err(|error| format!("opening the log: {error}"))?;
    let group = Hierarchies::detect()?.group(&orders.cgroup);
    mounts::mount_root(&orders)?;
    let (pid, output) = create_and_start(paths, &orders, &group)?;
    let init = process(pid).ok_or("it ended at once")?;
    let running = Running {
        paths: paths.clone(),
        pid,
        init,
        output,
        log,
        group,
        agent,
        _lock: lock,
    };
    failpoint!("shim-created");
    note(paths, pid)?;
    failpoint!("shim-noted");
    Ok(running)
}

fn take_lock(paths: &Paths) -> Result<File, Reason> {
    let failed = |error: std::io::Error| format!("taking the lock: {error}");
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(paths.lock())
        .map_err(failed)?;
    if !hold(&lock).map_err(failed)? {
        return Err("it is attended already".to_owned());
    }
    lock.set_len(0)
        .and_then(|()| write!(lock, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(lock)
}

fn forget_last_run(paths: &Paths) -> Result<(), Reason> {
    let failed = |error: std::io::Error| format!("forgetting the last run: {error}");
    for file in [paths.init(), paths.exit()] {
        if file.exists() {
            fs::remove_file(file).map_err(failed)?;
        }
    }
    if paths.state().exists() {
        fs::remove_dir_all(paths.state()).map_err(failed)?;
    }
    fs::create_dir(paths.state()).map_err(failed)
}

fn create_and_start(paths: &Paths, orders: &Orders, group: &Group) -> Result<(i32, File), Reason> {
    restore_sigpipe();
    let (output, input) =
        pipe2(OFlag::O_CLOEXEC).map_err(|errno| format!("making a pipe: {errno}"))?;
    // Programs open /dev/stdout anew, which is this pipe, and may only if it is theirs.
    fchown(&input, Some(Uid::from_raw(orders.user_id)), None)
        .map_err(|errno| format!("making a pipe: {errno}"))?;
    let duplicate = input
        .try_clone()
        .map_err(|error| format!("making a pipe: {error}"))?;
    let null = File::open("/dev/null").map_err(|error| format!("opening /dev/null: {error}"))?;
    let failed = |error: &dyn Error| chain(error);
    let own = i32::try_from(std::process::id()).map_err(|error| failed(&error))?;
    let shim = process(own).ok_or("a shim cannot name itself")?;
    let mut container = ContainerBuilder::new(orders.id.clone(), SyscallType::default())
        .with_executor(DyingWithItsShim(shim.into()))
        .with_stdin(null)
        .with_stdout(input)
        .with_stderr(duplicate)
        .with_root_path(paths.state())
        .map_err(|error| failed(&error))?
        .as_init(paths.folder())
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(|error| failed(&error))?;
    let pid = container
        .pid()
        .ok_or("libcontainer names no process")?
        .as_raw();
    loopback::bring_up(pid)?;
    // Only now, so that the setting up, which is our work, does not wait for the tenant's share of the CPU.
    group
        .limit_cpu(orders.cpu_quota_us, CPU_PERIOD_US)
        .map_err(|error| format!("limiting the CPU: {error}"))?;
    container.start().map_err(|error| failed(&error))?;
    Ok((pid, File::from(output)))
}

/// Rust ignores `SIGPIPE` in every program, and what a process ignores its children ignore: a workload such as
/// `yes | head` would never end.
#[allow(unsafe_code)]
fn restore_sigpipe() {
    // SAFETY: the default action runs no code of this process; there is one thread, and nothing else sets signals.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

fn note(paths: &Paths, pid: i32) -> Result<(), Reason> {
    let note = serde_json::to_vec(&Init { pid }).map_err(|error| error.to_string())?;
    fs::write(paths.init(), note).map_err(|error| format!("noting the first process: {error}"))
}

/// An error with all its causes: `libcontainer` puts what matters last.
fn chain(error: &dyn Error) -> Reason {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Runs the command as `libcontainer` would, after asking the kernel to kill it when its shim is killed: a container
/// that nobody attends must not run on. Holds a handle to the shim: the kernel does not tell of a death before it was asked.
#[derive(Clone)]
struct DyingWithItsShim(Arc<OwnedFd>);

impl Executor for DyingWithItsShim {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        fail::fail_point!("container-unguarded");
        set_pdeathsig(Signal::SIGKILL).map_err(|errno| ExecutorError::Other(errno.to_string()))?;
        if wait_for_end(&self.0, Duration::ZERO).unwrap_or(true) {
            return Err(ExecutorError::Other("its shim has died".to_owned()));
        }
        DefaultExecutor {}.exec(spec)
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        DefaultExecutor {}.validate(spec)
    }
}
