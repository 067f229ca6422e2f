//! The stored formats. Heights and versions are big-endian in keys, so that keys sort as numbers do.

use jmt::storage::{Node, NodeKey, StaleNodeIndex};
use minicbor::{Decode, Decoder, Encode, bytes::ByteVec};
use nupeer_consensus::{Block, Undecided};
use nupeer_primitives::{Amount, Hash, Height, cbor, consensus::ValidatorId};
use nupeer_runtime::{Event, Header};

use super::StoreError;

/// In `meta`: [`super::SCHEMA`], four bytes.
pub const SCHEMA_KEY: &[u8] = b"schema";
/// In `meta`: the genesis.
pub const GENESIS_KEY: &[u8] = b"genesis";
/// In `meta`: the tip.
pub const TIP_KEY: &[u8] = b"tip";
/// In `meta`: the versions of the tree that are kept, a list of [`super::Kept`]; absent while none is.
pub const KEPT_KEY: &[u8] = b"kept";

/// Key of blocks and certificates: 8 bytes.
pub fn height_key(height: Height) -> [u8; 8] {
    height.0.to_be_bytes()
}

/// The schema version.
pub fn schema(bytes: &[u8]) -> Result<u32, StoreError> {
    bytes
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| StoreError::Corrupt {
            what: "schema version",
        })
}

/// Canonical CBOR of something of ours.
pub fn cbor<'b, T: Decode<'b, ()> + Encode<()>>(
    what: &'static str,
    bytes: &'b [u8],
) -> Result<T, StoreError> {
    cbor::decode(bytes).map_err(|_| StoreError::Corrupt { what })
}

/// A block's header, without decoding its transactions.
pub fn header(block: &[u8]) -> Result<Header, StoreError> {
    let mut decoder = Decoder::new(block);
    let header = decoder.array().and_then(|_| decoder.decode());
    header.map_err(|_| StoreError::Corrupt { what: "block" })
}

/// What happened in a block: each event with the index of its transaction, or null where the block itself did it, canonical CBOR.
pub fn events_bytes(events: &[(Option<usize>, Event)]) -> Vec<u8> {
    let numbered =
        |(index, event): &(Option<usize>, Event)| (index.map(|i| i as u64), event.clone());
    cbor::encode(
        &events
            .iter()
            .map(numbered)
            .collect::<Vec<(Option<u64>, Event)>>(),
    )
}

/// The inverse of [`events_bytes`].
pub fn events(bytes: &[u8]) -> Result<Vec<(Option<usize>, Event)>, StoreError> {
    let numbered: Vec<(Option<u64>, Event)> = cbor("events", bytes)?;
    Ok(numbered
        .into_iter()
        .map(|(index, event)| (index.map(|i| i as usize), event))
        .collect())
}

/// What one transaction of a block did, the others' events left undecoded: the inverse of [`events_bytes`] for one index.
pub fn events_of(bytes: &[u8], index: u32) -> Result<Vec<Event>, StoreError> {
    let mut decoder = Decoder::new(bytes);
    let mut read = || -> Result<Vec<Event>, minicbor::decode::Error> {
        let mut found = Vec::new();
        for _ in 0..decoder.array()?.unwrap_or_default() {
            decoder.array()?;
            let by: Option<u64> = decoder.decode()?;
            match by == Some(index.into()) {
                true => found.push(decoder.decode()?),
                false => decoder.skip()?,
            }
        }
        Ok(found)
    };
    read().map_err(|_| StoreError::Corrupt { what: "events" })
}

/// Where in a block's bytes each of its transactions is: first byte and length.
pub fn places(block: &[u8]) -> Result<Vec<(u32, u32)>, StoreError> {
    let wrong = || StoreError::Corrupt { what: "block" };
    let mut decoder = Decoder::new(block);
    let mut count = || {
        decoder.array()?;
        decoder.skip()?;
        decoder.array()
    };
    let count = count().map_err(|_| wrong())?.ok_or_else(wrong)?;
    let mut place = || {
        let length = decoder.bytes().ok()?.len();
        let first = decoder.position().checked_sub(length)?;
        Some((u32::try_from(first).ok()?, u32::try_from(length).ok()?))
    };
    (0..count).map(|_| place().ok_or_else(wrong)).collect()
}

/// Key of a tree node: its version (8 bytes, so that new nodes come in order), then the borsh form of its path.
pub fn node_key(key: &NodeKey) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::with_capacity(8 + 8 + 4 + 32);
    out.extend_from_slice(&key.version().to_be_bytes());
    borsh::to_writer(&mut out, key.nibble_path())
        .map_err(|_| StoreError::Corrupt { what: "node key" })?;
    Ok(out)
}

/// A tree node in borsh, the form that its crate defines.
pub fn node_bytes(node: &Node) -> Result<Vec<u8>, StoreError> {
    borsh::to_vec(node).map_err(|_| StoreError::Corrupt { what: "tree node" })
}

/// The inverse of [`node_bytes`].
pub fn node(bytes: &[u8]) -> Result<Node, StoreError> {
    borsh::from_slice(bytes).map_err(|_| StoreError::Corrupt { what: "tree node" })
}

/// Key of a node that is kept for an older version: the version since when it is stale (8 bytes), then its key.
pub fn stale_key(stale: &StaleNodeIndex) -> Result<Vec<u8>, StoreError> {
    let since = stale.stale_since_version.to_be_bytes();
    Ok([&since[..], &node_key(&stale.node_key)?].concat())
}

/// The inverse of [`stale_key`], as far as is needed to delete it: the version since when, the node's own version, the node's key.
pub fn stale(key: &[u8]) -> Result<(u64, u64, &[u8]), StoreError> {
    let read = || {
        let (since, node) = key.split_first_chunk::<8>()?;
        let own = node.first_chunk::<8>()?;
        Some((u64::from_be_bytes(*since), u64::from_be_bytes(*own), node))
    };
    read().ok_or(StoreError::Corrupt { what: "stale node" })
}

/// Key of a value that a leaf had until the version `until`: 40 bytes.
pub fn old_key(leaf: &[u8; 32], until: u64) -> [u8; 40] {
    let mut out = [0; 40];
    out[..32].copy_from_slice(leaf);
    out[32..].copy_from_slice(&until.to_be_bytes());
    out
}

/// Where a transaction was executed, where its bytes are, and what it was charged: 36 bytes, its fields in this order, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The block.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// Where in the block's bytes its own begin.
    pub first: u32,
    /// How many they are.
    pub length: u32,
    /// What it was charged, in lovelace.
    pub fee: Amount,
}

impl Location {
    /// The stored form.
    pub fn to_bytes(self) -> [u8; 36] {
        let mut out = [0; 36];
        out[..8].copy_from_slice(&self.height.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.index.to_be_bytes());
        out[12..16].copy_from_slice(&self.first.to_be_bytes());
        out[16..20].copy_from_slice(&self.length.to_be_bytes());
        out[20..].copy_from_slice(&self.fee.to_be_bytes());
        out
    }

    /// The inverse of [`Location::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Location, StoreError> {
        let read = || {
            let (height, rest) = bytes.split_first_chunk::<8>()?;
            let (index, rest) = rest.split_first_chunk::<4>()?;
            let (first, rest) = rest.split_first_chunk::<4>()?;
            let (length, fee) = rest.split_first_chunk::<4>()?;
            Some(Location {
                height: Height(u64::from_be_bytes(*height)),
                index: u32::from_be_bytes(*index),
                first: u32::from_be_bytes(*first),
                length: u32::from_be_bytes(*length),
                fee: Amount::new(u128::from_be_bytes(fee.try_into().ok()?)),
            })
        };
        read().ok_or(StoreError::Corrupt {
            what: "transaction location",
        })
    }
}

/// Key of an undecided block: height, round, id; 44 bytes.
pub fn undecided_key(undecided: &Undecided) -> [u8; 44] {
    let mut out = [0; 44];
    out[..8].copy_from_slice(&undecided.height.0.to_be_bytes());
    out[8..12].copy_from_slice(&undecided.round.to_be_bytes());
    out[12..].copy_from_slice(&undecided.block.id.0);
    out
}

#[derive(Encode, Decode)]
struct StoredUndecided {
    #[n(0)]
    valid_round: Option<u32>,
    #[n(1)]
    proposer: ValidatorId,
    #[n(2)]
    bytes: ByteVec,
}

/// Value of an undecided block.
pub fn undecided_bytes(undecided: &Undecided) -> Vec<u8> {
    cbor::encode(&StoredUndecided {
        valid_round: undecided.valid_round,
        proposer: undecided.proposer,
        bytes: ByteVec::from(undecided.block.bytes.to_vec()),
    })
}

/// The inverse of [`undecided_key`] and [`undecided_bytes`].
pub fn undecided(key: &[u8], value: &[u8]) -> Result<Undecided, StoreError> {
    let wrong = || StoreError::Corrupt {
        what: "undecided block",
    };
    let (height, rest) = key.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (round, id) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
    let id = Hash::try_from(id).map_err(|_| wrong())?;
    let stored: StoredUndecided = cbor("undecided block", value)?;
    Ok(Undecided {
        height: Height(u64::from_be_bytes(*height)),
        round: u32::from_be_bytes(*round),
        valid_round: stored.valid_round,
        proposer: stored.proposer,
        block: Block {
            id,
            bytes: Vec::from(stored.bytes).into(),
        },
    })
}

#[cfg(test)]
mod tests;
