//! Blocks and their headers.

use minicbor::{Decode, Encode, bytes::ByteVec};
use nupeer_primitives::{
    CardanoPoint, Hash, Height, TimeMs, blake2b_256,
    cbor::{self, CborError},
    consensus::ValidatorId,
};

use crate::merkle;

/// What consensus decides on, by its hash (DESIGN.md "Block header").
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// From 1.
    #[n(0)]
    pub height: Height,
    /// Unix ms, above the parent's.
    #[n(1)]
    pub time: TimeMs,
    /// Who built it.
    #[n(2)]
    pub proposer: ValidatorId,
    /// Id of the parent's header; of the first block, the genesis id.
    #[n(3)]
    pub parent: Hash,
    /// [`merkle::root`] over the hashes of the signed transactions' bytes.
    #[n(4)]
    pub transaction_root: Hash,
    /// The state root after this block ([`crate::proof::state_root`]).
    #[n(5)]
    pub state_root: Hash,
    /// The Cardano block up to which this chain has observed, if it follows Cardano.
    #[n(6)]
    pub cardano: Option<CardanoPoint>,
    /// Hash over the observations between the parent's point and this one.
    #[n(7)]
    pub observation_root: Hash,
    /// Hash of the validator set that decides this block.
    #[n(8)]
    pub validators: Hash,
}

impl Header {
    /// The block's id: blake2b-256 of the header's canonical encoding.
    pub fn id(&self) -> Hash {
        blake2b_256(&[&cbor::encode(self)])
    }
}

/// A header and the signed transactions it commits to, as bytes: what is hashed is never encoded again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// The header.
    #[n(0)]
    pub header: Header,
    /// Canonical bytes of signed transactions, in the order of execution.
    #[n(1)]
    pub transactions: Vec<ByteVec>,
}

/// Room that a block keeps for its header and its own framing, in bytes.
const HEADER_BYTES_MAX: usize = 512;

/// What the head of a transaction's byte string takes in a block, at most, in bytes.
const FRAME_BYTES_MAX: usize = 5;

/// Room for transactions in a block of at most `block_bytes_max` bytes, in bytes.
pub fn room_bytes(block_bytes_max: u32) -> usize {
    (block_bytes_max as usize).saturating_sub(HEADER_BYTES_MAX)
}

/// What a signed transaction takes of that room, in bytes.
pub fn taken_bytes(transaction: &[u8]) -> usize {
    transaction.len().saturating_add(FRAME_BYTES_MAX)
}

impl Block {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The block that `bytes` encode canonically, of at most `bytes_max` bytes.
    pub fn from_bytes(bytes: &[u8], bytes_max: usize) -> Result<Self, CborError> {
        cbor::decode_bounded(bytes, bytes_max)
    }
}

/// The header's commitment to signed transactions.
pub fn transaction_root<'a>(transactions: impl Iterator<Item = &'a [u8]>) -> Hash {
    let leaves: Vec<Hash> = transactions.map(|bytes| blake2b_256(&[bytes])).collect();
    merkle::root(&leaves)
}

/// The header's commitment to observations of Cardano, each in its canonical encoding: empty for none.
pub fn observation_root(observations: &[Vec<u8>]) -> Hash {
    let leaves: Vec<Hash> = observations
        .iter()
        .map(|bytes| blake2b_256(&[bytes]))
        .collect();
    merkle::root(&leaves)
}
