//! A transaction that the rules let through, and what it does to the state.

use super::certs::Changes;
use super::tx::{ExUnits, Transaction, TxId, TxIn};

/// A valid transaction with its effects. Only `Ledger::validate` makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedTx {
    pub(crate) id: TxId,
    pub(crate) raw: Vec<u8>,
    pub(crate) slot: u64,
    pub(crate) is_valid: bool,
    pub(crate) spent: Vec<TxIn>,
    pub(crate) created: Vec<(TxIn, Vec<u8>)>,
    pub(crate) changes: Changes,
    pub(crate) fee_lovelace: u64,
    pub(crate) donation_lovelace: u64,
    pub(crate) size_bytes: u64,
    pub(crate) ex_units: ExUnits,
    pub(crate) reference_scripts_bytes: u64,
}

impl ValidatedTx {
    /// The transaction's id.
    pub fn id(&self) -> TxId {
        self.id
    }

    /// The transaction as it was submitted.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether its scripts succeed; otherwise its collateral is taken and nothing else happens.
    pub fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// The outputs that it spends: its inputs, or its collateral when a script fails.
    pub fn spent(&self) -> &[TxIn] {
        &self.spent
    }

    /// The outputs that it creates, as CBOR: its outputs, or the collateral's return when a script fails.
    pub fn created(&self) -> &[(TxIn, Vec<u8>)] {
        &self.created
    }

    /// What goes to the fee pot: the fee, or the collateral less its return when a script fails.
    pub fn fee_lovelace(&self) -> u64 {
        self.fee_lovelace
    }

    /// What it gives to the treasury; nothing when a script fails.
    pub fn donation_lovelace(&self) -> u64 {
        self.donation_lovelace
    }

    /// The size that counts for the fee, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The sum of its redeemers' budgets.
    pub fn ex_units(&self) -> ExUnits {
        self.ex_units
    }

    /// Bytes of reference scripts that it uses.
    pub fn reference_scripts_bytes(&self) -> u64 {
        self.reference_scripts_bytes
    }

    /// The outputs that a valid transaction creates.
    pub(crate) fn created_outputs(tx: &Transaction<'_>) -> Vec<(TxIn, Vec<u8>)> {
        let outputs = tx.body.outputs.iter().enumerate();
        outputs
            .map(|(index, output)| (tx.output_reference(index), output.raw.to_vec()))
            .collect()
    }

    /// The output that a transaction with a failing script creates: the collateral's return, numbered after the ordinary outputs.
    pub(crate) fn created_return(tx: &Transaction<'_>) -> Vec<(TxIn, Vec<u8>)> {
        let reference = tx.output_reference(tx.body.outputs.len());
        tx.body
            .collateral_return
            .iter()
            .map(|output| (reference, output.raw.to_vec()))
            .collect()
    }
}
