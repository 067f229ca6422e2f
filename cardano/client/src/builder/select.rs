//! Which outputs to spend: largest first (CIP-2), with ties broken by reference, so that the same wallet makes the
//! same transaction.

use std::{cmp::Reverse, collections::BTreeMap};

use nupeer_primitives::AssetId;

use super::{
    BuildError, TransactionBuilder,
    change::{self, ChangeError},
};
use crate::{Output, OutputReference, ProtocolParameters, Utxo, Value};

/// Inputs that cover everything, and the change they leave.
pub(super) struct Selection {
    pub(super) inputs: BTreeMap<OutputReference, Output>,
    pub(super) change: Vec<Output>,
}

/// Chooses among what is available until outputs, burning, `fee` and the change's minimum are covered.
pub(super) fn select(
    builder: &TransactionBuilder,
    fee: u64,
    parameters: &ProtocolParameters,
) -> Result<Selection, BuildError> {
    let taken = builder.taken(fee)?;
    let mut inputs = builder.given_inputs();
    loop {
        let rest = builder.brought(inputs.values())?.checked_sub(&taken);
        let (short, lack) = match rest {
            Err(asset) => {
                let provided = total_of(builder, &asset)?;
                let required = taken.get(&asset);
                (
                    asset.clone(),
                    BuildError::InsufficientFunds {
                        asset,
                        provided,
                        required,
                    },
                )
            }
            Ok(rest) => match change::lay_out(rest, &builder.change, parameters) {
                Ok(change) if !inputs.is_empty() => return Ok(Selection { inputs, change }),
                Ok(_) => (AssetId::Ada, no_input(fee)),
                Err(ChangeError::TooSmall { provided, minimum }) => (
                    AssetId::Ada,
                    BuildError::ChangeTooSmall { provided, minimum },
                ),
                Err(ChangeError::Other(error)) => return Err(error),
            },
        };
        let next = best(builder, &inputs, &short).ok_or(lack)?;
        inputs.insert(next.reference, next.output.clone());
    }
}

/// Each transaction spends something, were it only to be unique.
fn no_input(fee: u64) -> BuildError {
    BuildError::InsufficientFunds {
        asset: AssetId::Ada,
        provided: 0,
        required: fee,
    }
}

/// The largest holding of `asset` that is free. For ADA, outputs without tokens go first, so that tokens are not
/// moved about for nothing.
fn best<'a>(
    builder: &'a TransactionBuilder,
    chosen: &BTreeMap<OutputReference, Output>,
    asset: &AssetId,
) -> Option<&'a Utxo> {
    candidates(builder)
        .filter(|utxo| !chosen.contains_key(&utxo.reference) && utxo.output.value.get(asset) > 0)
        .min_by_key(|utxo| {
            let burdened = *asset == AssetId::Ada && utxo.output.value.has_tokens();
            (
                burdened,
                Reverse(utxo.output.value.get(asset)),
                utxo.reference,
            )
        })
}

/// What may be spent unasked: locked by a key, carrying no script that others may refer to, and not referred to
/// itself.
pub(super) fn candidates(builder: &TransactionBuilder) -> impl Iterator<Item = &Utxo> {
    builder.available.iter().filter(|utxo| {
        utxo.spending_key().is_some()
            && utxo.output.script.is_none()
            && !builder.references.contains_key(&utxo.reference)
    })
}

fn total_of(builder: &TransactionBuilder, asset: &AssetId) -> Result<u64, BuildError> {
    let given = builder.given_inputs();
    let free: BTreeMap<_, _> = candidates(builder)
        .filter(|utxo| !given.contains_key(&utxo.reference))
        .map(|utxo| (utxo.reference, &utxo.output))
        .collect();
    let brought: Value = builder.brought(given.values())?;
    free.values().try_fold(brought.get(asset), |sum, output| {
        sum.checked_add(output.value.get(asset))
            .ok_or(BuildError::Overflow)
    })
}
