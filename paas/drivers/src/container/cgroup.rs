//! The cgroups of containers, read and removed by ourselves on v1, hybrid and v2 machines.
//!
//! `libcontainer` makes them and writes the limits; this side must also manage what a crash left, for which
//! `libcontainer` has no state any more. The kernel's files are the only truth here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::driver::{ResourceLimits, Usage};

/// Where every distribution mounts cgroups, and where `libcontainer` looks for them.
const ROOT: &str = "/sys/fs/cgroup";
/// The v1 controllers that the limits of a lease need.
const NEEDED: [&str; 5] = ["cpu", "cpuacct", "memory", "pids", "freezer"];
/// How long killed processes may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// The cgroup hierarchies of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hierarchies {
    /// Controller → mount point. Hybrid machines count as v1: their v2 part has no controllers.
    V1(BTreeMap<String, PathBuf>),
    /// One mount point for all.
    V2(PathBuf),
}

impl Hierarchies {
    /// What this machine has.
    ///
    /// # Errors
    /// No cgroups, or a v1 machine without a controller that limits need.
    pub(crate) fn detect() -> Result<Self, String> {
        let mounts =
            fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        Self::from_mounts(&mounts)
    }

    fn from_mounts(mounts: &str) -> Result<Self, String> {
        let mut v1 = BTreeMap::new();
        for line in mounts.lines() {
            // proc(5): … 5th field mount point … " - " type source super-options.
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let Some(point) = before
                .split(' ')
                .nth(4)
                .filter(|point| point.starts_with(ROOT))
            else {
                continue;
            };
            let mut after = after.split(' ');
            match after.next() {
                Some("cgroup2") if point == ROOT => {
                    return Ok(Hierarchies::V2(PathBuf::from(ROOT)));
                }
                Some("cgroup") => {
                    for controller in after.nth(1).unwrap_or_default().split(',') {
                        v1.entry(controller.to_owned())
                            .or_insert_with(|| PathBuf::from(point));
                    }
                }
                _ => {}
            }
        }
        match NEEDED
            .iter()
            .find(|controller| !v1.contains_key(**controller))
        {
            Some(missing) => Err(format!("no cgroup controller {missing} under {ROOT}")),
            None => Ok(Hierarchies::V1(v1)),
        }
    }

    /// The cgroup `path`, a path from the root of every hierarchy, such as `nupeer/0a1b2c3d`.
    pub(crate) fn group(&self, path: &str) -> Group {
        Group {
            hierarchies: self.clone(),
            path: path.to_owned(),
        }
    }

    /// Has the kernel make itself ready, in the background, to move processes between cgroups. The first move after a while waits until every
    /// CPU has passed through the scheduler (`cgroup_threadgroup_rwsem`, 4 to 16 ms); moves soon after one do not. A start that is foreseen need not
    /// wait there, if a move that changes nothing went before: that of a thread to the cgroup it is in. Nothing depends on it.
    pub(crate) fn foresee_a_move(&self) {
        let Some(tasks) = self.own_tasks() else {
            return;
        };
        let moved = move || {
            let thread = rustix::thread::gettid().as_raw_pid();
            let _ = fs::write(tasks, thread.to_string());
        };
        let _ = std::thread::Builder::new()
            .name("cgroup-move".to_owned())
            .spawn(moved);
    }

    /// The list of threads of the cgroup that this process is in, in one of the hierarchies.
    fn own_tasks(&self) -> Option<PathBuf> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let (controller, point, file) = match self {
            Hierarchies::V1(points) => ("freezer", points.get("freezer")?.as_path(), "tasks"),
            Hierarchies::V2(point) => ("", point.as_path(), "cgroup.threads"),
        };
        let path = cgroup_of(&own, controller)?;
        Some(point.join(path.trim_start_matches('/')).join(file))
    }

    fn points(&self) -> BTreeSet<&Path> {
        match self {
            Hierarchies::V1(points) => points.values().map(PathBuf::as_path).collect(),
            Hierarchies::V2(point) => BTreeSet::from([point.as_path()]),
        }
    }
}

/// One cgroup, in every hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    hierarchies: Hierarchies,
    path: String,
}

impl Group {
    /// Whether the v2 files apply.
    pub(crate) fn is_v2(&self) -> bool {
        matches!(self.hierarchies, Hierarchies::V2(_))
    }

    /// Names of the cgroups below, in any hierarchy.
    pub(crate) fn children(&self) -> BTreeSet<String> {
        let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
        self.folders()
            .flat_map(entries)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Whether the cgroup is there in any hierarchy.
    pub(crate) fn exists(&self) -> bool {
        self.folders().any(|folder| folder.exists())
    }

    /// The processes in it, in any hierarchy: one that a crash caught between two of them is found too.
    pub(crate) fn processes(&self) -> io::Result<BTreeSet<i32>> {
        let mut pids = BTreeSet::new();
        for folder in self.folders() {
            match fs::read_to_string(folder.join("cgroup.procs")) {
                Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
                // ENODEV: the cgroup went away while it was read.
                Err(error)
                    if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(19) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(pids)
    }

    /// Takes the CPU away from every process in it, or gives it back.
    pub(crate) fn freeze(&self, frozen: bool) -> io::Result<()> {
        match self.v1("freezer") {
            Some(folder) => fs::write(
                folder.join("freezer.state"),
                if frozen { "FROZEN" } else { "THAWED" },
            )?,
            None => fs::write(
                self.v2().join("cgroup.freeze"),
                if frozen { "1" } else { "0" },
            )?,
        }
        // Both kernels finish a freeze after the write returns, when each task has come to a stop.
        retry(GONE_WITHIN, || Ok(self.is_frozen()? == frozen))
    }

    /// Whether every process in it is without CPU.
    pub(crate) fn is_frozen(&self) -> io::Result<bool> {
        match self.v1("freezer") {
            Some(folder) => {
                Ok(fs::read_to_string(folder.join("freezer.state"))?.trim() == "FROZEN")
            }
            None => Ok(keyed(
                &fs::read_to_string(self.v2().join("cgroup.events"))?,
                "frozen",
            ) == 1),
        }
    }

    /// Gives its processes at most `quota_us` of CPU in each `period_us`.
    pub(crate) fn limit_cpu(&self, quota_us: u64, period_us: u64) -> io::Result<()> {
        match self.v1("cpu") {
            Some(folder) => {
                fs::write(folder.join("cpu.cfs_period_us"), period_us.to_string())?;
                fs::write(folder.join("cpu.cfs_quota_us"), quota_us.to_string())
            }
            None => fs::write(self.v2().join("cpu.max"), format!("{quota_us} {period_us}")),
        }
    }

    /// Kills every process in it and waits until they are gone.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let until = Instant::now() + GONE_WITHIN;
        loop {
            let pids = self.processes()?;
            if pids.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("{} processes do not die", pids.len()),
                ));
            }
            let killed: Vec<OwnedFd> = pids.iter().filter_map(|pid| kill_one(*pid)).collect();
            // A v1 task that is frozen dies only when it is thawed.
            if self.v1("freezer").is_some_and(|folder| folder.exists()) {
                self.freeze(false)?;
            }
            for process in killed {
                wait_for_end(&process, until.saturating_duration_since(Instant::now()))?;
            }
        }
    }

    /// Removes the cgroup from every hierarchy; its processes are gone.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for folder in self.folders() {
            // A process that was just reaped may hold its cgroup busy for a moment, of which the kernel tells nobody.
            retry(GONE_WITHIN, || match fs::remove_dir(&folder) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
                Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(false),
                Err(error) => Err(error),
            })?;
        }
        Ok(())
    }

    /// Removes the cgroup where nothing is left in it.
    pub(crate) fn remove_if_empty(&self) {
        for folder in self.folders() {
            let _ = fs::remove_dir(folder);
        }
    }

    /// What the kernel counted.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        if self.is_v2() {
            self.usage_v2()
        } else {
            self.usage_v1()
        }
    }

    /// The limits that are in force.
    pub(crate) fn limits(&self) -> io::Result<ResourceLimits> {
        let (cpu, memory) = (self.folder("cpu"), self.folder("memory"));
        let (quota_us, period_us, memory_bytes) = if self.is_v2() {
            let both = fs::read_to_string(cpu.join("cpu.max"))?;
            let (quota, period) = both.trim().split_once(' ').unwrap_or((&both, ""));
            let bytes = number(&memory.join("memory.max"))?;
            (parsed(quota)?, parsed(period)?, bytes)
        } else {
            let bytes = number(&memory.join("memory.limit_in_bytes"))?;
            let quota = number(&cpu.join("cpu.cfs_quota_us"))?;
            (quota, number(&cpu.join("cpu.cfs_period_us"))?, bytes)
        };
        let pids_max = number(&self.folder("pids").join("pids.max"))?;
        Ok(ResourceLimits {
            cpu_milli: narrow(quota_us.saturating_mul(1000) / period_us.max(1))?,
            memory_bytes,
            pids_max: narrow(pids_max)?,
        })
    }

    fn usage_v1(&self) -> io::Result<Usage> {
        let cpu = fs::read_to_string(self.folder("cpu").join("cpu.stat"))?;
        let memory = self.folder("memory");
        let oom = fs::read_to_string(memory.join("memory.oom_control"))?;
        Ok(Usage {
            cpu_ns: number(&self.folder("cpuacct").join("cpuacct.usage"))?,
            memory_bytes: number(&memory.join("memory.usage_in_bytes"))?,
            memory_peak_bytes: number(&memory.join("memory.max_usage_in_bytes"))?,
            pids: number(&self.folder("pids").join("pids.current"))?,
            throttled_periods: keyed(&cpu, "nr_throttled"),
            throttled_ns: keyed(&cpu, "throttled_time"),
            oom_kills: keyed(&oom, "oom_kill"),
        })
    }

    fn usage_v2(&self) -> io::Result<Usage> {
        let folder = self.v2();
        let cpu = fs::read_to_string(folder.join("cpu.stat"))?;
        let events = fs::read_to_string(folder.join("memory.events"))?;
        let memory_bytes = number(&folder.join("memory.current"))?;
        Ok(Usage {
            cpu_ns: keyed(&cpu, "usage_usec").saturating_mul(1000),
            memory_bytes,
            // memory.peak came with Linux 5.19; before, the present use is the best that is known.
            memory_peak_bytes: number(&folder.join("memory.peak")).unwrap_or(memory_bytes),
            pids: number(&folder.join("pids.current"))?,
            throttled_periods: keyed(&cpu, "nr_throttled"),
            throttled_ns: keyed(&cpu, "throttled_usec").saturating_mul(1000),
            oom_kills: keyed(&events, "oom_kill"),
        })
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchies
            .points()
            .into_iter()
            .map(|point| point.join(&self.path))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn folder(&self, controller: &str) -> PathBuf {
        self.v1(controller).unwrap_or_else(|| self.v2())
    }

    fn v1(&self, controller: &str) -> Option<PathBuf> {
        match &self.hierarchies {
            Hierarchies::V1(points) => points.get(controller).map(|point| point.join(&self.path)),
            Hierarchies::V2(_) => None,
        }
    }

    fn v2(&self) -> PathBuf {
        Path::new(ROOT).join(&self.path)
    }
}

/// The path of a process's cgroup in the hierarchy of `controller`, from the process's `/proc/PID/cgroup` (cgroups(7)).
fn cgroup_of<'a>(text: &'a str, controller: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        controllers
            .split(',')
            .any(|one| one == controller)
            .then_some(path)
    })
}

/// A handle on process `pid` that cannot come to mean another one; none when it is gone.
pub(crate) fn process(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Waits until the process has ended. Returns whether it did within `patience`.
pub(crate) fn wait_for_end(process: &OwnedFd, patience: Duration) -> io::Result<bool> {
    wait_for_input(process, patience)
}

/// Waits until `source` has something to read or has ended. Returns whether it did within `patience`.
pub(crate) fn wait_for_input(source: &impl AsFd, patience: Duration) -> io::Result<bool> {
    let timeout = Timespec {
        tv_sec: patience.as_secs() as i64,
        tv_nsec: patience.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(source, PollFlags::IN)];
    loop {
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends `signal`, a number, to the process.
pub(crate) fn signal(process: &OwnedFd, signal: Signal) {
    // The only failure is that it has ended, which is what a signal is for.
    let _ = pidfd_send_signal(process, signal);
}

fn kill_one(pid: i32) -> Option<OwnedFd> {
    let handle = process(pid)?;
    signal(&handle, Signal::KILL);
    Some(handle)
}

/// Repeats `done` until it is true, with growing pauses, for what the kernel offers no event for.
fn retry(patience: Duration, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let until = Instant::now() + patience;
    let mut pause = Duration::from_micros(100);
    while !done()? {
        if Instant::now() >= until {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "the kernel did not follow in time",
            ));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    Ok(())
}

fn number(file: &Path) -> io::Result<u64> {
    parsed(&fs::read_to_string(file)?)
}

/// A number as the kernel writes it; `max` and `-1` are no limits, hence none.
fn parsed(text: &str) -> io::Result<u64> {
    let number = text.trim().parse();
    number.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn narrow(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// The value behind `key` in a file of `key value` lines; 0 where it is missing.
fn keyed(text: &str, key: &str) -> u64 {
    let value = |line: &str| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
25 22 0:21 / /sys rw - sysfs sysfs rw
26 25 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
27 26 0:23 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 - cgroup cgroup rw,cpu,cpuacct
28 26 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
29 26 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
30 26 0:26 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
31 26 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    #[test]
    fn a_hybrid_machine_is_v1_with_controllers_that_may_share_a_mount() {
        let Hierarchies::V1(points) = Hierarchies::from_mounts(HYBRID).unwrap() else {
            panic!("v1 expected")
        };
        assert_eq!(points["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(points["cpuacct"], points["cpu"]);
        assert_eq!(points["memory"], Path::new("/sys/fs/cgroup/memory"));
    }

    #[test]
    fn a_unified_machine_is_v2() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            Hierarchies::from_mounts(mounts),
            Ok(Hierarchies::V2(PathBuf::from(ROOT)))
        );
    }

    #[test]
    fn a_machine_without_a_needed_controller_is_named() {
        let mounts = HYBRID
            .lines()
            .filter(|line| !line.contains("pids"))
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(
            Hierarchies::from_mounts(&mounts),
            Err("no cgroup controller pids under /sys/fs/cgroup".into())
        );
        assert!(Hierarchies::from_mounts("").is_err());
    }

    #[test]
    fn the_own_cgroup_is_found_by_its_controller_whole_names_and_all() {
        let hybrid = "9:name=systemd:/a\n4:cpuacct,cpu:/b:c\n2:freezer:/\n0::/d\n";
        for (controller, path) in [
            ("cpu", Some("/b:c")),
            ("freezer", Some("/")),
            ("", Some("/d")),
            ("memory", None),
        ] {
            assert_eq!(cgroup_of(hybrid, controller), path, "{controller}");
        }
    }

    mod needs_root {
        use super::*;

        #[test]
        fn a_thread_may_be_moved_to_where_it_is() {
            let tasks = Hierarchies::detect().unwrap().own_tasks().unwrap();
            let thread = rustix::thread::gettid().as_raw_pid().to_string();
            fs::write(&tasks, &thread).unwrap();
            let listed = fs::read_to_string(&tasks).unwrap();
            assert!(listed.lines().any(|line| line == thread), "{listed}");
        }
    }

    #[test]
    fn flat_keyed_files_are_read_by_whole_keys() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(keyed(text, "oom_kill"), 3);
        assert_eq!(keyed(text, "oom"), 0);
    }
}
