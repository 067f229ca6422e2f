//! Doors for the fuzz targets in `fuzz/`: what reads a node's bytes and is nobody else's business.

use pallas_codec::minicbor;

use crate::{
    follower,
    node::{Rejection, query},
};

/// Reads a block as the follower does; says whether it was taken. Needs a stack that is deep for the block's length.
pub fn block(raw: &[u8]) -> bool {
    follower::is_block(raw)
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
