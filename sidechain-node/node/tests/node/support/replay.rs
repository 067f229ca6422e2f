//! A Cardano node that has a fixed chain of real blocks and makes no others: handshake and chain-sync over a Unix socket, by
//! pallas-network's server halves.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use nupeer_primitives::{CardanoPoint, Hash, Slot, blake2b_256};
use pallas_network::{
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, Point,
        chainsync::{BlockContent, ClientRequest, N2CServer, ServerError, Tip},
        handshake,
    },
    multiplexer::{Bearer, Plexer},
};
use tokio::{
    net::UnixListener,
    task::{JoinHandle, JoinSet},
};

/// A block with its place.
pub struct Replayed {
    pub number: u64,
    pub point: CardanoPoint,
    raw: Vec<u8>,
}

impl Replayed {
    /// Reads `[era, [header, …]]`, where the header is `[[number, slot, …], …]` since Shelley and its hash is the block's.
    pub fn read(raw: Vec<u8>) -> Self {
        let mut d = minicbor::Decoder::new(&raw);
        d.array().unwrap();
        d.u16().unwrap();
        d.array().unwrap();
        let start = d.position();
        let mut header = d.clone();
        d.skip().unwrap();
        let hash = Hash(blake2b_256(&[&raw[start..d.position()]]).0);
        header.array().unwrap();
        header.array().unwrap();
        let (number, slot) = (header.u64().unwrap(), Slot(header.u64().unwrap()));
        let point = CardanoPoint { slot, hash };
        Replayed { number, point, raw }
    }

    fn wire(&self) -> Point {
        Point::Specific(self.point.slot.0, self.point.hash.0.to_vec())
    }
}

/// It serves until it is dropped.
pub struct Replay {
    pub socket: PathBuf,
    pub blocks: Arc<Vec<Replayed>>,
    task: JoinHandle<()>,
}

impl Replay {
    /// On the network with this magic, at a socket in `folder`.
    pub fn start(folder: &Path, magic: u64, blocks: Vec<Replayed>) -> Self {
        let (socket, blocks) = (folder.join("cardano.socket"), Arc::new(blocks));
        let listener = UnixListener::bind(&socket).unwrap();
        let served = blocks.clone();
        let task = tokio::spawn(async move {
            // Connections end with this task, since the set aborts its tasks when dropped.
            let mut connections = JoinSet::new();
            loop {
                let (bearer, _) = Bearer::accept_unix(&listener).await.unwrap();
                connections.spawn(serve(bearer, magic, served.clone()));
            }
        });
        Replay {
            socket,
            blocks,
            task,
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(bearer: Bearer, magic: u64, blocks: Arc<Vec<Replayed>>) {
    let mut plexer = Plexer::new(bearer);
    let mut handshake = handshake::N2CServer::new(plexer.subscribe_server(PROTOCOL_N2C_HANDSHAKE));
    let mut sync = N2CServer::new(plexer.subscribe_server(PROTOCOL_N2C_CHAIN_SYNC));
    let running = plexer.spawn();
    let versions = handshake::n2c::VersionTable::v10_and_above(magic);
    if matches!(handshake.handshake(versions).await, Ok(Some(_))) {
        // The asker goes when it has what it wanted.
        let _ = follow(&mut sync, &blocks).await;
    } else {
        // The refusal goes out before the connection ends; who was refused ends it.
        let _ = sync.recv_while_idle().await;
    }
    running.abort().await;
}

/// Each block once, after a rollback to the intersection; then patience without end.
async fn follow(sync: &mut N2CServer, blocks: &[Replayed]) -> Result<(), ServerError> {
    let last = &blocks[blocks.len() - 1];
    let tip = || Tip(last.wire(), last.number);
    let (mut next, mut back) = (0, None);
    while let Some(request) = sync.recv_while_idle().await? {
        match request {
            ClientRequest::Intersect(points) => {
                let known =
                    |wanted: &Point| blocks.iter().position(|block| block.wire() == *wanted);
                let found = points
                    .into_iter()
                    .find_map(|point| known(&point).map(|place| (point, place)));
                match found {
                    Some((point, place)) => {
                        (next, back) = (place + 1, Some(point.clone()));
                        sync.send_intersect_found(point, tip()).await?;
                    }
                    None => sync.send_intersect_not_found(tip()).await?,
                }
            }
            ClientRequest::RequestNext => match (back.take(), blocks.get(next)) {
                (Some(point), _) => sync.send_roll_backward(point, tip()).await?,
                (None, Some(block)) => {
                    next += 1;
                    let content = BlockContent(block.raw.clone());
                    sync.send_roll_forward(content, tip()).await?;
                }
                (None, None) => {
                    sync.send_await_reply().await?;
                    std::future::pending::<()>().await;
                }
            },
        }
    }
    Ok(())
}
