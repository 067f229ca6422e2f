//! A client in TypeScript, `@harmoniclabs/ouroboros-miniprotocols-ts` (`tests/strangers-js/follow.mjs`).

use std::{path::Path, process::Stdio};

use nupeer_devnet::{Devnet, view::Block};
use nupeer_testing::npm;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::common::node::{MAGIC, PATIENCE, devnet, fork, mint};

/// The client, and what it says.
struct Follower {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Follower {
    fn start(devnet: &Devnet) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strangers-js");
        let folder = npm::installed(&sources, Path::new(env!("CARGO_TARGET_TMPDIR")));
        let folder = folder.unwrap_or_else(|reason| {
            panic!("{reason}; scripts/test.sh leaves needs_npm:: out where node or npm is missing")
        });
        let mut child = Command::new("node")
            .arg(folder.join("follow.mjs"))
            .arg(devnet.socket_path())
            .arg(MAGIC.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        let out = child.stdout.take().expect("its output");
        Follower {
            lines: BufReader::new(out).lines(),
            _child: child,
        }
    }

    async fn says(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("in time").expect("text").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Reads on until it has this block; what it has by then.
    async fn follow(&mut self, hashes: &mut Vec<String>, until: &Block) {
        while hashes.last() != Some(&until.hash.to_string()) {
            let said = self.says().await;
            let hash = said["forward"].as_str();
            hashes.push(hash.unwrap_or_else(|| panic!("{said}")).to_owned());
        }
    }
}

fn blocks(devnet: &Devnet) -> Vec<Block> {
    let view = devnet.view();
    (0..view.tip().height)
        .filter_map(|number| view.block(number))
        .collect()
}

#[tokio::test]
async fn a_client_in_typescript_follows_through_a_fork() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 20).await;
    let mut follower = Follower::start(&devnet);

    // It is told not to ask for the versions alone, and asks all the same: that is its fault, and it is answered as the protocol wants.
    let queried = follower.says().await;
    assert_eq!(queried["queried"], "HandshakeQueryReply");
    let sent = queried["sent"][0].as_str().expect("its proposal");
    assert!(
        sent.starts_with("8200a4") && sent.ends_with("182af5"),
        "{sent}"
    );
    assert_eq!(queried["versions"][0], 16);
    assert_eq!(follower.says().await["accepted"], 16);

    assert_eq!(follower.says().await["back"], Value::Null);
    let mut hashes = Vec::new();
    let before = blocks(&devnet);
    follower
        .follow(&mut hashes, before.last().expect("a block"))
        .await;
    assert_eq!(hashes.len(), 20);

    fork(&devnet, 7).await;
    let after = blocks(&devnet);
    let back = follower.says().await;
    let cut = &before[12];
    assert_eq!(back["back"]["hash"], cut.hash.to_string());
    assert_eq!(back["back"]["slot"], cut.slot);
    hashes.truncate(13);
    follower
        .follow(&mut hashes, after.last().expect("a block"))
        .await;
    let ours: Vec<String> = after.iter().map(|block| block.hash.to_string()).collect();
    assert_eq!(hashes, ours);
}
