//! Which scripts run, and who carries them.

use std::collections::{BTreeMap, BTreeSet};

use nupeer_primitives::{Credential, Hash28};

use super::{BuildError, TransactionBuilder};
use crate::{Datum, Output, OutputReference, Script, ScriptLanguage, Utxo};

/// The scripts that the transaction must carry: those that run and that no input or reference input carries. The
/// ledger refuses a script that is not needed (`ExtraneousScriptWitnessesUTXOW`).
pub(super) fn witnesses<'a>(
    builder: &'a TransactionBuilder,
    inputs: &BTreeMap<OutputReference, Output>,
) -> Result<Vec<&'a Script>, BuildError> {
    let carried = carried(builder, inputs);
    let mut witnesses = Vec::new();
    for hash in needed(builder)? {
        let script = match carried.get(&hash) {
            Some(script) => script,
            None => {
                let script = builder
                    .scripts
                    .get(&hash)
                    .ok_or(BuildError::MissingScript(hash))?;
                witnesses.push(script);
                script
            }
        };
        if script.language != ScriptLanguage::PlutusV3 {
            return Err(BuildError::Language {
                hash,
                language: script.language,
            });
        }
    }
    Ok(witnesses)
}

/// Bytes of all scripts at inputs and reference inputs, counted once for each output (cardano-ledger,
/// `txNonDistinctRefScriptsSize`).
pub(super) fn reference_bytes(
    builder: &TransactionBuilder,
    inputs: &BTreeMap<OutputReference, Output>,
) -> u64 {
    let outputs = inputs.values().chain(builder.references.values());
    outputs
        .filter_map(|output| output.script.as_ref())
        .map(|script| script.bytes.len() as u64)
        .sum()
}

fn carried(
    builder: &TransactionBuilder,
    inputs: &BTreeMap<OutputReference, Output>,
) -> BTreeMap<Hash28, Script> {
    let outputs = inputs.values().chain(builder.references.values());
    outputs
        .filter_map(|output| output.script.clone())
        .map(|script| (script.hash(), script))
        .collect()
}

/// Hashes of the scripts that run, after checking that each input is spent in a way that can work.
fn needed(builder: &TransactionBuilder) -> Result<BTreeSet<Hash28>, BuildError> {
    let mut needed: BTreeSet<Hash28> = builder.mint.keys().copied().collect();
    for (reference, input) in &builder.inputs {
        let refused = |reason| {
            Err(BuildError::Input {
                reference: *reference,
                reason,
            })
        };
        let utxo = Utxo {
            reference: *reference,
            output: input.output.clone(),
        };
        match (utxo.credential(), &input.redeemer, &input.output.datum) {
            (None, _, _) => return refused("a Byron or reward address guards it"),
            (Some(Credential::Key(_)), None, _) => {}
            (Some(Credential::Key(_)), Some(_), _) => {
                return refused("a key guards it, which takes no redeemer");
            }
            (Some(Credential::Script(_)), None, _) => {
                return refused("a script guards it, which needs a redeemer");
            }
            (Some(Credential::Script(_)), Some(_), Some(Datum::Hash(_))) => {
                return refused("only the hash of its datum is on chain");
            }
            (Some(Credential::Script(hash)), Some(_), _) => {
                needed.insert(hash);
            }
        }
    }
    Ok(needed)
}
