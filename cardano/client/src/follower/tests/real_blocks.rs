//! Blocks of real networks, where the folder of chain data is at hand.

use std::path::{Path, PathBuf};

use minicbor::Decoder;

use super::super::block;
use super::*;
use crate::testing::Block;

/// A folder of chain data, from `NUPEER_CHAIN_DATA` or beside the workspace. Absent, the test is skipped; in CI it
/// fails.
pub(super) fn chain_data(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("NUPEER_CHAIN_DATA")
        .map_or_else(|| "../shared/chain-data".into(), PathBuf::from);
    let path = root.join(data).join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no chain data at {}",
        path.display()
    );
    // What a skipped test says is for whoever reads the runner's output.
    #[allow(clippy::print_stderr)]
    {
        eprintln!("skipped: no chain data at {}", path.display());
    }
    None
}

/// The blocks of one chunk of a node's immutable database: one after another, each `[era, block]`.
pub(super) fn chunk() -> Option<Vec<Block>> {
    let folder = chain_data("immutable")?;
    let chunk = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let chunk = chunk
        .filter(|path| path.extension().is_some_and(|end| end == "chunk"))
        .min()
        .unwrap();
    let bytes = std::fs::read(chunk).unwrap();
    let mut d = Decoder::new(&bytes);
    let mut blocks = Vec::new();
    while d.position() < bytes.len() {
        let start = d.position();
        d.skip().unwrap();
        let raw = bytes[start..d.position()].to_vec();
        blocks.push(Block {
            tip: block::read(&raw).unwrap().tip,
            raw,
        });
    }
    Some(blocks)
}

#[test]
fn real_blocks_of_every_era_since_shelley_are_read() {
    let Some(folder) = chain_data("blocks") else {
        return;
    };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(raw) = hex::decode(text.trim()) else {
            continue;
        };
        match block::read(&raw) {
            Ok(_) => read += 1,
            Err(BlockError::Byron) => {}
            // Upstream keeps a few headers and deliberately odd encodings among its blocks.
            Err(BlockError::Malformed(_)) => {}
            Err(other) => panic!("{}: {other}", path.display()),
        }
    }
    assert!(read > 10, "{read} blocks");
}

#[tokio::test]
async fn a_real_chunk_is_followed_from_its_first_block() {
    let Some(blocks) = chunk() else { return };
    let from = blocks[0].tip.point;
    let node = TestNode::start(42, blocks.clone());
    let needed = FollowerConfig {
        retention: Retention::WindowAndConsumed,
        ..config(&node, Some(from))
    };
    let fixture = Fixture::new(needed);
    let running = fixture.start();
    fixture.until_at(blocks.last().unwrap()).await;
    running.stop().await;
    fixture.assert_holds(Some(from), &blocks[1..]);
}
