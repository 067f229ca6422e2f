//! What is told of a decided block: to the API's stream, to agents, to whoever waits for a transaction.

use nupeer_primitives::{CardanoPoint, Hash, Height, TimeMs, consensus::ValidatorId};
use nupeer_runtime::{Block, Event};

/// A decided and stored block, without the bytes of its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSummary {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub id: Hash,
    /// Its time, unix ms.
    pub time: TimeMs,
    /// Who built it.
    pub proposer: ValidatorId,
    /// The state root after it.
    pub state_root: Hash,
    /// The Cardano point observed up to.
    pub cardano: Option<CardanoPoint>,
    /// Its transactions in their order.
    pub transactions: Vec<TransactionSummary>,
    /// What the block itself did, by observation or because it was due.
    pub events: Vec<Event>,
}

/// A transaction that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSummary {
    /// Its id.
    pub id: Hash,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl BlockSummary {
    /// The summary of `block`, whose transactions have the ids `transactions` and did `events`.
    pub fn of(block: &Block, events: &[(Option<usize>, Event)], transactions: &[Hash]) -> Self {
        let header = &block.header;
        let empty = |id: &Hash| TransactionSummary {
            id: *id,
            events: Vec::new(),
        };
        let mut transactions: Vec<_> = transactions.iter().map(empty).collect();
        let mut own = Vec::new();
        for (index, event) in events {
            match index.map(|index| transactions.get_mut(index)) {
                None => own.push(event.clone()),
                Some(Some(transaction)) => transaction.events.push(event.clone()),
                Some(None) => {}
            }
        }
        BlockSummary {
            height: header.height,
            id: header.id(),
            time: header.time,
            proposer: header.proposer,
            state_root: header.state_root,
            cardano: header.cardano,
            transactions,
            events: own,
        }
    }
}
