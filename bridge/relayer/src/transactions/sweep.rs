//! Taking credited deposits into a shard.

use std::collections::BTreeMap;

use nupeer_cardano_client::{OutputReference, TransactionBuilder, builder::Change};
use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{Anchor, Value};
use pallas_addresses::Address;

use super::{References, TransactionError, Window, continued, purse};
use crate::{
    CardanoState,
    state::{Located, held},
};

/// Most deposits in one transaction: ten take a third of its bytes and a fifth of its memory, whatever the tree's depth.
pub const DEPOSITS_MAX: usize = 10;

/// Outputs: shard, change. `paths` are the deposits' proofs under the anchor's root.
pub fn build(
    state: &CardanoState,
    submitter: &Address,
    shard: u8,
    anchor: &Located<Anchor>,
    paths: &BTreeMap<OutputReference, Vec<u8>>,
    window: &Window,
) -> Result<TransactionBuilder, TransactionError> {
    if paths.is_empty() {
        return Err(TransactionError::Nothing);
    }
    let missing = |what| TransactionError::Missing { what };
    let before = state.shards.get(&shard);
    let before = before.ok_or_else(|| missing(format!("shard {shard}")))?;
    let scripts = [Validator::Vault, Validator::Deposit];
    let references = References::of(state, [anchor.utxo.clone()], &scripts)?;
    let mut taken = Value::default();
    let mut deposits = Vec::new();
    for reference in paths.keys() {
        let deposit = state.deposits.get(reference);
        let deposit = deposit.ok_or_else(|| missing(format!("deposit {reference}")))?;
        let sum = taken.checked_add(&held(deposit));
        taken = sum.ok_or(TransactionError::Overflow)?;
        deposits.push(deposit.clone());
    }
    let after = before.datum.after_absorbing(&taken)?;
    let value = held(&before.utxo).checked_add(&taken);
    let next = continued(
        before,
        &value.ok_or(TransactionError::Overflow)?,
        &after.to_data(),
    )?;
    // Redeemers name the shard by its place among all inputs: the one that pays is chosen here, not by the builder.
    let purse = purse(state, &submitter.to_string())?;
    let earlier = paths.keys().chain([&purse.reference]);
    let shard_ix = earlier
        .filter(|input| **input < before.utxo.reference)
        .count();
    let paths: Vec<_> = paths.values().cloned().collect();
    let absorb = redeemer::absorb(references.place(&anchor.utxo), &paths);
    let mut builder = TransactionBuilder::new(Change::to(submitter.clone()))
        .spend(purse)
        .spend_with(before.utxo.clone(), absorb)
        .valid_from(window.from)
        .valid_until(window.until)
        .pay(next);
    for deposit in deposits {
        builder = builder.spend_with(deposit, redeemer::sweep(shard_ix));
    }
    Ok(references
        .0
        .into_iter()
        .fold(builder, TransactionBuilder::reference))
}
