//! The whole story, by the command that newcomers give first; once more under `kill -9`; and ended early.

mod books;
mod leftovers;
mod needs_root;
mod orphans;
mod without_root;

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

fn nupeer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nupeer"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Containers with limits need root, and an image.
pub(crate) fn must_be_root() {
    let is_root = nix::unistd::geteuid().is_root();
    assert!(
        is_root && Path::new("/bin/busybox").exists(),
        "this needs root and /bin/busybox (busybox-static); scripts/test.sh leaves needs_root:: out without root"
    );
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
        must_be_root();
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
