//! The node-to-node server: what another node talks to, over TCP. The devnet answers and never asks of its own accord, so that a connection
//! goes one way even where a peer would take requests, too.

mod block_fetch;
mod keep_alive;
mod listen;
mod peer_sharing;
mod terms;
mod transactions;

use pallas_network::miniprotocols::{
    PROTOCOL_N2N_BLOCK_FETCH as BLOCK_FETCH, PROTOCOL_N2N_CHAIN_SYNC as CHAIN_SYNC,
    PROTOCOL_N2N_HANDSHAKE as HANDSHAKE, PROTOCOL_N2N_KEEP_ALIVE as KEEP_ALIVE,
    PROTOCOL_N2N_PEER_SHARING as PEER_SHARING, PROTOCOL_N2N_TX_SUBMISSION as TX_SUBMISSION,
};
use tokio::net::TcpStream;

pub(crate) use self::listen::PeerSocket;
pub(super) use self::{terms::PeerTerms, transactions::read as read_transactions};
use super::{
    chain_sync,
    error::SessionError,
    handshake,
    mux::{self, Inboxes, Link},
    places::Place,
    session::Served,
};

/// What may wait to be read of each mini-protocol, in bytes: what a node sends ahead fits, and 256 connections stay below 150 MiB.
const INBOX_BYTES: [(u16, usize); 6] = [
    (HANDSHAKE, 64 << 10),
    (CHAIN_SYNC, 128 << 10),
    (BLOCK_FETCH, 128 << 10),
    // Ten transactions of the greatest size.
    (TX_SUBMISSION, 256 << 10),
    (KEEP_ALIVE, 1_408),
    (PEER_SHARING, 5_760),
];

/// Serves a peer until it goes away, breaks a protocol or must make room for another.
pub(crate) async fn serve(
    stream: TcpStream,
    served: &Served,
    place: &Place,
) -> Result<(), SessionError> {
    let inboxes = Inboxes::holding(&INBOX_BYTES);
    let halves = stream.into_split();
    mux::run(halves, &inboxes, place, |link| protocols(link, served)).await
}

async fn protocols(link: Link<'_>, served: &Served) -> Result<(), SessionError> {
    let terms = PeerTerms {
        network_magic: served.network_magic,
    };
    let Some(version) = handshake::greet(&link, &terms).await? else {
        return Ok(());
    };
    tracing::debug!(version, "a peer is connected");
    let view = &served.view;
    tokio::try_join!(
        chain_sync::serve(link.channel(CHAIN_SYNC)?, view, chain_sync::header),
        block_fetch::serve(link.channel(BLOCK_FETCH)?, view),
        transactions::serve(link.channel(TX_SUBMISSION)?, &served.owner),
        keep_alive::serve(link.channel(KEEP_ALIVE)?, keep_alive::SILENCE_MAX),
        peer_sharing::serve(link.channel(PEER_SHARING)?),
    )?;
    Ok(())
}
