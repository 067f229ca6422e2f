//! A door for the fuzz targets in `fuzz/`: what a client's message goes through before anything is done with it.

use bytes::Bytes;
use pallas_codec::minicbor;
use pallas_network::miniprotocols::{
    blockfetch,
    chainsync::{BlockContent, HeaderContent, Message},
    keepalive, peersharing,
};

use super::{
    chain_sync,
    channel::LIMITS,
    handshake::{self, LocalTerms},
    peer::{self, PeerTerms},
    state_query, submission, tx_monitor,
};
use crate::{cbor::Scanner, query::Query};

/// Reads the first message in `bytes` as one of the mini-protocol `protocol` (modulo five: handshake, chain-sync, state query, submission,
/// mempool monitor).
pub fn receive(protocol: u8, bytes: &[u8]) {
    let Ok(Some(length)) = Scanner::new(LIMITS).advance(bytes) else {
        return;
    };
    let message = bytes.get(..length).unwrap_or_default();
    match protocol % 5 {
        0 => handshake::read(message, &LocalTerms { network_magic: 42 }),
        1 => {
            if let Ok(Message::FindIntersect(points)) =
                minicbor::decode::<Message<BlockContent>>(message)
            {
                let _ = points.iter().filter_map(chain_sync::from_wire).count();
            }
        }
        2 => {
            let message = Bytes::copy_from_slice(message);
            if let Some(query) = state_query::query(&message) {
                let _ = Query::decode(&query);
            }
        }
        3 => {
            let _ = submission::transaction(message);
        }
        _ => tx_monitor::read(message),
    }
}

/// Reads the first message in `bytes` as a peer's, of the mini-protocol `protocol` (modulo six: handshake, chain-sync, block-fetch,
/// tx-submission, keep-alive, peer-sharing).
pub fn receive_from_peer(protocol: u8, bytes: &[u8]) {
    let Ok(Some(length)) = Scanner::new(LIMITS).advance(bytes) else {
        return;
    };
    let message = bytes.get(..length).unwrap_or_default();
    match protocol % 6 {
        0 => handshake::read(message, &PeerTerms { network_magic: 42 }),
        1 => drop(minicbor::decode::<Message<HeaderContent>>(message)),
        2 => drop(minicbor::decode::<blockfetch::Message>(message)),
        3 => peer::read_transactions(message),
        4 => drop(minicbor::decode::<keepalive::Message>(message)),
        _ => drop(minicbor::decode::<peersharing::Message>(message)),
    }
}
