//! Doors for the fuzz targets in `fuzz/`: what reads a node's bytes and is nobody else's business.

use pallas_codec::minicbor;
use pallas_network::miniprotocols::{chainsync, handshake, localstate, localtxsubmission};

use crate::{
    follower,
    node::{Rejection, query},
};

/// Reads a block as the follower does; says whether it was taken. Needs a stack that is deep for the block's length.
pub fn block(raw: &[u8]) -> bool {
    follower::is_block(raw)
}

/// Reads `bytes` as a node's message of each mini-protocol.
pub fn messages(bytes: &[u8]) {
    let _ = minicbor::decode::<handshake::Message<handshake::n2c::VersionData>>(bytes);
    let _ = minicbor::decode::<chainsync::Message<chainsync::BlockContent>>(bytes);
    let _ = minicbor::decode::<localstate::Message>(bytes);
    type Submission = localtxsubmission::Message<localtxsubmission::EraTx, Rejection>;
    if let Ok(Submission::RejectTx(rejection)) = minicbor::decode(bytes) {
        let _ = rejection.text();
    }
}

/// Reads `bytes` as each answer that a node may give.
pub fn answers(bytes: &[u8]) {
    let _ = (
        query::unwrapped(bytes),
        query::point(bytes),
        query::block_number(bytes),
        query::utxos(bytes),
    );
    if let Ok(rejection) = minicbor::decode::<Rejection>(bytes) {
        let _ = rejection.text();
    }
}
