//! Blocks of real networks, where the folder of chain data is at hand.

use nupeer_testing::chain_data;

use super::super::block;
use super::*;
use crate::testing::Block;

/// The blocks of one chunk of a node's immutable database.
fn chunk() -> Vec<Block> {
    let raw = chain_data::immutable_blocks().into_iter();
    let block = |raw: Vec<u8>| Block {
        tip: block::read(&raw).unwrap().tip,
        raw,
    };
    raw.map(block).collect()
}

#[test]
fn real_blocks_of_every_era_since_shelley_are_read() {
    let folder = chain_data::folder("blocks");
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
    let blocks = chunk();
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

#[test]
fn a_block_of_byron_is_refused_by_name() {
    let file = chain_data::folder("blocks").join("byron2.block");
    let raw = hex::decode(std::fs::read_to_string(file).unwrap().trim()).unwrap();
    assert_eq!(block::read(&raw), Err(BlockError::Byron));
}
