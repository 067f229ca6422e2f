//! What the bridge refuses, and why.

use nupeer_ledger::LedgerError;
use nupeer_outbox::{
    BridgeId, address::AddressError, committee::CommitteeError, shard::ShardError,
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, CardanoNetwork, Code, Hash28, Numbered, PublicKey,
};

use crate::{halt::Contradiction, withdrawal::WithdrawalId};

/// A refusal. What was written before it is not to be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BridgeError {
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An address that no script can pay to.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Keys that make no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// Assets that no shard can hold.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A chain without a bridge.
    #[error("this chain has no bridge to Cardano")]
    NoBridge,
    /// Something was seen on Cardano that must not be.
    #[error("the bridge is halted: {reason}")]
    Halted {
        /// What was seen.
        reason: Box<Contradiction>,
    },
    /// An address of another network.
    #[error("an address of {provided}, where this bridge leads to {expected}")]
    WrongNetwork {
        /// The address's network.
        provided: CardanoNetwork,
        /// The bridge's.
        expected: CardanoNetwork,
    },
    /// Text that is no address.
    #[error("not a Cardano address: {reason}")]
    AddressText {
        /// Why.
        reason: String,
    },
    /// An asset that does not cross this bridge.
    #[error("{asset} does not cross this bridge")]
    Unlisted {
        /// Which.
        asset: AssetId,
    },
    /// Less than Cardano lets an output hold.
    #[error("{provided} lovelace in the output, Cardano asks for {minimum} at least")]
    BelowMinimum {
        /// In the output.
        provided: Amount,
        /// Of an output of its size.
        minimum: Amount,
    },
    /// Less than is worth a payment.
    #[error("{provided} lovelace, {smallest} is the least that is paid out")]
    TooSmall {
        /// What is asked for.
        provided: Amount,
        /// The parameter.
        smallest: Amount,
    },
    /// More than an output can hold.
    #[error("{provided} in one output, {maximum} is the most")]
    TooLarge {
        /// What is asked for.
        provided: Amount,
        /// What 64 bits hold.
        maximum: u64,
    },
    /// ADA twice in one request.
    #[error("ADA is withdrawn by its amount alone, {provided} lovelace go along")]
    AdaAlongAda {
        /// What is to go along.
        provided: Amount,
    },
    /// A signature by somebody else.
    #[error("key {key} is no member's of the committee, or signs for another account")]
    NotMember {
        /// Hash of the key.
        key: Hash28,
    },
    /// A signature of an anchor that does not wait for one.
    #[error("anchor {provided} does not wait for signatures; waiting: {expected:?}")]
    WrongAnchor {
        /// In the action.
        provided: u64,
        /// The one that waits, if any.
        expected: Option<u64>,
    },
    /// The member has signed it.
    #[error("this member has signed anchor {seq} already")]
    AlreadySigned {
        /// The anchor.
        seq: u64,
    },
    /// Enough members have signed it.
    #[error("anchor {seq} has its quorum already")]
    AlreadyCertified {
        /// The anchor.
        seq: u64,
    },
    /// A signature of something else, for example of an earlier making of the same anchor.
    #[error("the signature under {key} is not over anchor {seq} as it stands")]
    BadAnchorSignature {
        /// The anchor.
        seq: u64,
        /// The member.
        key: PublicKey,
    },
    /// Nobody asked for it.
    #[error("no withdrawal {id} here")]
    UnknownWithdrawal {
        /// Its id.
        id: WithdrawalId,
    },
    /// Somebody else's withdrawal.
    #[error("the withdrawal is account {expected:?}'s, not account {provided:?}'s")]
    NotWithdrawer {
        /// The sender.
        provided: AccountId,
        /// Who asked for the withdrawal.
        expected: AccountId,
    },
    /// It waits for no shard any more.
    #[error("withdrawal {id} is {provided}; only what is queued can be taken back")]
    NotQueued {
        /// Its id.
        id: WithdrawalId,
        /// How far it is.
        provided: &'static str,
    },
    /// An id that does not follow from network and seed.
    #[error("bridge id {provided}, network and seed give {expected}")]
    WrongBridgeId {
        /// In the settings.
        provided: BridgeId,
        /// Derived.
        expected: BridgeId,
    },
    /// A bridge that could hold nothing.
    #[error("a bridge has one shard at least")]
    NoShard,
    /// Assets that repeat, stand out of order or name ADA.
    #[error("the listed assets are native ones and ascend")]
    AssetsOutOfOrder,
    /// A figure without sense.
    #[error("{parameter} is {provided}, possible are {minimum} to {maximum}")]
    Parameter {
        /// Which.
        parameter: &'static str,
        /// What it is.
        provided: u64,
        /// The least.
        minimum: u64,
        /// The most.
        maximum: u64,
    },
    /// A smallest deposit that few could bring.
    #[error("the smallest deposit is {provided} lovelace, {maximum} at most makes sense")]
    SmallestDeposit {
        /// In the settings.
        provided: u64,
        /// The most that a genesis may ask for.
        maximum: u64,
    },
}

impl Numbered for BridgeError {
    fn code(&self) -> Code {
        Code(match self {
            BridgeError::Ledger(error) => return error.code(),
            BridgeError::Address(error) => return error.code(),
            BridgeError::Committee(error) => return error.code(),
            BridgeError::Shard(error) => return error.code(),
            BridgeError::NoBridge => 3010,
            BridgeError::Halted { .. } => 3011,
            BridgeError::WrongNetwork { .. } => 3012,
            BridgeError::AddressText { .. } => 3013,
            BridgeError::Unlisted { .. } => 3014,
            BridgeError::BelowMinimum { .. } => 3015,
            BridgeError::TooSmall { .. } => 3016,
            BridgeError::TooLarge { .. } => 3017,
            BridgeError::AdaAlongAda { .. } => 3018,
            BridgeError::NotMember { .. } => 3020,
            BridgeError::WrongAnchor { .. } => 3021,
            BridgeError::AlreadySigned { .. } => 3022,
            BridgeError::AlreadyCertified { .. } => 3023,
            BridgeError::BadAnchorSignature { .. } => 3024,
            BridgeError::UnknownWithdrawal { .. } => 3025,
            BridgeError::NotWithdrawer { .. } => 3026,
            BridgeError::NotQueued { .. } => 3027,
            BridgeError::WrongBridgeId { .. } => 3030,
            BridgeError::NoShard => 3031,
            BridgeError::AssetsOutOfOrder => 3032,
            BridgeError::Parameter { .. } => 3033,
            BridgeError::SmallestDeposit { .. } => 3034,
        })
    }
}
