//! Why a transaction or a block is refused.

use nupeer_bridge::BridgeError;
use nupeer_lease::LeaseError;
use nupeer_ledger::LedgerError;
use nupeer_primitives::{
    CardanoPoint, Code, Hash, Hash28, Height, Numbered, TimeMs, cbor::CborError, cip8::Cip8Error,
};

/// A transaction that is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Truncated, re-encoded or too long.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Made for another chain.
    #[error("made for the chain {provided}, this is {expected}")]
    WrongNetwork {
        /// Genesis id in the transaction.
        provided: Hash,
        /// Genesis id here.
        expected: Hash,
    },
    /// The witness' key is not the one that the transaction names.
    #[error("signed by key {provided}, the transaction names {expected}")]
    WrongKey {
        /// Hash of the key that signed.
        provided: Hash28,
        /// Hash of the key in the transaction.
        expected: Hash28,
    },
    /// The signature is not of this transaction.
    #[error("the signature does not verify over this transaction")]
    BadSignature,
    /// A wallet's signature is refused.
    #[error(transparent)]
    Wallet(#[from] Cip8Error),
    /// A wallet signed under another address than the account's reward address.
    #[error("the wallet signed as address {provided}, this account on this network is {expected}")]
    WrongAddress {
        /// Hex of the address in the signature's protected header.
        provided: String,
        /// Hex of the account's reward address.
        expected: String,
    },
    /// A valid wallet signature of something else.
    #[error("the wallet signed another text; it should have read: {expected}")]
    WrongText {
        /// The text to sign.
        expected: String,
    },
    /// Too late.
    #[error("valid until {valid_until}, block time is {now} (unix ms)")]
    Expired {
        /// In the transaction.
        valid_until: TimeMs,
        /// The block's time.
        now: TimeMs,
    },
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The market refuses; boxed, so that results stay small.
    #[error(transparent)]
    Lease(Box<LeaseError>),
    /// The bridge refuses; boxed, so that results stay small.
    #[error(transparent)]
    Bridge(Box<BridgeError>),
}

impl From<BridgeError> for TransactionError {
    fn from(error: BridgeError) -> Self {
        TransactionError::Bridge(Box::new(error))
    }
}

impl From<LeaseError> for TransactionError {
    fn from(error: LeaseError) -> Self {
        TransactionError::Lease(Box::new(error))
    }
}

impl Numbered for TransactionError {
    fn code(&self) -> Code {
        match self {
            TransactionError::Encoding(error) => error.code(),
            TransactionError::WrongNetwork { .. } => Code(2101),
            TransactionError::WrongKey { .. } => Code(2102),
            TransactionError::BadSignature => Code(2103),
            TransactionError::Wallet(error) => error.code(),
            TransactionError::WrongAddress { .. } => Code(2104),
            TransactionError::WrongText { .. } => Code(2105),
            TransactionError::Expired { .. } => Code(2106),
            TransactionError::Ledger(error) => error.code(),
            TransactionError::Lease(error) => error.code(),
            TransactionError::Bridge(error) => error.code(),
        }
    }
}

/// A block that nobody may vote for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Truncated, re-encoded or too long.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Not the next height.
    #[error("height {provided}, the next is {expected}")]
    Height {
        /// In the header.
        provided: Height,
        /// The tip's successor.
        expected: Height,
    },
    /// On another parent.
    #[error("built on {provided}, the tip is {expected}")]
    Parent {
        /// In the header.
        provided: Hash,
        /// The tip.
        expected: Hash,
    },
    /// Time does not advance.
    #[error("time {provided} is not above the parent's {parent} (unix ms)")]
    Time {
        /// In the header.
        provided: TimeMs,
        /// The parent's.
        parent: TimeMs,
    },
    /// Another validator's name.
    #[error("names proposer {provided}, this round's is {expected}")]
    Proposer {
        /// In the header.
        provided: Hash28,
        /// Who sent it.
        expected: Hash28,
    },
    /// The Cardano point goes back, or to another block of the same slot.
    #[error("Cardano point {provided:?} after {parent:?}")]
    CardanoPoint {
        /// In the header.
        provided: Option<CardanoPoint>,
        /// The parent's.
        parent: Option<CardanoPoint>,
    },
    /// One of the header's commitments is not what this block computes to.
    #[error("{what} is {provided}, computed {expected}")]
    Mismatch {
        /// Which field.
        what: &'static str,
        /// In the header.
        provided: Hash,
        /// Computed.
        expected: Hash,
    },
    /// A transaction that is refused.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Its place in the block, from 0.
        index: usize,
        /// Why; boxed, so that results stay small.
        error: Box<TransactionError>,
    },
    /// An observation that is not one: this node's own view of Cardano is broken.
    #[error("observation {index}: {error}")]
    Observation {
        /// Its place, from 0.
        index: usize,
        /// Why.
        error: CborError,
    },
    /// The store cannot be read; this node must not vote.
    #[error("the state tree cannot be read: {0}")]
    Tree(String),
}

impl Numbered for BlockError {
    fn code(&self) -> Code {
        match self {
            BlockError::Encoding(error) => error.code(),
            BlockError::Height { .. } => Code(2120),
            BlockError::Parent { .. } => Code(2121),
            BlockError::Time { .. } => Code(2122),
            BlockError::Proposer { .. } => Code(2123),
            BlockError::CardanoPoint { .. } => Code(2124),
            BlockError::Mismatch { .. } => Code(2125),
            BlockError::Transaction { error, .. } => error.code(),
            BlockError::Tree(_) => Code(2126),
            BlockError::Observation { .. } => Code(2127),
        }
    }
}
