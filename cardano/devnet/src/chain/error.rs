//! Why the chain cannot do what it was asked for, and why a transaction is refused.

use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

use crate::{block::BlockError, store::StoreError, verify::HeaderError};
use nupeer_cardano_ledger::LedgerError;

/// Why the chain cannot do what it was asked for.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The chain's file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A write failed earlier, so that memory and file differ: nothing more is done.
    #[error("stopped after a failed write; restart the devnet")]
    Stopped,
    /// A stored block does not follow the one before it.
    #[error("stored block {block_number}: {error}")]
    StoredBlock {
        /// Its number.
        block_number: u64,
        /// What is wrong.
        error: HeaderError,
    },
    /// The ledger refuses a transaction of a stored block.
    #[error("stored block {block_number}, transaction {position}: {error}")]
    StoredTransaction {
        /// The block's number.
        block_number: u64,
        /// The transaction's place in it.
        position: usize,
        /// Why it is refused.
        error: LedgerError,
    },
    /// The genesis has funds that the ledger refuses.
    #[error("the genesis' funds: {0}")]
    Funds(LedgerError),
    /// More blocks than k were to be taken back.
    #[error(
        "{depth} blocks deep, Cardano never rolls back more than {maximum}; force it to see what breaks"
    )]
    TooDeep {
        /// What was asked for, in blocks.
        depth: u64,
        /// k.
        maximum: u64,
    },
    /// More blocks than there are were to be taken back.
    #[error("{depth} blocks deep, the chain has {height}")]
    BeyondOrigin {
        /// What was asked for, in blocks.
        depth: u64,
        /// How many blocks there are.
        height: u64,
    },
    /// A transaction that a fork was to contain is refused there; nothing has changed.
    #[error("replacement {index} is refused at the fork: {error}")]
    Replacement {
        /// Its place in the list, from 0.
        index: usize,
        /// Why.
        error: SubmitError,
    },
    /// The point is not on the chain.
    #[error("the point is not on the chain")]
    NotOnChain,
}

impl Numbered for ChainError {
    fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Stopped => Code(7160),
            Self::StoredBlock { .. } => Code(7161),
            Self::StoredTransaction { .. } => Code(7162),
            Self::Funds(_) => Code(7163),
            Self::TooDeep { .. } => Code(7164),
            Self::BeyondOrigin { .. } => Code(7165),
            Self::Replacement { .. } => Code(7166),
            Self::NotOnChain => Code(7167),
        }
    }
}

/// Why a submitted transaction is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It is no transaction.
    #[error(transparent)]
    Shape(#[from] BlockError),
    /// The ledger refuses it.
    #[error("{}: {error}", error.predicate_name())]
    Ledger {
        /// Why.
        #[from]
        error: LedgerError,
    },
    /// It can never fit into a block.
    #[error("it takes {what} {provided}, a block has {maximum}")]
    LargerThanBlock {
        /// Bytes, memory, steps or reference-script bytes.
        what: &'static str,
        /// What it takes.
        provided: u64,
        /// What a block has.
        maximum: u64,
    },
    /// Too many transactions are waiting.
    #[error(
        "the mempool holds {provided} bytes, at most {maximum}: try again after the next block"
    )]
    MempoolFull {
        /// What it would hold.
        provided: u64,
        /// The most it holds.
        maximum: u64,
    },
}

impl Numbered for SubmitError {
    fn code(&self) -> Code {
        match self {
            Self::Shape(_) => Code(7170),
            Self::Ledger { error } => error.code(),
            Self::LargerThanBlock { .. } => Code(7172),
            Self::MempoolFull { .. } => Code(7173),
        }
    }
}
