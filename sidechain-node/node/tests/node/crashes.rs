//! A node that dies at any failpoint goes on where it was, with the same state as one that did not die, and loses nothing
//! decided. Crashes are real: a child process aborts.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::support::{
    Cluster,
    chain::{self, Pay},
    height, reaches,
    solo::Solo,
};
use nupeer_consensus::Application;
use nupeer_node::store::{Store, StoreConfig};
use nupeer_primitives::{Hash, Height};

/// Every failpoint of the crate; `failpoints_are_those_of_the_sources` holds it to that.
const FAILPOINTS: [&str; 7] = [
    "genesis-before-write",
    "undecided-before-store",
    "undecided-stored",
    "decided-before-execution",
    "decided-before-commit",
    "decided-after-commit",
    "decided-before-reply",
];

/// Where the child works, where it dies, and at which pass.
const FOLDER: &str = "NUPEER_TEST_FOLDER";
const FAILPOINT: &str = "NUPEER_TEST_FAILPOINT";
const PASS: &str = "NUPEER_TEST_PASS";

const BLOCKS: u64 = 6;
const ACCOUNTS: u16 = 4;

#[test]
fn failpoints_are_those_of_the_sources() {
    nupeer_testing::failpoints::assert_all_named(env!("CARGO_MANIFEST_DIR"), &FAILPOINTS);
}

/// In a child: dies at the failpoint that its parent chose. Everywhere: dies with the parent.
fn arm() {
    let Ok(name) = env::var(FAILPOINT) else {
        return;
    };
    let pass: u64 = env::var(PASS).unwrap().parse().unwrap();
    let passed = AtomicU64::new(0);
    fail::cfg_callback(name, move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == pass {
            std::process::abort();
        }
    })
    .unwrap();
    std::thread::spawn(|| {
        // The parent holds the other end: it ends when the parent does.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::abort();
    });
}

/// The folder that the parent chose, or one of our own.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match env::var(FOLDER) {
        Ok(folder) => (folder.into(), None),
        Err(_) => {
            let own = tempfile::tempdir().unwrap();
            (own.path().into(), Some(own))
        }
    }
}

/// Runs a test of this binary in a child that dies at a pass of a failpoint, or not at all.
fn child(test: &str, folder: &Path, dies_at: Option<(&str, u64)>) -> ExitStatus {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder);
    let (name, pass) = dies_at.unwrap_or(("none", 1));
    command.env(FAILPOINT, name).env(PASS, pass.to_string());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // `wait` would close the pipe first, which the child takes for our death.
    let pipe = child.stdin.take();
    let status = child.wait().unwrap();
    drop(pipe);
    status
}

/// Whether a child died at its failpoint, and not of anything else.
fn was_aborted(status: ExitStatus) -> bool {
    const SIGABRT: i32 = 6;
    status.signal() == Some(SIGABRT)
}

impl Solo {
    /// Decides one block as consensus would: what is stored undecided is decided, never another one.
    async fn decide_one(&self) {
        let height = self.app.next_height().await.unwrap();
        let stored = self.app.undecided(height).await.unwrap();
        let block = match stored.into_iter().next() {
            Some(undecided) => undecided.block,
            None => {
                (0..ACCOUNTS).for_each(|from| self.submit(&pay(from, height)));
                self.build_and_store().await
            }
        };
        self.decide(block).await.unwrap();
    }
}

fn pay(from: u16, height: Height) -> Pay {
    Pay::new(from, (from + 1) % ACCOUNTS, height.0 - 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solo_chain_gets_to_its_end() {
    arm();
    let (folder, _own) = folder();
    let solo = Solo::open(&folder, ACCOUNTS);
    while solo.executor.store().tip().unwrap().height < Height(BLOCKS) {
        solo.decide_one().await;
    }
    assert_eq!(solo.executor.store().tip().unwrap().height, Height(BLOCKS));
}

/// Everything that was decided, as bytes.
fn decided(folder: &Path) -> Vec<(Vec<u8>, Hash)> {
    let genesis = chain::genesis(1, ACCOUNTS);
    let store = Store::open(&StoreConfig::new(folder), &genesis).unwrap();
    let read = |height| {
        let certificate = store.certificate(height).unwrap().unwrap();
        (store.block(height).unwrap().unwrap(), certificate.block)
    };
    (1..=store.tip().unwrap().height.0)
        .map(|height| read(Height(height)))
        .collect()
}

#[test]
fn a_crash_at_any_failpoint_changes_nothing_in_the_end() {
    const TEST: &str = "crashes::a_solo_chain_gets_to_its_end";
    let whole = tempfile::tempdir().unwrap();
    assert!(child(TEST, whole.path(), None).success());
    let expected = decided(whole.path());
    assert_eq!(expected.len() as u64, BLOCKS);
    for name in FAILPOINTS {
        let folder = tempfile::tempdir().unwrap();
        // The first pass, and one in the middle of things. The genesis is written once.
        let passes: &[u64] = if name == "genesis-before-write" {
            &[1]
        } else {
            &[1, 3]
        };
        for pass in passes {
            let status = child(TEST, folder.path(), Some((name, *pass)));
            assert!(was_aborted(status), "{name} {pass}: {status}");
            let so_far = decided(folder.path());
            assert_eq!(so_far[..], expected[..so_far.len()], "{name} {pass}");
        }
        assert!(child(TEST, folder.path(), None).success(), "{name}");
        assert_eq!(decided(folder.path()), expected, "{name}");
    }
}

/// Where the node of the child writes what it has heard to be decided.
fn heard(folder: &Path) -> PathBuf {
    folder.join("heard")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_its_own_gets_on() {
    arm();
    let (folder, _own) = folder();
    let cluster = Cluster::at(&folder, 1, ACCOUNTS);
    let node = cluster.start(0).await.unwrap();
    let handle = node.handle();
    let (mut blocks, start) = (handle.subscribe(), height(&handle).0);
    let mut log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(heard(&folder))
        .unwrap();
    let account = chain::account(0);
    while height(&handle).0 < start + 5 {
        let sequence = {
            let view = handle.view().unwrap();
            nupeer_ledger::sequence::next(&view, &account, &account.hash())
        };
        // It may have been decided since we looked.
        let _ = handle
            .submit(Pay::new(0, 1, sequence).bytes(handle.chain()))
            .await;
        let block = crate::support::soon("a block", blocks.recv())
            .await
            .unwrap();
        let ids: Vec<String> = block
            .transactions
            .iter()
            .map(|t| t.id.to_string())
            .collect();
        // In one piece: this process is killed between any two.
        let line = format!("{} {} {}\n", block.height, block.id, ids.join(" "));
        log.write_all(line.as_bytes()).unwrap();
    }
    node.stop().await.unwrap();
}

#[test]
fn a_node_with_consensus_loses_nothing_decided_at_any_failpoint() {
    const TEST: &str = "crashes::a_node_of_its_own_gets_on";
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for name in FAILPOINTS {
        let folder = tempfile::tempdir().unwrap();
        let passes: &[u64] = if name == "genesis-before-write" {
            &[1]
        } else {
            &[1, 3]
        };
        for pass in passes {
            let status = child(TEST, folder.path(), Some((name, *pass)));
            assert!(was_aborted(status), "{name} {pass}: {status}");
        }
        assert!(child(TEST, folder.path(), None).success(), "{name}");
        runtime.block_on(nothing_is_lost(folder.path(), name));
    }
}

async fn nothing_is_lost(folder: &Path, name: &str) {
    let cluster = Cluster::at(folder, 1, ACCOUNTS);
    let node = cluster.start(0).await.unwrap();
    let handle = node.handle();
    reaches(&handle, Height(height(&handle).0 + 1)).await;
    let mut at: BTreeMap<u64, String> = BTreeMap::new();
    for line in fs::read_to_string(heard(folder)).unwrap().lines() {
        let (number, rest) = line.split_once(' ').unwrap();
        at.insert(number.parse().unwrap(), rest.into());
    }
    assert!(at.len() >= 5, "{name}");
    for (number, rest) in at {
        let summary = handle.summary(Height(number)).unwrap().unwrap();
        let ids: Vec<String> = summary
            .transactions
            .iter()
            .map(|t| t.id.to_string())
            .collect();
        assert_eq!(
            format!("{} {}", summary.id, ids.join(" ")),
            rest,
            "{name} at {number}"
        );
    }
    node.stop().await.unwrap();
}
