//! What was seen, in the one encoding that every validator hashes.

use minicbor::{Decode, Encode};
use nupeer_outbox::{Deposit, OutputReference, Shard, Value};
use nupeer_primitives::{
    Hash, Slot,
    cbor::{self, CborError},
};

/// Longest datum that is read as a deposit's: ours take some 150 bytes, whichever way they are written.
pub const DATUM_BYTES_MAX: usize = 1_024;

/// Longest encoding of an observation, in bytes: all inputs or all assets of a transaction of 16 kB, with room to spare.
pub const OBSERVATION_BYTES_MAX: usize = 256 << 10;

/// Something in a Cardano block that concerns the bridge. The numbers are part of what validators hash and never move; 4 is reserved
/// for a rollback deeper than the chain allows, which a node finds, not a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Observation {
    /// An output at the deposits' script.
    #[n(0)]
    Deposit(#[n(0)] DepositSeen),
    /// The head moved: an anchor was published.
    #[n(1)]
    Head(#[n(0)] HeadSeen),
    /// An anchor.
    #[n(2)]
    Anchor(#[n(0)] AnchorSeen),
    /// A shard moved: it paid, or took in deposits.
    #[n(3)]
    Shard(#[n(0)] ShardSeen),
    /// An output that the bridge's scripts could not have let be.
    #[n(5)]
    Unreadable(#[n(0)] UnreadableSeen),
}

/// An output at the deposits' script, whatever its staking part.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DepositSeen {
    /// Which.
    #[n(0)]
    pub output: OutputReference,
    /// Slot of its block.
    #[n(1)]
    pub slot: Slot,
    /// All that it holds.
    #[n(2)]
    pub value: Value,
    /// What it asks for.
    #[n(3)]
    pub datum: DepositDatum,
    /// Whether it carries a script, which whoever sweeps it would pay for.
    #[n(4)]
    pub has_reference_script: bool,
    /// Whether its address has a staking part, whose owner would earn with what the bridge holds.
    #[n(5)]
    pub has_staking_part: bool,
}

/// What a deposit's datum says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DepositDatum {
    /// A deposit's, in whichever encoding.
    #[n(0)]
    WellFormed(#[n(0)] Deposit),
    /// Another thing.
    #[n(1)]
    Malformed {
        /// Number of the error: 3003 when it is no Plutus data, 3004 when the output around it cannot be read (its value is then told as nothing),
        /// else that of `nupeer_outbox::WireError`.
        #[n(0)]
        reason: u16,
    },
    /// None.
    #[n(2)]
    Missing,
    /// Only its hash: nobody can read it.
    #[n(3)]
    OnlyHash(#[n(0)] Hash),
    /// Longer than [`DATUM_BYTES_MAX`].
    #[n(4)]
    Oversized {
        /// Its length.
        #[n(0)]
        bytes: u32,
    },
}

/// Number of the reason that a datum is no Plutus data.
pub(crate) const NOT_PLUTUS_DATA: u16 = 3003;

/// Number of the reason that a deposit's output is written in a way that is not read.
pub(crate) const ODD_OUTPUT: u16 = 3004;

/// The output that the next anchor spends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeadSeen {
    /// Which.
    #[n(0)]
    pub output: OutputReference,
    /// Number of the last anchor.
    #[n(1)]
    pub seq: u64,
}

/// A published anchor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AnchorSeen {
    /// Where it lies; its transaction published it.
    #[n(0)]
    pub output: OutputReference,
    /// Its number.
    #[n(1)]
    pub seq: u64,
    /// Hash of its datum, which its certificate signed.
    #[n(2)]
    pub body_hash: Hash,
}

/// A shard of the vault, known by its NFT and its address.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShardSeen {
    /// Where it lies now; its transaction moved it.
    #[n(0)]
    pub output: OutputReference,
    /// Its datum: number, next payment, what was paid and swept.
    #[n(1)]
    pub state: Shard,
    /// All that it holds, its NFT included.
    #[n(2)]
    pub value: Value,
    /// All that its transaction spent, ascending: the shard before, and deposits that were swept.
    #[n(3)]
    pub spent: Vec<OutputReference>,
}

/// Which part of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Part {
    /// The head.
    #[n(0)]
    Head,
    /// An anchor.
    #[n(1)]
    Anchor,
    /// A shard.
    #[n(2)]
    Shard,
}

/// A part of the bridge by token and address whose datum is not what its scripts demand; or an output at that address of which nobody can tell
/// whether it holds the token.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UnreadableSeen {
    /// Which output.
    #[n(0)]
    pub output: OutputReference,
    /// What it should be.
    #[n(1)]
    pub part: Part,
}

impl Observation {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The observation that `bytes` encode canonically.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_bounded(bytes, OBSERVATION_BYTES_MAX)
    }
}
