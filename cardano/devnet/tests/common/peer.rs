//! A devnet that listens for peers, and a peer of it.

use std::net::SocketAddr;

use nupeer_devnet::{Config, Devnet};
use pallas_codec::minicbor;
use pallas_network::{
    facades::PeerClient,
    miniprotocols::{
        PROTOCOL_N2N_CHAIN_SYNC, PROTOCOL_N2N_HANDSHAKE,
        chainsync::{HeaderContent, Message},
        handshake::{self, VersionTable, n2n::VersionData},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::node::{MAGIC, PATIENCE, segment};

/// A devnet that makes blocks on demand alone and listens at a port of the system's choice.
pub async fn devnet() -> (TempDir, Devnet) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        block_interval_ms: None,
        n2n_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Config::new(folder.path())
    };
    let devnet = Devnet::start(config).await.expect("starts");
    (folder, devnet)
}

pub fn address(devnet: &Devnet) -> SocketAddr {
    devnet.n2n_address().expect("listens")
}

pub async fn connect(devnet: &Devnet) -> PeerClient {
    let connecting = PeerClient::connect(address(devnet), MAGIC);
    let client = timeout(PATIENCE, connecting).await.expect("in time");
    client.expect("connects")
}

/// The segment of a proposal that a devnet accepts.
pub fn greeting() -> Vec<u8> {
    let values = [(14, VersionData::new(MAGIC, true, Some(0), Some(false)))].into();
    let proposal = handshake::Message::Propose(VersionTable { values });
    segment(
        PROTOCOL_N2N_HANDSHAKE,
        &minicbor::to_vec(proposal).expect("encodes"),
    )
}

/// A segment that asks for so many headers.
pub fn requests(count: usize) -> Vec<u8> {
    let request = minicbor::to_vec(Message::<HeaderContent>::RequestNext).expect("encodes");
    segment(PROTOCOL_N2N_CHAIN_SYNC, &request.repeat(count))
}

/// A peer that speaks in bytes, as hexadecimal text.
pub struct Bytes(TcpStream);

impl Bytes {
    /// Connects and agrees on the newest version.
    pub async fn connect(devnet: &Devnet) -> Self {
        let stream = TcpStream::connect(address(devnet)).await;
        let mut peer = Self(stream.expect("connects"));
        peer.0.write_all(&greeting()).await.expect("writes");
        let accepted = peer.hear().await;
        assert_eq!(
            accepted,
            (PROTOCOL_N2N_HANDSHAKE, "83010e84182af500f4".into())
        );
        peer
    }

    pub async fn say(&mut self, protocol: u16, message: &str) {
        let message = hex::decode(message).expect("hex");
        let segment = segment(protocol, &message);
        self.0.write_all(&segment).await.expect("writes");
    }

    /// The next segment's protocol and payload.
    pub async fn hear(&mut self) -> (u16, String) {
        let segment = timeout(PATIENCE, self.read()).await.expect("in time");
        segment.expect("an answer")
    }

    /// The next segment's protocol and payload, none when there are no more.
    pub async fn hear_until_hung_up_on(&mut self) -> Option<(u16, String)> {
        let segment = timeout(PATIENCE, self.read()).await;
        segment.expect("in time").ok()
    }

    pub async fn ask(&mut self, protocol: u16, message: &str) -> String {
        self.say(protocol, message).await;
        let (answering, answer) = self.hear().await;
        assert_eq!(answering, protocol);
        answer
    }

    pub async fn is_hung_up_on(&mut self) {
        let heard = self.hear_until_hung_up_on().await;
        assert_eq!(heard, None);
    }

    async fn read(&mut self) -> std::io::Result<(u16, String)> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).await?;
        let protocol = u16::from_be_bytes([header[4], header[5]]);
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[6], header[7]]))];
        self.0.read_exact(&mut payload).await?;
        assert_ne!(protocol & 0x8000, 0, "a responder's segment");
        Ok((protocol & 0x7fff, hex::encode(payload)))
    }
}
