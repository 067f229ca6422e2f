//! What the transactions of one block may use together.

use super::error::LedgerError;
use super::parameters::{MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES, ProtocolParameters};
use super::rules::{ex_units, reference_scripts};
use super::tx::ExUnits;
use super::validated::ValidatedTx;

/// What a block's transactions use so far. A forger adds transactions while [`BlockUsage::plus`] succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockUsage {
    ex_units: ExUnits,
    reference_scripts_bytes: u64,
}

impl BlockUsage {
    /// The usage with one more transaction.
    ///
    /// # Errors
    /// `TooManyExUnits` or `BodyRefScriptsSizeTooBig` when the block would use more than it may.
    pub fn plus(
        self,
        tx: &ValidatedTx,
        parameters: &ProtocolParameters,
    ) -> Result<Self, LedgerError> {
        let further = tx.reference_scripts_bytes();
        Ok(Self {
            ex_units: ex_units::check_block(self.ex_units, tx.ex_units(), parameters)?,
            reference_scripts_bytes: reference_scripts::check_block(
                self.reference_scripts_bytes,
                further,
                MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES,
            )?,
        })
    }
}
