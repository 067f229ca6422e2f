//! A small Conway ledger: phase 1 by the rules of `rules`, phase 2 by amaru-uplc with the protocol's cost models and budgets.
//!
//! What is hashed is never re-encoded: transactions and outputs are kept as the bytes they came in. What this ledger does not check
//! yet is refused by name ([`LedgerError::Unsupported`]), never let through.

mod address;
mod block;
mod byron;
mod cbor;
mod certs;
mod clock;
mod data;
mod delegation;
mod delta;
mod error;
mod governance;
mod native_script;
mod output;
mod parameters;
mod phase_two;
#[cfg(test)]
mod properties;
pub mod rules;
pub mod scenarios;
mod script;
mod scripts;
mod state;
#[cfg(test)]
mod testing;
mod tx;
mod validate;
mod validated;
mod value;

pub use address::{Address, Credential, Pointer, Staking};
pub use block::BlockUsage;
pub use byron::ByronAddress;
pub use cbor::DecodeError;
pub use certs::CertState;
pub use clock::SlotClock;
pub use data::{DatumHash, datum_hash};
pub use delegation::{Account, Delegation, Pool};
pub use error::LedgerError;
pub use governance::{
    ActionKind, Authorization, Document, Governance, Lineage, OpenProposal, Representative,
};
pub use output::{Datum, Output};
pub use parameters::{
    CommitteeThresholds, CostModels, DRepParameterThresholds, DRepVotingThresholds,
    ExecutionPrices, MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES, PoolParameterThresholds,
    PoolVotingThresholds, ProtocolParameters, ProtocolVersion, Ratio, ReferenceScriptPrice,
};
pub use phase_two::{Evaluation, PhaseTwoError};
pub use rules::fees::minimum_fee;
pub use rules::output_size::minimum_lovelace;
pub use script::{PlutusVersion, Script, ScriptHash};
pub use state::{Pots, State, Undo, Utxos};
pub use tx::{
    Action, ActionId, Ballot, ParameterUpdate, ParameterValue, Proposal, Vote, Voter, Votes,
};
pub use tx::{
    Anchor, AuxiliaryData, Body, BootstrapWitness, Certificate, DRep, Delegatee, ExUnits, PoolId,
    PoolMetadata, PoolParameters, Redeemer, RedeemerKey, RedeemerTag, Relay, RewardAccount,
    Transaction, TxId, TxIn, VKeyWitness, Witnesses,
};
pub use validated::ValidatedTx;
pub use value::{AssetName, Assets, Balance, PolicyId, Value};

/// What stays the same for a ledger's whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The protocol's parameters.
    pub parameters: ProtocolParameters,
    /// 0 for test networks, 1 for mainnet.
    pub network: u8,
    /// How slots map to time.
    pub clock: SlotClock,
}

/// Why a block's transactions are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index} of the block: {error}")]
pub struct BlockError {
    /// The transaction's place in the block, from 0.
    pub index: usize,
    /// Why it is refused.
    pub error: LedgerError,
}

/// A ledger: settings and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    settings: Settings,
    state: State,
}

impl Ledger {
    /// A ledger that starts with these unspent outputs, each given as its CBOR.
    ///
    /// # Errors
    /// `Malformed` when an output is none.
    pub fn genesis(
        settings: Settings,
        utxos: impl IntoIterator<Item = (TxIn, Vec<u8>)>,
    ) -> Result<Self, LedgerError> {
        Self::with_state(settings, utxos, Pots::default(), CertState::default())
    }

    /// A ledger that starts with these unspent outputs, pots, accounts and pools.
    ///
    /// # Errors
    /// `Malformed` when an output is none.
    pub fn with_state(
        settings: Settings,
        utxos: impl IntoIterator<Item = (TxIn, Vec<u8>)>,
        pots: Pots,
        certs: CertState,
    ) -> Result<Self, LedgerError> {
        let utxos: Utxos = utxos.into_iter().collect();
        for output in utxos.values() {
            Output::parse(output)?;
        }
        Ok(Self {
            settings,
            state: State::new(utxos, pots, certs),
        })
    }

    /// Checks a transaction as local submission does: all rules, and all scripts run, at `slot`.
    ///
    /// # Errors
    /// The first rule that the transaction breaks.
    pub fn validate(&self, raw_tx: &[u8], slot: u64) -> Result<ValidatedTx, LedgerError> {
        validate::validate(raw_tx, slot, &self.settings, &self.state)
    }

    /// Runs a transaction's scripts with the greatest budget, whatever its redeemers declare: what a builder needs to declare them.
    ///
    /// # Errors
    /// When the transaction cannot be decoded, its inputs do not exist, or a script, datum or redeemer is missing.
    pub fn evaluate(&self, raw_tx: &[u8]) -> Result<Vec<Evaluation>, LedgerError> {
        validate::evaluate(raw_tx, &self.settings, &self.state)
    }

    /// Applies a transaction that this ledger validated.
    ///
    /// # Errors
    /// `BadInputsUTxO` when an output that was unspent at validation no longer is, `changedSinceValidation` when an account or pool that
    /// it changes has changed since; then nothing has changed.
    pub fn apply(&mut self, tx: &ValidatedTx) -> Result<Undo, LedgerError> {
        self.state.apply(tx)
    }

    /// Validates and applies the transactions of a block, in order, and moves the tip to its slot.
    ///
    /// # Errors
    /// The first transaction that is refused; then nothing has changed.
    pub fn apply_block(&mut self, slot: u64, transactions: &[&[u8]]) -> Result<Undo, BlockError> {
        let start = self.state.advance(slot);
        let mut changes = Vec::new();
        let mut usage = BlockUsage::default();
        for (index, raw) in transactions.iter().enumerate() {
            match self.apply_in_block(raw, slot, &mut usage) {
                Ok(undo) => changes.push(undo),
                Err(error) => {
                    self.state.undo(Undo::merge(start, changes));
                    return Err(BlockError { index, error });
                }
            }
        }
        Ok(Undo::merge(start, changes))
    }

    fn apply_in_block(
        &mut self,
        raw: &[u8],
        slot: u64,
        usage: &mut BlockUsage,
    ) -> Result<Undo, LedgerError> {
        let tx = self.validate(raw, slot)?;
        *usage = usage.plus(&tx, self.parameters())?;
        self.state.apply(&tx)
    }

    /// Takes a change back. Changes are taken back in the reverse order of being made.
    pub fn undo(&mut self, undo: Undo) {
        self.state.undo(undo);
    }

    /// The unspent outputs at an address (given as its bytes), each as its CBOR.
    pub fn utxo_by_address<'a>(
        &'a self,
        address: &[u8],
    ) -> impl Iterator<Item = (TxIn, &'a [u8])> + use<'a> {
        self.state.at_address(address)
    }

    /// An unspent output, as its CBOR.
    pub fn utxo_by_txin(&self, reference: &TxIn) -> Option<&[u8]> {
        self.state.utxos().get(reference).map(Vec::as_slice)
    }

    /// All unspent outputs.
    pub fn utxos(&self) -> &Utxos {
        self.state.utxos()
    }

    /// The protocol's parameters.
    pub fn parameters(&self) -> &ProtocolParameters {
        &self.settings.parameters
    }

    /// What stays the same for this ledger's whole life.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The pots.
    pub fn pots(&self) -> Pots {
        self.state.pots()
    }

    /// Accounts and pools.
    pub fn certs(&self) -> &CertState {
        self.state.certs()
    }

    /// The slot of the last block applied; 0 before the first.
    pub fn slot(&self) -> u64 {
        self.state.slot()
    }
}
