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
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, PROTOCOL_N2C_TX_MONITOR, Point,
        chainsync::{BlockContent, Message, NextResponse},
        handshake::{self, VersionTable, n2c::VersionData},
    },
};
use pallas_traverse::MultiEraBlock;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

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
    propose(16)
}

/// The segment of a proposal of one version.
pub fn propose(version: u64) -> Vec<u8> {
    let values = [((1 << 15) + version, VersionData::new(MAGIC, Some(false)))].into();
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

/// A client of the mempool's monitor that speaks in bytes, as hexadecimal text.
pub struct Monitor(UnixStream);

impl Monitor {
    /// Connects and agrees on a version.
    pub async fn connect(devnet: &Devnet, version: u64) -> Self {
        let stream = UnixStream::connect(devnet.socket_path()).await;
        let mut client = Self(stream.expect("connects"));
        let proposal = propose(version);
        client.0.write_all(&proposal).await.expect("writes");
        let accepted = hex::encode(client.read().await.expect("an answer"));
        assert_eq!(accepted, format!("8301198{:03x}82182af4", version));
        client
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &str) {
        let message = hex::decode(message).expect("hex");
        let segment = segment(PROTOCOL_N2C_TX_MONITOR, &message);
        self.0.write_all(&segment).await.expect("writes");
    }

    /// The next message, which must come whole in one segment.
    pub async fn hear(&mut self) -> String {
        let message = timeout(PATIENCE, self.read()).await.expect("in time");
        hex::encode(message.expect("an answer"))
    }

    pub async fn ask(&mut self, message: &str) -> String {
        self.say(message).await;
        self.hear().await
    }

    pub async fn is_hung_up_on_after(&mut self, message: &str) {
        self.say(message).await;
        self.is_hung_up_on().await;
    }

    pub async fn is_hung_up_on(&mut self) {
        let read = timeout(PATIENCE, self.read()).await;
        let read = read.expect("hangs up in time");
        assert!(read.is_err(), "{read:x?}");
    }

    async fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).await?;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[6], header[7]]))];
        self.0.read_exact(&mut payload).await?;
        Ok(payload)
    }
}
