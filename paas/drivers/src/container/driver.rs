//! [`Driver`] for containers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal as Name;
use rustix::process::Signal;
use serde::de::IgnoredAny;

use super::cgroup::{Group, Hierarchies, signal, wait_for_end};
use super::layout::{check_limits, lay_out, unmount_below};
use super::oci::{Plan, configuration};
use super::paths::Paths;
use super::shim::{CPU_PERIOD_US, Init, Orders, mounts};
use super::spawn::Shim;
use super::watch::{attending, first_process, is_attended, read};
use super::{ContainerConfig, log};
use crate::driver::{
    Driver, Exit, LogChunk, ResourceLimits, Usage, Workload, WorkloadId, WorkloadSpec,
    WorkloadState,
};
use crate::error::DriverError;
use crate::image::{ImageStore, Ownership, RunConfig};
use crate::ingress::Ingress;

/// How long a shim may take to end after its container has ended.
const SHIM_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Runs containers. One per folder and name; all verbs may be called from any thread.
#[derive(Debug)]
pub struct ContainerDriver {
    config: ContainerConfig,
    images: ImageStore,
    hierarchies: Hierarchies,
    /// A shim that is ready, for the next start.
    spare: Mutex<Option<Shim>>,
    /// Verbs that change something come one after the other: each takes milliseconds.
    changing: Mutex<()>,
}

impl ContainerDriver {
    /// Opens the driver in its folder. Containers that run there go on running.
    ///
    /// # Errors
    /// The caller is not root, the machine lacks cgroups, or the folder cannot be written.
    pub fn open(mut config: ContainerConfig) -> Result<Self, DriverError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(DriverError::Machine(
                "containers with limits need root; start the agent with sudo".into(),
            ));
        }
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if config.name.is_empty() || config.name.len() > 64 || !config.name.bytes().all(named) {
            return Err(DriverError::Machine(format!(
                "{:?} is no name for cgroups",
                config.name
            )));
        }
        let hierarchies = Hierarchies::detect().map_err(DriverError::Machine)?;
        fs::create_dir_all(config.folder.join("containers"))
            .map_err(DriverError::io("opening the driver's folder"))?;
        config.folder = config
            .folder
            .canonicalize()
            .map_err(DriverError::io("opening the driver's folder"))?;
        let (base, count) = config.ids;
        let ownership = Ownership::Shifted { base, count };
        let images = ImageStore::open(
            &config.folder.join("images"),
            config.image_limits.clone(),
            ownership,
        )?;
        let driver = ContainerDriver {
            config,
            images,
            hierarchies,
            spare: Mutex::new(None),
            changing: Mutex::new(()),
        };
        driver.keep_spare();
        Ok(driver)
    }

    /// The images that containers are made from; uploads go here.
    pub fn images(&self) -> &ImageStore {
        &self.images
    }

    /// Waits until the workload does not run any more. Returns whether that came about within `patience`.
    ///
    /// # Errors
    /// [`DriverError::Unknown`].
    pub fn wait(&self, id: &WorkloadId, patience: Duration) -> Result<bool, DriverError> {
        self.state(id)?;
        match attending(&self.paths(id)) {
            Some(shim) => {
                wait_for_end(&shim, patience).map_err(DriverError::io("waiting for a container"))
            }
            None => Ok(true),
        }
    }

    fn paths(&self, id: &WorkloadId) -> Paths {
        Paths(self.config.folder.join("containers").join(id.as_str()))
    }

    fn group(&self, id: &WorkloadId) -> Group {
        self.hierarchies.group(&self.group_path(id))
    }

    fn group_path(&self, id: &WorkloadId) -> String {
        format!("{}/{id}", self.config.name)
    }

    /// Makes sure that a shim is ready for the next start.
    fn keep_spare(&self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            // Without one the next start takes longer, and says what is wrong.
            *spare = Shim::spawn(&self.config).ok();
        }
    }

    fn take_spare(&self) -> Option<Shim> {
        self.spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data, so a panic elsewhere leaves nothing half-changed in memory.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self, id: &WorkloadId) -> Result<WorkloadState, DriverError> {
        let (paths, group) = (self.paths(id), self.group(id));
        if !paths.folder().exists() && !group.exists() {
            return Err(DriverError::Unknown(id.clone()));
        }
        let attended = is_attended(&paths);
        let populated = !group
            .processes()
            .map_err(DriverError::io("listing processes"))?
            .is_empty();
        let started = paths.init().exists();
        Ok(match (attended, populated) {
            (true, true) if started && group.is_frozen().unwrap_or(false) => WorkloadState::Paused,
            (true, true) if started => WorkloadState::Running,
            (true, _) => WorkloadState::Changing,
            (false, true) => WorkloadState::Broken,
            (false, false) => match read::<Exit>(&paths.exit()) {
                Some(exit) if paths.spec().exists() => WorkloadState::Exited { exit },
                // A shim that was killed took its container along and could not say so.
                None if started => WorkloadState::Broken,
                None if is_whole(&paths) => WorkloadState::Prepared,
                _ => WorkloadState::Broken,
            },
        })
    }

    fn is_up(&self, id: &WorkloadId) -> Result<bool, DriverError> {
        Ok(matches!(
            self.state(id)?,
            WorkloadState::Running | WorkloadState::Paused
        ))
    }

    fn set_frozen(&self, id: &WorkloadId, frozen: bool) -> Result<(), DriverError> {
        let _changing = self.lock();
        if !self.is_up(id)? {
            return Err(DriverError::NotRunning(id.clone()));
        }
        self.group(id)
            .freeze(frozen)
            .map_err(DriverError::io("pausing or resuming"))
    }

    /// The image's own words with the lease's over them.
    fn run_config(
        &self,
        spec: &WorkloadSpec,
        mut run: RunConfig,
    ) -> Result<RunConfig, DriverError> {
        if !spec.argv.is_empty() {
            run.argv = spec.argv.clone();
        }
        for variable in &spec.env {
            let name = variable.split('=').next().unwrap_or_default();
            run.env
                .retain(|known| known.split('=').next() != Some(name));
            run.env.push(variable.clone());
        }
        run.check()?;
        if run.argv.is_empty() {
            Err(DriverError::NoCommand)
        } else {
            Ok(run)
        }
    }

    /// Ends whatever is left of an earlier run: processes, cgroups, an unfinished shim.
    fn clear(&self, id: &WorkloadId) -> Result<(), DriverError> {
        let (paths, group) = (self.paths(id), self.group(id));
        let not_gone = |what: &str| DriverError::NotGone {
            id: id.clone(),
            what: what.to_owned(),
        };
        let kill = || group.kill().map_err(DriverError::io("killing processes"));
        kill()?;
        if let Some(shim) = attending(&paths) {
            let ended = |patience| {
                wait_for_end(&shim, patience).map_err(DriverError::io("waiting for the shim"))
            };
            if !ended(SHIM_ENDS_WITHIN)? {
                signal(&shim, Signal::KILL);
                if !ended(SHIM_ENDS_WITHIN)? {
                    return Err(not_gone("its shim"));
                }
            }
            // A shim that was still starting may have put a process there meanwhile.
            kill()?;
        }
        group.remove().map_err(DriverError::io("removing cgroups"))
    }
}

impl Driver for ContainerDriver {
    fn name(&self) -> &'static str {
        "libcontainer"
    }

    fn prepare(&self, spec: &WorkloadSpec) -> Result<(), DriverError> {
        // Starting comes next.
        self.hierarchies.foresee_a_move();
        let _changing = self.lock();
        check_limits(spec)?;
        match self.state(&spec.id) {
            Ok(WorkloadState::Running | WorkloadState::Paused | WorkloadState::Changing) => {
                return Err(DriverError::Running(spec.id.clone()));
            }
            Ok(WorkloadState::Broken) => return Err(DriverError::Broken(spec.id.clone())),
            Ok(_) | Err(DriverError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
        let image = self.images.get(&spec.image)?;
        let user = self.images.user(&image)?;
        let run = self.run_config(spec, image.config)?;
        let stage = mounts::stage(&self.config.folder).ok_or_else(|| {
            DriverError::Machine("no directory is free to mount containers at".into())
        })?;
        let plan = Plan {
            id: &spec.id,
            run: &run,
            user,
            limits: &spec.limits,
            ids: self.config.ids,
            cgroup: &self.group_path(&spec.id),
            cgroup_v2: self.group(&spec.id).is_v2(),
            open_files_max: getrlimit(Resource::RLIMIT_NOFILE)
                .map_err(DriverError::sys("reading limits"))?
                .1,
            root: &mounts::root(&stage),
        };
        let oci = configuration(&plan).map_err(|error| DriverError::Machine(error.to_string()))?;
        let base = self.config.ids.0;
        let orders = Orders {
            id: spec.id.to_string(),
            cgroup: self.group_path(&spec.id),
            stage,
            image_root: self.images.root(&spec.image),
            scratch_bytes: spec.limits.memory_bytes,
            root_id: base,
            cpu_quota_us: u64::from(spec.limits.cpu_milli) * CPU_PERIOD_US / 1000,
            user_id: base.saturating_add(user.0),
            log_segment_bytes: (self.config.log_bytes_max / 2).max(4096),
            with_agent: self.config.with_agent,
        };
        lay_out(&self.paths(&spec.id), &oci, &orders, spec)
    }

    fn start(&self, id: &WorkloadId) -> Result<(), DriverError> {
        let _changing = self.lock();
        match self.state(id)? {
            WorkloadState::Running | WorkloadState::Paused => return Ok(()),
            WorkloadState::Broken => return Err(DriverError::Broken(id.clone())),
            WorkloadState::Prepared | WorkloadState::Exited { .. } | WorkloadState::Changing => {}
        }
        // Cgroups of the last run hold its counters; a new run counts from zero.
        self.clear(id)?;
        let paths = self.paths(id);
        if self
            .take_spare()
            .is_some_and(|shim| shim.start(&paths).is_ok())
        {
            return Ok(());
        }
        // The spare was killed, or was made ready before a disk was mounted: a new one tells whether it was that.
        self.clear(id)?;
        let started = Shim::spawn(&self.config).and_then(|shim| shim.start(&paths));
        started.map_err(|reason| DriverError::Start {
            id: id.clone(),
            reason,
        })
    }

    fn pause(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.set_frozen(id, true)
    }

    fn resume(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.set_frozen(id, false)
    }

    fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<(), DriverError> {
        let until = Instant::now() + grace;
        if self.state(id)? == WorkloadState::Running {
            let paths = self.paths(id);
            if let (Some(first), Some(shim)) =
                (first_process(&paths, &self.group(id)), attending(&paths))
            {
                signal(&first, stop_signal(&self.images, &paths));
                // The shim ends when it has noted how the container ended.
                wait_for_end(&shim, until.saturating_duration_since(Instant::now()))
                    .map_err(DriverError::io("waiting for the container"))?;
            }
        }
        let _changing = self.lock();
        let (paths, group) = (self.paths(id), self.group(id));
        group.kill().map_err(DriverError::io("killing processes"))?;
        match attending(&paths) {
            Some(shim) => wait_for_end(&shim, SHIM_ENDS_WITHIN)
                .map_err(DriverError::io("waiting for the shim"))
                .map(drop),
            None => Ok(()),
        }
    }

    fn remove(&self, id: &WorkloadId) -> Result<(), DriverError> {
        let _changing = self.lock();
        self.clear(id)?;
        fail::fail_point!("removal-cleared");
        let folder = self.paths(id).0;
        unmount_below(&folder)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(DriverError::Io {
                    doing: "removing a container's files",
                    source: error,
                });
            }
            _ => {}
        }
        self.hierarchies.group(&self.config.name).remove_if_empty();
        Ok(())
    }

    fn list(&self) -> Result<Vec<Workload>, DriverError> {
        // A reconciler asks again and again, and starts afterwards.
        self.keep_spare();
        let mut names: BTreeSet<String> = self.hierarchies.group(&self.config.name).children();
        let listing = || DriverError::io("listing containers");
        for entry in fs::read_dir(self.config.folder.join("containers")).map_err(listing())? {
            names.extend(entry.map_err(listing())?.file_name().into_string());
        }
        // What has another name than a container's was not made here, and is none of our business.
        let ids = names
            .into_iter()
            .filter_map(|name| name.parse::<WorkloadId>().ok());
        ids.filter_map(|id| match self.state(&id) {
            Ok(state) => Some(Ok(Workload {
                spec: read(&self.paths(&id).spec()),
                run: run(&self.paths(&id), state),
                id,
                state,
            })),
            // Removed since it was listed.
            Err(DriverError::Unknown(_)) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
    }

    fn run(&self, id: &WorkloadId) -> Result<Option<u64>, DriverError> {
        match self.state(id) {
            Ok(state) => Ok(run(&self.paths(id), state)),
            Err(DriverError::Unknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn logs(&self, id: &WorkloadId, from: u64) -> Result<LogChunk, DriverError> {
        let paths = self.paths(id);
        if !paths.folder().exists() {
            return Err(DriverError::Unknown(id.clone()));
        }
        log::read(&paths.log(), from).map_err(DriverError::io("reading a log"))
    }

    fn usage(&self, id: &WorkloadId) -> Result<Usage, DriverError> {
        let usage = self.group(id).usage();
        usage.map_err(|error| not_there(id, "reading usage", error))
    }

    fn limits(&self, id: &WorkloadId) -> Result<ResourceLimits, DriverError> {
        let limits = self.group(id).limits();
        limits.map_err(|error| not_there(id, "reading limits", error))
    }

    fn ingress(&self, id: &WorkloadId) -> Result<Ingress, DriverError> {
        if !self.is_up(id)? {
            return Err(DriverError::NotRunning(id.clone()));
        }
        let paths = self.paths(id);
        let spec: WorkloadSpec =
            read(&paths.spec()).ok_or_else(|| DriverError::Broken(id.clone()))?;
        let port = spec.port.ok_or_else(|| DriverError::NoPort(id.clone()))?;
        let not_running = || DriverError::NotRunning(id.clone());
        let init: Init = read(&paths.init()).ok_or_else(not_running)?;
        let namespace =
            File::open(format!("/proc/{}/ns/net", init.pid)).map_err(|_| not_running())?;
        // Opened first and checked after: a number that now means another process cannot slip in between.
        let first = first_process(&paths, &self.group(id)).ok_or_else(not_running)?;
        Ok(Ingress::new(namespace, first, port))
    }
}

/// Without a cgroup nothing runs.
fn not_there(id: &WorkloadId, doing: &'static str, error: std::io::Error) -> DriverError {
    match error.kind() {
        ErrorKind::NotFound => DriverError::NotRunning(id.clone()),
        _ => DriverError::Io {
            doing,
            source: error,
        },
    }
}

/// Whether everything that starting needs can be read. It is written in order and not synced, which would cost each start several writes to the
/// disk: after a power cut any of it may be short.
fn is_whole(paths: &Paths) -> bool {
    read::<WorkloadSpec>(&paths.spec()).is_some()
        && read::<Orders>(&paths.orders()).is_some()
        && read::<IgnoredAny>(&paths.oci()).is_some()
}

/// When the shim noted that the first process runs, in ns of the file's time: no two starts share it.
fn run(paths: &Paths, state: WorkloadState) -> Option<u64> {
    if !matches!(state, WorkloadState::Running | WorkloadState::Paused) {
        return None;
    }
    let noted = fs::metadata(paths.init()).and_then(|data| data.modified());
    let since = noted.ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// The signal by which the image wants to be asked to end.
fn stop_signal(images: &ImageStore, paths: &Paths) -> Signal {
    let known = || {
        let spec: WorkloadSpec = read(&paths.spec())?;
        let name = images.get(&spec.image).ok()?.config.stop_signal;
        let name = if name.starts_with("SIG") {
            name
        } else {
            format!("SIG{name}")
        };
        Signal::from_named_raw(name.parse::<Name>().ok()? as i32)
    };
    known().unwrap_or(Signal::TERM)
}
