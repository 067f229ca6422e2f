//! Processes that a command starts and that end with it, however it ends; and the lock that tells a second start.

mod deaths;
mod log_tail;
mod tending;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    error::{CliError, Exit, Outcome, file_error},
    own_log,
};
use deaths::Deaths;
use tending::State;

/// How long a process may take to stop.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(15);

/// Whether Ctrl-C or SIGTERM came since [`heed_signals`].
static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C and SIGTERM end no command at once: what waits for something gives up, and what was started is ended in order.
pub(crate) fn heed_signals() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let unexpected = |error: std::io::Error| CliError::new(Exit::Unexpected, error.to_string());
    let runtime = runtime.map_err(unexpected)?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unexpected)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unexpected)?;
    drop(entered);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        ASKED_TO_STOP.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Fails once Ctrl-C or SIGTERM came.
pub(crate) fn not_interrupted() -> Outcome<()> {
    if ASKED_TO_STOP.load(Ordering::Relaxed) {
        return Err(CliError::new(
            Exit::Interrupted,
            "interrupted; what was started is ended",
        ));
    }
    Ok(())
}

/// Running processes. Copies share them; with the last copy they end, the last started first.
#[derive(Clone)]
pub(crate) struct Processes(Arc<Running>);

struct Running {
    all: Mutex<Vec<Process>>,
    log_bytes_max: u64,
}

/// What a process is started by, each time.
struct Launch {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    log_bytes_max: u64,
}

/// A process that is to run.
struct Process {
    launch: Launch,
    child: Child,
    /// When it was started last.
    started: Instant,
    state: State,
    deaths: Deaths,
}

impl Launch {
    fn spawn(&self) -> Outcome<Child> {
        let log = &self.log;
        let open = || fs::OpenOptions::new().create(true).append(true).open(log);
        let (out, err) = (
            open().map_err(|error| file_error(log, &error))?,
            open().map_err(|error| file_error(log, &error))?,
        );
        let mut command = Command::new(own_program());
        let bounds =
            own_log::variables(log, self.log_bytes_max).map_err(|error| file_error(log, &error))?;
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(bounds)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        // Ctrl-C is for this process, which then stops them in order.
        command.process_group(0);
        spawn_bound(command, &self.name)
    }
}

impl Process {
    fn new(launch: Launch) -> Outcome<Self> {
        Ok(Process {
            child: launch.spawn()?,
            launch,
            started: Instant::now(),
            state: State::Runs,
            deaths: Deaths::default(),
        })
    }

    /// Starts it as it was started first.
    fn start_again(&mut self, now: Instant) -> Outcome<()> {
        self.started = now;
        self.child = self.launch.spawn()?;
        self.state = State::Runs;
        Ok(())
    }

    /// Sends `signal`, unless it has ended: then its number may be another's by now.
    fn send(&mut self, signal: Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(pid(&self.child), signal);
        }
    }

    /// How it ended, with the end of its log.
    fn ended(&self, status: ExitStatus) -> String {
        let mut what = format!("the {} ended by itself ({status})", self.launch.name);
        let last = log_tail::lines(&self.launch.log);
        if !last.is_empty() {
            what.push_str("; the end of its log:");
        }
        for line in last {
            what.push_str("\n  ");
            what.push_str(&line);
        }
        what
    }
}

impl Processes {
    /// None yet. The log of each is begun anew at so many bytes, with the one before kept.
    pub(crate) fn new(log_bytes_max: u64) -> Self {
        Processes(Arc::new(Running {
            all: Mutex::default(),
            log_bytes_max,
        }))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Process>> {
        self.0.all()
    }

    /// Starts `nupeer` with these arguments; standard output and error go to the file `log`.
    pub(crate) fn start(
        &self,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Outcome<()> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let process = Process::new(Launch {
            name: name.to_owned(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: environment.collect(),
            log: log.to_owned(),
            log_bytes_max: self.0.log_bytes_max,
        })?;
        self.all().push(process);
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// Ends some of them as a power cut would, and starts them again as they were started first; their names.
    pub(crate) fn kill_and_restart(&self, chosen: &[usize]) -> Outcome<Vec<String>> {
        let mut all = self.all();
        let mut named = Vec::new();
        for place in chosen {
            if let Some(process) = all.get_mut(*place) {
                process.send(Signal::SIGKILL);
            }
        }
        for place in chosen {
            let Some(process) = all.get_mut(*place) else {
                continue;
            };
            let _ = process.child.wait();
            process.start_again(Instant::now())?;
            named.push(process.launch.name.clone());
        }
        Ok(named)
    }

    /// Ends all of them, the last started first, and waits until they have.
    pub(crate) fn end(&self) {
        self.0.end();
    }

    /// Ends those that were started after the first `count`, and waits until they have.
    pub(crate) fn end_after(&self, count: usize) {
        let mut all = self.all();
        let count = count.min(all.len());
        let started = all.split_off(count);
        drop(all);
        end(started);
    }

    /// Fails if one has ended by itself; as already running, if that is why.
    pub(crate) fn all_alive(&self) -> Outcome<()> {
        not_interrupted()?;
        for process in self.all().iter_mut() {
            if let Ok(Some(status)) = process.child.try_wait() {
                let is_taken = status.code() == Some(Exit::AlreadyRunning as i32);
                let exit = if is_taken {
                    Exit::AlreadyRunning
                } else {
                    Exit::Unexpected
                };
                let error = CliError::new(exit, process.ended(status));
                return Err(error.next(format!("{} tells more", process.launch.log.display())));
            }
        }
        Ok(())
    }

    /// Asks until `done` says yes, as long as all processes live: also then, since another's process may have been what was asked.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut() -> bool,
    ) -> Outcome<()> {
        let end = Instant::now() + limit;
        loop {
            let is_done = done();
            self.all_alive()?;
            if is_done {
                return Ok(());
            }
            if Instant::now() >= end {
                let what = format!("{what}: not within {} s", limit.as_secs());
                let error = CliError::new(Exit::Waited, what);
                let all = self.all();
                let logs = all.iter().map(|process| process.launch.log.display());
                return Err(logs.fold(error, |error, log| {
                    error.next(format!("{log} may tell why"))
                }));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Running {
    fn all(&self) -> MutexGuard<'_, Vec<Process>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        end(std::mem::take(&mut *self.all()));
    }
}

/// Ends processes, the last one first.
fn end(mut all: Vec<Process>) {
    for process in all.iter_mut().rev() {
        process.send(Signal::SIGTERM);
    }
    let end = Instant::now() + STOP_MAX;
    for process in all.iter_mut().rev() {
        while matches!(process.child.try_wait(), Ok(None)) {
            if Instant::now() >= end {
                let _ = process.child.kill();
                let _ = process.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// What starts this program once more: its path, or, where another build has taken its place, the file that runs.
pub(crate) fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    let file = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let named = std::env::current_exe().ok();
    let named = named.filter(|path| file(path).is_some_and(|it| file(&running) == Some(it)));
    named.unwrap_or(running)
}

/// Starts a process that the kernel ends when this one ends, even by `kill -9`.
pub(crate) fn spawn_bound(mut command: Command, name: &str) -> Outcome<Child> {
    let parent = std::process::id();
    #[allow(unsafe_code)]
    // SAFETY: both calls are async-signal-safe and touch no memory of the parent.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGTERM)?;
            // The parent may have ended before the signal was asked for.
            if std::os::unix::process::parent_id() != parent {
                return Err(std::io::Error::other("the parent has ended"));
            }
            Ok(())
        });
    }
    command.spawn().map_err(|error| {
        CliError::new(
            Exit::Unexpected,
            format!("the {name} did not start: {error}"),
        )
    })
}

/// Takes the lock file at `path`, or says who has it.
pub(crate) fn lock(path: &Path, what: &str) -> Outcome<Flock<fs::File>> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path);
    let file = file.map_err(|error| file_error(path, &error))?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        let owner = fs::read_to_string(path).unwrap_or_default();
        let what = format!("{what} is running already (process {})", owner.trim());
        let folder = path.parent().unwrap_or(path).display();
        CliError::new(Exit::AlreadyRunning, what)
            .next("nupeer status                asks it")
            .next(format!("nupeer down --data {folder}   ends it"))
    })?;
    fs::write(path, std::process::id().to_string()).map_err(|error| file_error(path, &error))?;
    Ok(lock)
}

/// Whether somebody holds the lock file at `path`.
pub(crate) fn is_locked(path: &Path) -> bool {
    fs::File::open(path)
        .is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err())
}

/// The process that holds the lock file at `path`.
pub(crate) fn lock_owner(path: &Path) -> Outcome<Pid> {
    let owner = fs::read_to_string(path).map_err(|error| file_error(path, &error))?;
    let owner = owner
        .trim()
        .parse()
        .map_err(|_| CliError::new(Exit::Unexpected, "the lock names no process"))?;
    Ok(Pid::from_raw(owner))
}

/// Free ports of this machine, each held until all are chosen so that none is given twice.
#[derive(Default)]
pub(crate) struct FreePorts(Vec<TcpListener>);

impl FreePorts {
    /// `wanted` if it is free, else one that the kernel chooses.
    pub(crate) fn take(&mut self, wanted: Option<SocketAddr>) -> Outcome<u16> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(wanted.unwrap_or(any)).or_else(|_| TcpListener::bind(any));
        let listener = listener
            .map_err(|error| CliError::new(Exit::Unexpected, format!("no free port: {error}")))?;
        let port = listener.local_addr().map(|address| address.port());
        self.0.push(listener);
        port.map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_by_itself_is_named_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (running, log) = (Processes::new(1 << 20), folder.path().join("log"));
        // This test's own program, which does not know that flag and says so.
        let started = running.start("thing", &["--no-such-flag"], &[], &log);
        started.unwrap();
        let waited = running.wait_until("nothing", Duration::from_secs(30), || false);
        let error = waited.unwrap_err();
        assert_eq!(error.exit, Exit::Unexpected);
        assert!(
            error.what.starts_with("the thing ended by itself"),
            "{}",
            error.what
        );
        assert!(error.what.contains("no-such-flag"), "{}", error.what);
        assert_eq!(error.next, [format!("{} tells more", log.display())]);
    }

    #[test]
    fn what_answers_after_the_own_process_ended_is_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let (running, log) = (Processes::new(1 << 20), folder.path().join("log"));
        let started = running.start("thing", &["--no-such-flag"], &[], &log);
        started.unwrap();
        let answers_at_last = || {
            while running.all_alive().is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
            true
        };
        let waited = running.wait_until("an answer", Duration::from_secs(30), answers_at_last);
        let error = waited.unwrap_err();
        assert_eq!(error.exit, Exit::Unexpected);
        let words = "the thing ended by itself";
        assert!(error.what.starts_with(words), "{}", error.what);
    }
}
