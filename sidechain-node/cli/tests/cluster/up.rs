//! `nupeer up` keeps its cluster running, and its logs short.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, Barrier, Mutex},
};

use nix::{sys::signal::kill, unistd::Pid};
use nupeer_testing::child::{Signal, dies_with_us};
use serde_json::Value;

use crate::{
    asking::{command, command_of, nupeer, nupeer_json},
    validators::{NUPEER, wait_until},
};

/// A cluster that goes on running, and everything that is told of it.
struct Up {
    folder: tempfile::TempDir,
    child: Child,
    urls: Vec<String>,
    told: Arc<Mutex<String>>,
}

impl Up {
    /// Four validators with a block each 200 ms.
    fn start(more: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Up::of(Path::new(NUPEER), folder, more, variables)
    }

    /// As [`Up::start`], in this folder, of the `nupeer` that lies at `program`.
    fn of(
        program: &Path,
        folder: tempfile::TempDir,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut up = command_of(program, folder.path(), "http://127.0.0.1:1");
        up.args(["--json", "up", "--data", "cluster"])
            .args(["--block-target-ms", "200"])
            .args(more)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = dies_with_us(&mut up, Signal::SIGTERM).spawn().unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let (heard, mut err) = (told.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(read @ 1..) = err.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]);
                heard.lock().unwrap().push_str(&text);
            }
        });
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let result: Value = serde_json::from_str(&line).unwrap_or_default();
        let urls = result["api_urls"].as_array().into_iter().flatten();
        let urls = urls.map(|url| url.as_str().unwrap().to_owned()).collect();
        Up {
            folder,
            child,
            urls,
            told,
        }
    }

    fn until_told(&self, words: &str) {
        let is_told = || self.told.lock().unwrap().contains(words);
        wait_until(&format!("{words:?} is told"), is_told);
    }

    fn height(&self, index: usize) -> Option<u64> {
        let output = nupeer_json(self.folder.path(), &self.urls[index], &["status"]);
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        status["height"].as_u64()
    }

    /// Waits until three more blocks are decided, as `index` sees it.
    fn goes_on(&self, index: usize) {
        let from = self.urls.iter().enumerate();
        let from = from.filter_map(|(other, _)| self.height(other)).max();
        let from = from.expect("somebody answers");
        wait_until(&format!("validator {index} goes on"), || {
            self.height(index) >= Some(from + 3)
        });
    }

    /// The process that runs as `index` now.
    fn pid(&self, index: usize) -> Option<Pid> {
        let config = format!("validator-{index}/node.toml");
        let parent = format!("\nPPid:\t{}\n", self.child.id());
        let is_it = |process: &PathBuf| {
            let read = |name: &str| fs::read_to_string(process.join(name)).unwrap_or_default();
            read("cmdline").contains(&config) && read("status").contains(&parent)
        };
        let all = fs::read_dir("/proc").unwrap().flatten();
        let found = all.map(|entry| entry.path()).find(is_it)?;
        let number = found.file_name()?.to_str()?.parse().ok()?;
        Some(Pid::from_raw(number))
    }

    fn validator(&self, index: usize) -> PathBuf {
        let name = format!("cluster/validator-{index}");
        self.folder.path().join(name)
    }

    /// `nupeer down`, which both ends see as done.
    fn down(&mut self) {
        let down = nupeer(
            self.folder.path(),
            "http://127.0.0.1:1",
            &["down", "--data", "cluster"],
        );
        assert!(down.status.success(), "{}", self.told.lock().unwrap());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{}", self.told.lock().unwrap());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = Pid::from_raw(self.child.id().try_into().unwrap());
            let _ = kill(pid, Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

#[test]
fn a_validator_that_is_killed_comes_back_and_one_that_cannot_start_is_given_up_alone() {
    let mut up = Up::start(&[], &[]);
    let before: Vec<Pid> = (0..4).map(|index| up.pid(index).unwrap()).collect();
    kill(before[2], Signal::SIGKILL).unwrap();
    up.until_told("the validator 2 ended by itself (signal: 9 (SIGKILL)");
    up.until_told("it is started again in 1 s; the others go on");
    up.goes_on(0);
    up.until_told("the validator 2 is started again");
    up.goes_on(2);
    assert!(up.pid(2).is_some_and(|pid| pid != before[2]));

    let settings = up.validator(3).join("node.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("no_such_key = 1\n{text}")).unwrap();
    kill(before[3], Signal::SIGKILL).unwrap();
    up.until_told("error NP6300: the validator 3 ended 5 times within 60 s");
    up.until_told("no_such_key");
    assert_eq!(up.pid(3), None);
    for index in [0, 1, 2] {
        up.goes_on(index);
    }
    let now = |index: usize| up.pid(index).unwrap();
    assert_eq!([now(0), now(1)], [before[0], before[1]]);
    up.down();
}

#[test]
fn each_log_is_begun_anew_when_it_is_full_and_one_older_is_kept() {
    // The engine tells of some twenty things for each block.
    let mut up = Up::start(&["--log-max", "16KiB"], &[("NUPEER_LOG", "info")]);
    let older = |index: usize| fs::metadata(up.validator(index).join("log.1")).ok();
    let first: Vec<_> = (0..4)
        .map(|index| {
            wait_until("a full log", || older(index).is_some());
            older(index).unwrap().ino()
        })
        .collect();
    for (index, first) in first.into_iter().enumerate() {
        wait_until("the next full log", || {
            older(index).is_some_and(|log| log.ino() != first)
        });
        let mut names = Vec::new();
        // Between the end of one log and the beginning of the next there is one alone.
        wait_until("two logs", || {
            let all = fs::read_dir(up.validator(index)).unwrap().flatten();
            names = all.map(|entry| entry.file_name()).collect();
            names.retain(|name| name.to_string_lossy().starts_with("log"));
            names.len() != 1
        });
        names.sort();
        assert_eq!(names, ["log", "log.1"]);
        // Its bound, and what is written until somebody looks.
        let bytes = older(index).unwrap().len();
        assert!((16 << 10..512 << 10).contains(&bytes), "{bytes}");
    }
    up.down();
}

#[test]
fn clusters_that_start_at_once_take_different_ports() {
    let all_have = Barrier::new(3);
    // Each lives as long as the thread that starts it, and waits for the others: nothing in it may panic.
    let one = || {
        let up = Up::start(&["--validators", "1"], &[]);
        all_have.wait();
        let url = up.urls.first().cloned().unwrap_or_default();
        let ask = |words: &[&str]| -> Value {
            let output = nupeer_json(up.folder.path(), &url, words);
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        };
        let own = ask(&["genesis", "show", "cluster/genesis.json"])["id"].clone();
        let served = ask(&["status"])["genesis"].clone();
        all_have.wait();
        (url, own, served)
    };
    let started: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|up| up.join().unwrap()).collect()
    });
    for (_, own, served) in &started {
        assert!(own.is_string() && own == served, "{started:?}");
    }
    let urls: BTreeSet<&str> = started.iter().map(|(url, ..)| url.as_str()).collect();
    assert_eq!(urls.len(), 3, "{urls:?}");
}

#[test]
fn a_node_whose_port_is_taken_says_which_and_ends_as_one_that_runs_already() {
    let mut up = Up::start(&["--validators", "1"], &[]);
    up.down();
    let settings = up.validator(0).join("node.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap().port(), taken);
    for (key, words) in [
        ("consensus_listen", "NP6803: cannot listen at"),
        ("gossip_listen", "NP6051: cannot listen at"),
        ("api_listen", "the API cannot listen at"),
    ] {
        // Any port but for that one.
        let with_port = |line: &str| match line.split_once("_listen = \"") {
            Some(_) => {
                let port = if line.starts_with(key) { taken.0 } else { 0 };
                let own =
                    line.trim_end_matches(['"', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
                format!("{own}{port}\"\n")
            }
            None => format!("{line}\n"),
        };
        fs::write(&settings, text.lines().map(with_port).collect::<String>()).unwrap();
        let mut node = command(up.folder.path(), "http://127.0.0.1:1");
        let node = node
            .args(["node", "--config"])
            .arg(&settings)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&node.stderr);
        assert_eq!(node.status.code(), Some(11), "{key}: {said}");
        assert!(said.contains(words), "{key}: {said}");
        assert!(said.contains(&taken.0.to_string()), "{key}: {said}");
    }
}

#[test]
fn a_cluster_whose_program_is_replaced_goes_on_with_the_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("nupeer");
    let linked = fs::hard_link(NUPEER, &program);
    linked
        .or_else(|_| fs::copy(NUPEER, &program).map(drop))
        .unwrap();
    let mut up = Up::of(&program, folder, &[], &[]);
    fs::remove_file(&program).unwrap();
    fs::write(&program, "another build").unwrap();
    // Not the first, whose port is the default one: another test's cluster would take it meanwhile.
    let before = up.pid(2).unwrap();
    kill(before, Signal::SIGKILL).unwrap();
    up.until_told("the validator 2 is started again");
    up.goes_on(2);
    assert!(up.pid(2).is_some_and(|pid| pid != before));
    up.down();
}
