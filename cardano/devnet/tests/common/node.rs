//! A devnet that makes blocks on demand, and a client that follows it.

use std::{path::Path, time::Duration};

use nupeer_devnet::{
    Config, Devnet,
    chain::Reorganisation,
    view::{Block, ChainView},
};
use pallas_codec::minicbor;
use pallas_network::{
    facades::NodeClient,
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, Point,
        chainsync::{BlockContent, Message, NextResponse},
        handshake::{self, VersionTable, n2c::VersionData},
    },
};
use pallas_traverse::MultiEraBlock;
use tempfile::TempDir;
use tokio::time::timeout;

pub const MAGIC: u64 = 42;
pub const CONWAY: u16 = 6;
/// Longer than anything here takes on the slowest machine: a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A devnet that makes blocks on demand alone.
pub async fn devnet() -> (TempDir, Devnet) {
    let folder = tempfile::tempdir().expect("a folder");
    let devnet = start(folder.path()).await;
    (folder, devnet)
}

pub async fn start(folder: &Path) -> Devnet {
    let config = Config {
        block_interval_ms: None,
        ..Config::new(folder)
    };
    Devnet::start(config).await.expect("starts")
}

pub async fn mint(devnet: &Devnet, count: u64) {
    devnet
        .owner()
        .mint(count)
        .await
        .expect("runs")
        .expect("mints");
}

pub async fn fork(devnet: &Devnet, depth: u64) {
    let wanted = Reorganisation {
        depth,
        outgrow: true,
        ..Default::default()
    };
    devnet
        .owner()
        .ask(move |chain| chain.reorganise(&wanted))
        .await
        .expect("runs")
        .expect("forks");
}

pub async fn connect(devnet: &Devnet) -> NodeClient {
    NodeClient::connect(devnet.socket_path(), MAGIC)
        .await
        .expect("connects")
}

/// A mux segment as a client sends it.
pub fn segment(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [
        &[0; 4],
        protocol.to_be_bytes().as_slice(),
        &(payload.len() as u16).to_be_bytes(),
        payload,
    ]
    .concat()
}

/// The segment of a proposal that a devnet accepts.
pub fn greeting() -> Vec<u8> {
    let values = [((1 << 15) + 16, VersionData::new(MAGIC, Some(false)))].into();
    let proposal = handshake::Message::Propose(VersionTable { values });
    segment(
        PROTOCOL_N2C_HANDSHAKE,
        &minicbor::to_vec(proposal).expect("encodes"),
    )
}

/// A segment that asks for so many blocks.
pub fn requests(count: usize) -> Vec<u8> {
    let request = minicbor::to_vec(Message::<BlockContent>::RequestNext).expect("encodes");
    segment(PROTOCOL_N2C_CHAIN_SYNC, &request.repeat(count))
}

pub fn point(block: &Block) -> Point {
    Point::Specific(block.slot, block.hash.to_vec())
}

pub fn tip(view: &ChainView) -> Point {
    let height = view.tip().height;
    view.block(height.saturating_sub(1))
        .map_or(Point::Origin, |block| point(&block))
}

/// What a follower has of the chain, and how often it was rolled back.
#[derive(Default)]
pub struct Followed {
    pub points: Vec<Point>,
    pub rollbacks: usize,
}

/// Follows until the follower's last block is `until`.
pub async fn follow(client: &mut NodeClient, followed: &mut Followed, until: &Point) {
    while followed.points.last() != Some(until) {
        let next = timeout(PATIENCE, client.chainsync().request_or_await_next()).await;
        match next.expect("an answer in time").expect("an answer") {
            NextResponse::RollForward(raw, _) => {
                let block = MultiEraBlock::decode(&raw).expect("a block");
                followed
                    .points
                    .push(Point::Specific(block.slot(), block.hash().to_vec()));
            }
            NextResponse::RollBackward(to, _) => {
                let keep = followed
                    .points
                    .iter()
                    .position(|point| *point == to)
                    .map_or(0, |at| at + 1);
                followed.points.truncate(keep);
                followed.rollbacks += 1;
            }
            NextResponse::Await => {}
        }
    }
}
