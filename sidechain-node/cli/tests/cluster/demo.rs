//! The whole story, by the command that newcomers give first; once more under `kill -9`; and ended early.

mod books;
mod leftovers;

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::Value;

fn nupeer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nupeer"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A demo in a folder of its own, in a process group of its own as in a shell.
struct Demo {
    data: PathBuf,
    report: PathBuf,
    child: Child,
    /// What it says, line by line.
    lines: mpsc::Receiver<String>,
    /// What it said so far.
    text: String,
    before: leftovers::Before,
}

impl Demo {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let (data, report) = (folder.join("demo"), folder.join("report.json"));
        let before = leftovers::Before::look();
        let mut command = nupeer(&["demo", "--data"]);
        command.arg(&data).arg("--json").arg(&report).args(more);
        command.process_group(0).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = mpsc::channel();
        let err = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            err.lines().map_while(Result::ok).for_each(|line| {
                let _ = tell.send(line);
            });
        });
        Demo {
            data,
            report,
            child,
            lines,
            text: String::new(),
            before,
        }
    }

    /// Reads on until it says this.
    fn until_said(&mut self, words: &str) {
        self.next_lines(|line| line.contains(words));
        assert!(self.text.contains(words), "{words} in\n{}", self.text);
    }

    fn next_lines(&mut self, is_last: impl Fn(&str) -> bool) {
        // It tells something at least every five seconds; a machine may be slow.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            self.text.push_str(&line);
            self.text.push('\n');
            if is_last(&line) {
                return;
            }
        }
    }

    /// Its exit code, once it has ended.
    fn ends(&mut self) -> Option<i32> {
        self.next_lines(|_| false);
        self.child.wait().unwrap().code()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(&self.report).unwrap()).unwrap()
    }

    /// `nupeer down` for this demo.
    fn down(&self) -> Output {
        nupeer(&["down", "--data"])
            .arg(&self.data)
            .output()
            .unwrap()
    }
}

impl Drop for Demo {
    /// A test that failed leaves nothing behind either: SIGTERM has the demo end its workloads too.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(self.pid(), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// Containers need root: without it this is no test, except where it must be one.
#[allow(clippy::print_stderr)]
fn is_root() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "continuous integration runs this as root"
    );
    eprintln!("skipped: the provider's containers need root");
    false
}

#[test]
fn the_story_comes_true_and_goes_on_running_until_it_is_asked_to_end() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &[]);
    demo.until_said("Everything goes on running");
    let report = demo.report();
    books::check(&report);
    let down = demo.down();
    assert_eq!(down.status.code(), Some(0), "{}", said(&down));
    assert_eq!(demo.ends(), Some(0), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, Some(&report));
}

#[test]
#[allow(clippy::print_stdout)] // the seed, to repeat a failure with
fn the_story_comes_true_to_the_lovelace_though_any_process_or_all_are_killed_twenty_times() {
    if !is_root() {
        return;
    }
    let seed = std::env::var("NUPEER_TEST_SEED");
    let seed = seed.unwrap_or_else(|_| rand::random::<u32>().to_string());
    println!("NUPEER_TEST_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--once", "--havoc", &seed]);
    assert_eq!(demo.ends(), Some(0), "{}", demo.text);
    let report = demo.report();
    assert_eq!(report["kills"], 20);
    books::check(&report);
    leftovers::assert_none(&demo.before, &demo.data, Some(&report));
}

#[test]
fn a_second_demo_says_what_runs_and_ctrl_c_ends_all_that_the_first_started() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &[]);
    demo.until_said("[8/11]  workload       ok");

    let mut second = nupeer(&["demo", "--once", "--data"]);
    let second = second.arg(&demo.data).output().unwrap();
    assert_eq!(second.status.code(), Some(11), "{}", said(&second));
    let running = format!("the demo is running already (process {})", demo.pid());
    assert!(said(&second).contains(&running), "{}", said(&second));
    let ends = format!("nupeer down --data {}", demo.data.display());
    assert!(said(&second).contains(&ends), "{}", said(&second));
    // What is looked for at the end is seen now: the workload, in a network of its own.
    assert!(leftovers::cgroups(&demo.data).is_some_and(|all| !all.is_empty()));
    let tied = leftovers::processes(&demo.data, None);
    assert!(
        tied.iter().any(|process| process.namespace.is_some()),
        "{tied:?}"
    );

    // As a terminal does: to everybody in the foreground.
    killpg(demo.pid(), Signal::SIGINT).unwrap();
    assert_eq!(demo.ends(), Some(130), "{}", demo.text);
    let last = "interrupted; what was started is ended";
    assert!(demo.text.contains(last), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, None);
}

#[test]
fn nupeer_down_ends_a_demo_in_the_middle_of_its_story() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--once"]);
    demo.until_said("[4/11]  deposits       ..");
    let down = demo.down();
    assert_eq!(down.status.code(), Some(0), "{}", said(&down));
    assert_eq!(demo.ends(), Some(130), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, None);
    let again = demo.down();
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&again.stdout),
        "nothing runs there\n"
    );
}
