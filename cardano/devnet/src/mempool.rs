//! Transactions that wait for a block: each valid on top of the ones before it.

use crate::{
    block::TxParts,
    chain::SubmitError,
    stack::{Applied, apply, revert},
    waiting::Measures,
};
use nupeer_cardano_ledger::{
    Ledger, MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES, ProtocolParameters, TxId, ValidatedTx,
};

/// The most that waits, in bytes: some eleven full blocks.
pub(crate) const MEMPOOL_BYTES_MAX: u64 = 1024 * 1024;
/// What a transaction adds to a block beside its slices: its position among the auxiliary data and among the failures, and its
/// share of the arrays' heads.
const OVERHEAD_BYTES: u64 = 16;

/// What is left of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget(Measures);

impl Budget {
    /// An empty block's.
    pub(crate) fn of(parameters: &ProtocolParameters) -> Self {
        Self(Measures {
            bytes: parameters.max_block_body_size_bytes,
            memory: parameters.max_block_ex_units.memory,
            cpu: parameters.max_block_ex_units.cpu,
            reference_scripts_bytes: MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES,
        })
    }

    /// What is left after `tx`, or what it has too much of: its name, what it takes and what is left.
    pub(crate) fn after(&self, tx: &ValidatedTx) -> Result<Self, (&'static str, u64, u64)> {
        let (need, left) = (Measures::of(tx), self.0);
        let take = |what, need: u64, left: u64| left.checked_sub(need).ok_or((what, need, left));
        Ok(Self(Measures {
            bytes: take("bytes", need.bytes + OVERHEAD_BYTES, left.bytes)?,
            memory: take("memory units", need.memory, left.memory)?,
            cpu: take("CPU steps", need.cpu, left.cpu)?,
            reference_scripts_bytes: take(
                "reference-script bytes",
                need.reference_scripts_bytes,
                left.reference_scripts_bytes,
            )?,
        }))
    }
}

/// The waiting transactions, applied to the ledger on top of the last block.
#[derive(Debug, Default)]
pub(crate) struct Mempool {
    entries: Vec<Applied>,
    bytes: u64,
}

impl Mempool {
    /// How many wait.
    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Their size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Refuses what would make it too large. A fork that brings transactions back is not held to that.
    pub(crate) fn check_room(&self, raw: &[u8]) -> Result<(), SubmitError> {
        let (provided, maximum) = (
            self.bytes.saturating_add(raw.len() as u64),
            MEMPOOL_BYTES_MAX,
        );
        if provided > maximum {
            return Err(SubmitError::MempoolFull { provided, maximum });
        }
        Ok(())
    }

    /// All that wait, in their order.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &ValidatedTx> {
        self.entries.iter().map(|entry| &entry.tx)
    }

    /// Whether a transaction waits.
    pub(crate) fn contains(&self, id: &TxId) -> bool {
        self.entries.iter().any(|entry| entry.tx.id() == *id)
    }

    /// Takes a transaction in, if it is valid in a block at `slot` after all that wait.
    pub(crate) fn submit(
        &mut self,
        ledger: &mut Ledger,
        raw: &[u8],
        slot: u64,
    ) -> Result<TxId, SubmitError> {
        TxParts::split(raw)?;
        let tx = ledger.validate(raw, slot)?;
        Budget::of(ledger.parameters())
            .after(&tx)
            .map_err(|(what, provided, maximum)| SubmitError::LargerThanBlock {
                what,
                provided,
                maximum,
            })?;
        let id = tx.id();
        self.push(apply(ledger, tx)?);
        Ok(id)
    }

    /// Keeps a transaction that is applied on top of all that wait.
    pub(crate) fn push(&mut self, applied: Applied) {
        self.bytes = self.bytes.saturating_add(applied.tx.raw().len() as u64);
        self.entries.push(applied);
    }

    /// Takes all of them off the ledger, in their order.
    pub(crate) fn unwind(&mut self, ledger: &mut Ledger) -> Vec<ValidatedTx> {
        self.bytes = 0;
        let mut transactions = Vec::with_capacity(self.entries.len());
        while let Some(applied) = self.entries.pop() {
            transactions.push(revert(ledger, applied));
        }
        transactions.reverse();
        transactions
    }

    /// Puts back what `unwind` took off a ledger that is now the same again.
    pub(crate) fn restore(&mut self, ledger: &mut Ledger, transactions: Vec<ValidatedTx>) {
        for tx in transactions {
            match apply(ledger, tx) {
                Ok(applied) => self.push(applied),
                Err(error) => unreachable!("a transaction was valid in this very state: {error}"),
            }
        }
    }
}
