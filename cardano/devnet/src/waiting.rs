//! What waits for a block at one moment, as local clients are shown it, whatever happens to the mempool afterwards.

use nupeer_cardano_ledger::{
    MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES, ProtocolParameters, TxId, ValidatedTx,
};

use crate::mempool::MEMPOOL_BYTES_MAX;

/// What a block has a bound on: of one transaction, of several, what is left, or at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) bytes: u64,
    pub(crate) memory: u64,
    pub(crate) cpu: u64,
    pub(crate) reference_scripts_bytes: u64,
}

impl Measures {
    pub(crate) fn of(tx: &ValidatedTx) -> Self {
        Self {
            bytes: tx.raw().len() as u64,
            memory: tx.ex_units().memory,
            cpu: tx.ex_units().cpu,
            reference_scripts_bytes: tx.reference_scripts_bytes(),
        }
    }

    /// What may wait: bytes as the mempool has it, the rest as much as the blocks have that those bytes need (as cardano-node reckons it).
    pub(crate) fn capacity(parameters: &ProtocolParameters) -> Self {
        let blocks = MEMPOOL_BYTES_MAX.div_ceil(parameters.max_block_body_size_bytes.max(1));
        let units = parameters.max_block_ex_units;
        Self {
            bytes: MEMPOOL_BYTES_MAX,
            memory: units.memory.saturating_mul(blocks),
            cpu: units.cpu.saturating_mul(blocks),
            reference_scripts_bytes: MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES.saturating_mul(blocks),
        }
    }

    /// The sum of some, capped where it would overflow.
    pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Waiting>) -> Self {
        all.fold(Self::default(), |sum, tx| sum.plus(&tx.measures))
    }

    fn plus(self, more: &Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            memory: self.memory.saturating_add(more.memory),
            cpu: self.cpu.saturating_add(more.cpu),
            reference_scripts_bytes: self
                .reference_scripts_bytes
                .saturating_add(more.reference_scripts_bytes),
        }
    }
}

/// A transaction that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: TxId,
    /// As it was submitted.
    pub(crate) raw: Vec<u8>,
    pub(crate) measures: Measures,
}

impl From<&ValidatedTx> for Waiting {
    fn from(tx: &ValidatedTx) -> Self {
        Self {
            id: tx.id(),
            raw: tx.raw().to_vec(),
            measures: Measures::of(tx),
        }
    }
}

/// The mempool at one moment: the transactions in their order, for a block in `slot` at the earliest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) slot: u64,
    pub(crate) transactions: Vec<Waiting>,
    pub(crate) capacity: Measures,
}

impl Snapshot {
    /// Whether a client sees no difference: the same transactions in the same order, for the same slot.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let ids = |snapshot: &Self| {
            snapshot
                .transactions
                .iter()
                .map(|tx| tx.id)
                .collect::<Vec<_>>()
        };
        self.slot == other.slot && ids(self) == ids(other)
    }

    /// Whether a transaction was waiting.
    pub(crate) fn contains(&self, id: &TxId) -> bool {
        self.transactions.iter().any(|tx| tx.id == *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(slot: u64, ids: &[u8]) -> Snapshot {
        let waiting = |id: &u8| Waiting {
            id: [*id; 32],
            raw: Vec::new(),
            measures: Measures::default(),
        };
        Snapshot {
            slot,
            transactions: ids.iter().map(waiting).collect(),
            capacity: Measures::default(),
        }
    }

    #[test]
    fn snapshots_differ_by_slot_by_transactions_and_by_their_order() {
        let one = snapshot(7, &[1, 2]);
        for (other, same) in [
            (snapshot(7, &[1, 2]), true),
            (snapshot(8, &[1, 2]), false),
            (snapshot(7, &[2, 1]), false),
            (snapshot(7, &[1]), false),
        ] {
            assert_eq!(one.is_same(&other), same, "{other:?}");
        }
    }

    #[test]
    fn the_capacity_is_that_of_the_blocks_which_the_mempools_bytes_need() {
        let parameters = ProtocolParameters::conway_v10();
        let capacity = Measures::capacity(&parameters);
        let blocks = 12;
        assert_eq!(parameters.max_block_body_size_bytes, 90_112, "11.6 blocks");
        assert_eq!(
            capacity,
            Measures {
                bytes: 1024 * 1024,
                memory: blocks * parameters.max_block_ex_units.memory,
                cpu: blocks * parameters.max_block_ex_units.cpu,
                reference_scripts_bytes: blocks * 1024 * 1024,
            }
        );
    }
}
