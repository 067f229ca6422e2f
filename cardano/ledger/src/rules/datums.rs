//! The datums that Plutus-locked inputs name by hash are there; others only if an output or a reference input names them.
//!
//! Source: Conway formal specification, rule UTXOW (`inputHashes ⊆ txdatsHashes`,
//! `txdatsHashes ⊆ inputHashes ∪ allOutHashes ∪ getDataHashes (range (utxo ∣ refInputs))`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use super::inputs::Resolved;
use crate::data::DatumHash;
use crate::output::{Datum, Output};
use crate::script::{PlutusVersion, Script};
use crate::scripts::{Available, Need, Purpose};
use crate::tx::{Transaction, TxIn};
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why a transaction's datums are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatumsError {
    /// Datums that inputs name and nobody shows.
    #[error("missing datums: {}", hashes.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
    Missing {
        /// Their hashes.
        hashes: Vec<DatumHash>,
    },
    /// Inputs that a Plutus V1 or V2 script locks and that have no datum.
    #[error("inputs without a datum, which Plutus V1 and V2 cannot unlock: {inputs:?}")]
    Unspendable {
        /// The inputs at fault.
        inputs: Vec<TxIn>,
    },
    /// Datums that nothing names.
    #[error("datums that nothing names: {}", hashes.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
    NotAllowed {
        /// Their hashes.
        hashes: Vec<DatumHash>,
    },
}

impl Numbered for DatumsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Missing { .. } => 7300,
            Self::NotAllowed { .. } => 7301,
            Self::Unspendable { .. } => 7302,
        })
    }
}

impl RuleError for DatumsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "MissingRequiredDatums",
            Self::NotAllowed { .. } => "NotAllowedSupplementalDatums",
            Self::Unspendable { .. } => "UnspendableUTxONoDatumHash",
        }
    }
}

pub(crate) fn check(
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> Result<(), DatumsError> {
    check_spendable(resolved, needs, available)?;
    let shown: BTreeSet<DatumHash> = tx.witnesses.datums.keys().copied().collect();
    let required = required(resolved, needs, available);
    let missing: Vec<DatumHash> = required.difference(&shown).copied().collect();
    if !missing.is_empty() {
        return Err(DatumsError::Missing { hashes: missing });
    }
    let mut allowed = supplemental(tx, resolved);
    allowed.extend(required);
    let hashes: Vec<DatumHash> = shown.difference(&allowed).copied().collect();
    if hashes.is_empty() {
        Ok(())
    } else {
        Err(DatumsError::NotAllowed { hashes })
    }
}

/// Since V3 a script can do without a datum (CIP-69).
fn check_spendable(
    resolved: &Resolved<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> Result<(), DatumsError> {
    let inputs = needs
        .iter()
        .filter_map(|need| match (need.purpose, available.get(&need.hash)?) {
            (Purpose::Spend(input), Script::Plutus(PlutusVersion::V1 | PlutusVersion::V2, _)) => {
                Some(input)
            }
            _ => None,
        });
    let without = |input: &TxIn| {
        resolved
            .get(input)
            .is_some_and(|output| output.datum == Datum::Absent)
    };
    let inputs: Vec<TxIn> = inputs.filter(without).collect();
    if inputs.is_empty() {
        Ok(())
    } else {
        Err(DatumsError::Unspendable { inputs })
    }
}

/// Hashes on inputs that a Plutus script guards.
fn required(
    resolved: &Resolved<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> BTreeSet<DatumHash> {
    let plutus = needs
        .iter()
        .filter(|need| matches!(available.get(&need.hash), Some(Script::Plutus(..))));
    let outputs = plutus.filter_map(|need| match need.purpose {
        Purpose::Spend(input) => resolved.get(&input),
        Purpose::Mint(_)
        | Purpose::Certify(_)
        | Purpose::Reward(_)
        | Purpose::Vote(_)
        | Purpose::Propose(_) => None,
    });
    outputs.filter_map(hash_of).collect()
}

fn supplemental(tx: &Transaction<'_>, resolved: &Resolved<'_>) -> BTreeSet<DatumHash> {
    let referenced = tx
        .body
        .reference_inputs
        .iter()
        .filter_map(|input| resolved.get(input));
    tx.body
        .all_outputs()
        .chain(referenced)
        .filter_map(hash_of)
        .collect()
}

fn hash_of(output: &Output<'_>) -> Option<DatumHash> {
    match output.datum {
        Datum::Hash(hash) => Some(hash),
        Datum::Inline(_) | Datum::Absent => None,
    }
}
