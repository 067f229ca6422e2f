//! Against a chunk of a preprod node's immutable database.

use std::{sync::Arc, time::Duration};

use nupeer_devnet::{replay::Replay, view::Block};
use nupeer_testing::{
    chain_data,
    immutable::{StoredBlock, stored_blocks},
};
use pallas_crypto::hash::Hasher;
use pallas_network::{
    facades::NodeClient,
    miniprotocols::{
        Point,
        chainsync::{NextResponse, Tip},
    },
};
use pallas_traverse::{Era, MultiEraBlock};
use tempfile::TempDir;
use tokio::time::timeout;

const PREPROD_MAGIC: u64 = 1;
/// Longer than anything here takes on the slowest machine: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each chunk in the folder, with its blocks.
fn chunks() -> Vec<Vec<StoredBlock>> {
    let paths = chain_data::files(&chain_data::folder("immutable"), "chunk");
    let chunks: Vec<_> = paths.iter().map(|path| stored_blocks(path)).collect();
    assert!(!chunks.is_empty(), "no chunk");
    chunks
}

fn block(stored: &StoredBlock) -> Block {
    let number = MultiEraBlock::decode(&stored.raw)
        .expect("a block")
        .number();
    Block {
        block_number: number,
        slot: stored.slot_or_epoch,
        hash: stored.hash.into(),
        raw: Arc::from(stored.raw.as_slice()),
    }
}

fn point(block: &Block) -> Point {
    Point::Specific(block.slot, block.hash.to_vec())
}

/// A server of the first chunk's blocks, and a client of it.
async fn replay() -> (TempDir, Vec<Block>, Replay, NodeClient) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("node.socket");
    let blocks: Vec<Block> = chunks()[0].iter().map(block).collect();
    let replay = Replay::start(&socket, PREPROD_MAGIC, blocks.clone()).expect("serves");
    let client = NodeClient::connect(&socket, PREPROD_MAGIC).await;
    (folder, blocks, replay, client.expect("connects"))
}

/// The next answer that is no waiting.
async fn next(client: &mut NodeClient) -> NextResponse<Vec<u8>> {
    loop {
        let next = timeout(PATIENCE, client.chainsync().request_or_await_next()).await;
        match next.expect("in time").expect("an answer") {
            NextResponse::Await => {}
            NextResponse::RollForward(block, tip) => {
                return NextResponse::RollForward(block.0, tip);
            }
            NextResponse::RollBackward(point, tip) => {
                return NextResponse::RollBackward(point, tip);
            }
        }
    }
}

async fn expect_blocks(client: &mut NodeClient, blocks: &[Block], last: &Block) {
    for block in blocks {
        let NextResponse::RollForward(raw, tip) = next(client).await else {
            panic!("no block {}", block.block_number)
        };
        assert!(raw == *block.raw, "block {}", block.block_number);
        assert_eq!(tip, Tip(point(last), last.block_number));
    }
}

async fn expect_rollback(client: &mut NodeClient, expected: &Point) {
    let next = next(client).await;
    let NextResponse::RollBackward(to, _) = &next else {
        panic!("no rollback: {next:?}")
    };
    assert_eq!(to, expected);
}

#[test]
fn the_index_tells_what_the_blocks_say_themselves() {
    let mut checked = 0;
    for chunk in chunks() {
        for stored in &chunk {
            let block = MultiEraBlock::decode(&stored.raw).expect("a block");
            // Byron's headers are hashed with a prefix, and its boundary blocks have no slot.
            if block.era() == Era::Byron {
                continue;
            }
            let slot = stored.slot_or_epoch;
            assert_eq!((block.slot(), *block.hash()), (slot, stored.hash));
            let header = &stored.raw[stored.header.clone()];
            assert_eq!(*Hasher::<256>::hash(header), stored.hash);
            let first_slot = |block: &StoredBlock| block.slot_or_epoch - block.relative_slot as u64;
            assert_eq!(first_slot(stored), first_slot(&chunk[0]), "slot {slot}");
            checked += 1;
        }
    }
    assert!(checked > 0, "no block after Byron");
    let read = chunks().into_iter().flatten().map(|block| block.raw);
    let read: Vec<_> = read.collect();
    assert!(
        read == chain_data::immutable_blocks(),
        "as without the index"
    );
}

#[tokio::test]
async fn a_follower_gets_a_real_nodes_blocks_byte_by_byte() {
    let (_folder, blocks, replay, mut client) = replay().await;
    replay.show(blocks.len());
    let last = blocks.last().expect("a block");
    let intersect = client.chainsync().find_intersect(vec![Point::Origin]).await;
    let expected = Tip(point(last), last.block_number);
    assert_eq!(
        intersect.expect("an answer"),
        (Some(Point::Origin), expected)
    );
    expect_rollback(&mut client, &Point::Origin).await;
    expect_blocks(&mut client, &blocks, last).await;
}

#[tokio::test]
async fn a_follower_begins_in_the_middle_and_sees_rollbacks_at_the_tip() {
    let (_folder, blocks, replay, mut client) = replay().await;
    let (middle, high) = (blocks.len() / 2, blocks.len() - 10);
    replay.show(high);
    let known = point(&blocks[middle - 1]);
    let unknown = Point::Specific(blocks[middle].slot + 1, blocks[middle].hash.to_vec());
    let not_yet = point(&blocks[high]);
    let intersect = client
        .chainsync()
        .find_intersect(vec![not_yet, unknown, known.clone()])
        .await;
    assert_eq!(intersect.expect("an answer").0, Some(known.clone()));
    expect_rollback(&mut client, &known).await;
    expect_blocks(&mut client, &blocks[middle..high], &blocks[high - 1]).await;
    // At the tip it waits, is rolled back out of that, and goes on.
    let waiting = client.chainsync().request_next().await.expect("an answer");
    assert!(matches!(waiting, NextResponse::Await), "{waiting:?}");
    replay.show(high - 20);
    expect_rollback(&mut client, &point(&blocks[high - 21])).await;
    replay.show(blocks.len());
    let last = blocks.last().expect("a block");
    expect_blocks(&mut client, &blocks[high - 20..], last).await;
}

#[tokio::test]
async fn a_question_about_the_state_ends_the_connection_alone() {
    let (_folder, blocks, replay, mut client) = replay().await;
    replay.show(1);
    let mut asking = NodeClient::connect(replay.socket_path(), PREPROD_MAGIC)
        .await
        .expect("connects");
    let acquired = asking.statequery().acquire(None).await;
    acquired.expect("the tip");
    let era = pallas_network::miniprotocols::localstate::queries_v16::get_current_era;
    let asked = timeout(PATIENCE, era(asking.statequery())).await;
    assert!(asked.expect("ends in time").is_err());
    expect_rollback(&mut client, &Point::Origin).await;
    expect_blocks(&mut client, &blocks[..1], &blocks[0]).await;
}
