//! The devnet's commands, as JSON lines over a Unix socket: one request per line, one answer per line.

mod client;
mod faucet;
pub(crate) mod fuzz;
mod server;

use nupeer_primitives::{Code, Numbered};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use client::{Client, ClientError};
pub use faucet::FaucetError;
pub(crate) use server::accept;

use crate::chain::{ChainError, SubmitError};

/// The longest request or answer, in bytes.
pub(crate) const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// The most blocks that one command makes.
pub const HURRY_BLOCKS_MAX: u64 = 100_000;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// What is in the devnet.
    Status {},
    /// Sends lovelace from the faucet.
    Faucet {
        /// Where to, bech32 or hexadecimal.
        address: String,
        /// How much.
        lovelace: u64,
    },
    /// Lets a second chain of blocks outgrow the first.
    Fork(Cut),
    /// Takes blocks back.
    Rollback(Cut),
    /// Stops the making of blocks.
    Stall {},
    /// Resumes the making of blocks.
    Resume {},
    /// Makes blocks at once.
    Hurry {
        /// How many.
        blocks: u64,
    },
    /// Where a transaction is.
    Tx {
        /// Its id in hexadecimal.
        id: String,
    },
}

/// How the chain is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How many blocks to take back.
    pub depth: u64,
    /// Ids of transactions that do not return, in hexadecimal.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Raw transactions that come first instead, in hexadecimal.
    #[serde(default)]
    pub replace: Vec<String>,
    /// To go deeper than k.
    #[serde(default)]
    pub force: bool,
}

/// A block's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockReply {
    /// Its number.
    pub block_number: u64,
    /// Its slot.
    pub slot: u64,
    /// Its hash in hexadecimal.
    pub hash: String,
}

/// What is in the devnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// The network's magic number.
    pub network_magic: u64,
    /// The profile's name.
    pub profile: String,
    /// The seed.
    pub seed: u64,
    /// When slot 0 began, in milliseconds since 1970.
    pub system_start_ms: u64,
    /// The last block; none at the origin.
    pub tip: Option<BlockReply>,
    /// The tip's epoch.
    pub epoch: u64,
    /// Slots until the next epoch.
    pub epoch_slots_left: u64,
    /// The epoch's nonce in hexadecimal.
    pub epoch_nonce: String,
    /// Waiting transactions.
    pub mempool_transactions: u64,
    /// Their size in bytes.
    pub mempool_bytes: u64,
    /// How many times the chain was cut.
    pub rollbacks: u64,
    /// Whether no blocks are made.
    pub stalled: bool,
}

/// A transaction that a new chain refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedReply {
    /// Its id in hexadecimal.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What a fork or a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutReply {
    /// The last block that both chains have; none if they part at the origin.
    pub intersection: Option<BlockReply>,
    /// How many blocks are gone.
    pub rolled_back: u64,
    /// The last block after it.
    pub tip: Option<BlockReply>,
    /// Transactions of the old chain that are in the new one or wait.
    pub returned: Vec<String>,
    /// Transactions of the old chain that the new one refuses.
    pub dropped: Vec<DroppedReply>,
}

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum TxReply {
    /// In a block.
    Confirmed {
        /// The block.
        block: BlockReply,
        /// How many blocks follow it.
        depth: u64,
        /// What it cost.
        #[serde(flatten)]
        costs: CostsReply,
    },
    /// In the mempool.
    Waiting,
    /// Refused, or dropped.
    Refused {
        /// Why.
        reason: String,
    },
    /// Never seen.
    Unknown,
}

/// What a transaction cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostsReply {
    /// Its fee.
    pub fee_lovelace: u64,
    /// Its bytes.
    pub size: u64,
    /// Execution steps that its redeemers declare.
    pub cpu: u64,
    /// Execution memory units that its redeemers declare.
    pub mem: u64,
}

/// What the faucet sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaucetReply {
    /// The transaction's id in hexadecimal.
    pub id: String,
}

/// Why a command is refused, as the answer says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The error's number, such as NP7164.
    pub code: String,
    /// The reason.
    pub message: String,
}

/// Why a command is refused.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Not a request.
    #[error("not a request: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Not hexadecimal, or of the wrong length.
    #[error("{field} {value:?} is not {expected} in hexadecimal")]
    Hex {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// More blocks than one command makes.
    #[error("{provided} blocks, at most {maximum} at once")]
    TooManyBlocks {
        /// What was asked for.
        provided: u64,
        /// The most.
        maximum: u64,
    },
    /// The chain refuses.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger refuses.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The faucet cannot pay.
    #[error(transparent)]
    Faucet(#[from] FaucetError),
    /// The devnet is stopping.
    #[error(transparent)]
    Stopped(#[from] crate::owner::Stopped),
}

impl Numbered for ControlError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => Code(7174),
            Self::Hex { .. } => Code(7175),
            Self::TooManyBlocks { .. } => Code(7176),
            Self::Stopped(_) => Code(7177),
            Self::Chain(error) => error.code(),
            Self::Submit(error) => error.code(),
            Self::Faucet(error) => error.code(),
        }
    }
}

impl From<&ControlError> for Refusal {
    fn from(error: &ControlError) -> Self {
        Self {
            code: error.code().to_string(),
            message: error.to_string(),
        }
    }
}
