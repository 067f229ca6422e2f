//! What the chain can be asked for, and what it answers.

use pallas_crypto::hash::Hash;

use crate::view::{Block, Point, ViewTip};
use nupeer_cardano_ledger::TxId;

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// In a block.
    Confirmed {
        /// The block.
        block: Block,
        /// How many blocks follow it.
        depth: u64,
    },
    /// In the mempool.
    Waiting,
    /// Refused, or dropped from the mempool.
    Refused {
        /// Why.
        reason: String,
    },
    /// Never seen.
    Unknown,
}

/// A reorganisation that somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reorganisation {
    /// How many blocks to take back.
    pub depth: u64,
    /// Transactions that do not return, whether they were in the blocks or waiting.
    pub drop: Vec<TxId>,
    /// Raw transactions that come first instead.
    pub replacements: Vec<Vec<u8>>,
    /// Whether a second chain of blocks outgrows the first at once (a fork), or the chain is left shorter (a rollback).
    pub outgrow: bool,
    /// To go deeper than k.
    pub force: bool,
}

/// What a reorganisation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reorganised {
    /// Where both chains part.
    pub intersection: Point,
    /// The blocks that are gone.
    pub rolled_back: u64,
    /// The tip after it.
    pub tip: ViewTip,
    /// Transactions that were in those blocks or waiting and are in the new blocks or waiting.
    pub returned: Vec<TxId>,
    /// Transactions that the new chain refuses, with the reason.
    pub dropped: Vec<(TxId, String)>,
}

/// What is in a devnet, for its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The tip.
    pub tip: ViewTip,
    /// The tip's epoch.
    pub epoch: u64,
    /// Slots until the next epoch, from the tip's.
    pub epoch_slots_left: u64,
    /// The epoch's nonce.
    pub epoch_nonce: Hash<32>,
    /// Waiting transactions.
    pub mempool_transactions: u64,
    /// Their size in bytes.
    pub mempool_bytes: u64,
    /// How many times the chain was cut.
    pub rollbacks: u64,
    /// Whether no blocks are made.
    pub stalled: bool,
}
