//! The one builder: wallet, faucet and relayer describe a transaction, and it chooses inputs and collateral, makes
//! change, and finds the smallest fee that the ledger accepts.
//!
//! It builds what this project needs (payments, Plutus V3 spending and minting, reference scripts, inline datums,
//! metadata) and refuses the rest by name.

mod assemble;
mod balance;
mod change;
mod collateral;
mod error;
mod evaluate;
pub mod fee;
#[cfg(test)]
pub(crate) mod fixtures;
mod minimum;
mod scripts;
mod select;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use nupeer_primitives::{AssetId, Hash28, Slot, plutus::Data};
use pallas_primitives::Metadatum;

pub use change::{Change, ChangeLayout};
pub use error::{BuildError, SignError};
pub use evaluate::{Evaluate, EvaluateError, NoScripts, Purpose, RedeemerError, RedeemerIndex};
pub use minimum::{minimum_lovelace, required_lovelace};
pub use transaction::{SignedTransaction, UnsignedTransaction};

use crate::{Output, OutputReference, ProtocolParameters, Script, Utxo, Value};

/// A transaction as somebody wants it, before it is balanced.
///
/// Outputs keep the order in which they were asked for; [`Change`] says where the change goes among them. What was
/// said twice of one input, policy or label counts as said last.
#[derive(Clone, Debug)]
pub struct TransactionBuilder {
    change: Change,
    inputs: BTreeMap<OutputReference, Input>,
    available: Vec<Utxo>,
    references: BTreeMap<OutputReference, Output>,
    outputs: Vec<Output>,
    mint: BTreeMap<Hash28, Minting>,
    scripts: BTreeMap<Hash28, Script>,
    valid_from: Option<Slot>,
    valid_until: Option<Slot>,
    signers: BTreeSet<Hash28>,
    metadata: BTreeMap<u64, Metadatum>,
    collateral: Vec<Utxo>,
}

/// An output that is to be spent whatever else is.
#[derive(Clone, Debug)]
struct Input {
    output: Output,
    redeemer: Option<Data>,
}

/// What is minted (above zero) and burned (below) under one policy.
#[derive(Clone, Debug)]
struct Minting {
    amounts: BTreeMap<Vec<u8>, i64>,
    redeemer: Data,
}

impl TransactionBuilder {
    /// Nothing yet but where the change goes.
    pub fn new(change: Change) -> Self {
        TransactionBuilder {
            change,
            inputs: BTreeMap::new(),
            available: Vec::new(),
            references: BTreeMap::new(),
            outputs: Vec::new(),
            mint: BTreeMap::new(),
            scripts: BTreeMap::new(),
            valid_from: None,
            valid_until: None,
            signers: BTreeSet::new(),
            metadata: BTreeMap::new(),
            collateral: Vec::new(),
        }
    }

    /// Spends an output that a key guards.
    pub fn spend(mut self, utxo: Utxo) -> Self {
        self.inputs.insert(
            utxo.reference,
            Input {
                output: utxo.output,
                redeemer: None,
            },
        );
        self
    }

    /// Spends an output that a Plutus V3 script guards.
    pub fn spend_with(mut self, utxo: Utxo, redeemer: Data) -> Self {
        self.inputs.insert(
            utxo.reference,
            Input {
                output: utxo.output,
                redeemer: Some(redeemer),
            },
        );
        self
    }

    /// Outputs that may be spent as needed, and pledged as collateral. Those that a script guards or that carry a
    /// reference script are left alone.
    pub fn available(mut self, utxos: impl IntoIterator<Item = Utxo>) -> Self {
        self.available.extend(utxos);
        self
    }

    /// Refers to an output without spending it; a script it carries may be run.
    pub fn reference(mut self, utxo: Utxo) -> Self {
        self.references.insert(utxo.reference, utxo.output);
        self
    }

    /// Adds an output after those added before.
    pub fn pay(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// Mints (above zero) or burns (below) under a Plutus V3 policy.
    pub fn mint(
        mut self,
        policy: Hash28,
        amounts: impl IntoIterator<Item = (Vec<u8>, i64)>,
        redeemer: Data,
    ) -> Self {
        let amounts = amounts
            .into_iter()
            .filter(|(_, amount)| *amount != 0)
            .collect();
        self.mint.insert(policy, Minting { amounts, redeemer });
        self
    }

    /// A script for the transaction to carry, if it must run and no reference carries it.
    pub fn script(mut self, script: Script) -> Self {
        self.scripts.insert(script.hash(), script);
        self
    }

    /// The first slot in which the transaction is valid.
    pub fn valid_from(mut self, slot: Slot) -> Self {
        self.valid_from = Some(slot);
        self
    }

    /// The first slot in which it is valid no longer.
    pub fn valid_until(mut self, slot: Slot) -> Self {
        self.valid_until = Some(slot);
        self
    }

    /// A key that must sign and that scripts see among the signatories.
    pub fn required_signer(mut self, key: Hash28) -> Self {
        self.signers.insert(key);
        self
    }

    /// Metadata under a label (CIP-10).
    pub fn metadata(mut self, label: u64, metadatum: Metadatum) -> Self {
        self.metadata.insert(label, metadatum);
        self
    }

    /// Outputs to pledge, in place of those available.
    pub fn collateral(mut self, utxos: impl IntoIterator<Item = Utxo>) -> Self {
        self.collateral.extend(utxos);
        self
    }

    /// Balances everything. `evaluator` is asked only if there are scripts to run.
    pub fn build(
        &self,
        parameters: &ProtocolParameters,
        evaluator: &dyn Evaluate,
    ) -> Result<UnsignedTransaction, BuildError> {
        balance::balance(self, parameters, evaluator)
    }

    fn has_redeemers(&self) -> bool {
        !self.mint.is_empty() || self.inputs.values().any(|input| input.redeemer.is_some())
    }

    fn given_inputs(&self) -> BTreeMap<OutputReference, Output> {
        self.inputs
            .iter()
            .map(|(reference, input)| (*reference, input.output.clone()))
            .collect()
    }

    /// What `inputs` and minting bring in.
    fn brought<'a>(&self, inputs: impl Iterator<Item = &'a Output>) -> Result<Value, BuildError> {
        let (minted, _) = self.minted_and_burned();
        let mut values = inputs.map(|output| &output.value).chain([&minted]);
        values
            .try_fold(Value::default(), |sum, value| sum.checked_add(value))
            .ok_or(BuildError::Overflow)
    }

    /// What outputs, burning and `fee` take.
    fn taken(&self, fee: u64) -> Result<Value, BuildError> {
        let (_, burned) = self.minted_and_burned();
        let fee = Value::lovelace(fee);
        let mut values = self
            .outputs
            .iter()
            .map(|output| &output.value)
            .chain([&burned, &fee]);
        values
            .try_fold(Value::default(), |sum, value| sum.checked_add(value))
            .ok_or(BuildError::Overflow)
    }

    fn minted_and_burned(&self) -> (Value, Value) {
        let (mut minted, mut burned) = (Value::default(), Value::default());
        for (policy, minting) in &self.mint {
            for (name, amount) in &minting.amounts {
                let asset = AssetId::Native {
                    policy: *policy,
                    name: name.clone(),
                };
                let side = if *amount > 0 {
                    &mut minted
                } else {
                    &mut burned
                };
                side.set(asset, amount.unsigned_abs());
            }
        }
        (minted, burned)
    }
}
