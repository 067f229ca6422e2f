//! The body commits to redeemers, datums and the cost models of the languages used.
//!
//! Source: Conway formal specification, rule UTXOW (`txscriptdatahash ≡ hashScriptIntegrity pp languages txrdmrs txdats`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>; Conway CDDL, `script_data_hash`, for the bytes.

use super::RuleError;
use crate::parameters::CostModels;
use crate::script::{PlutusVersion, Script};
use crate::scripts::{Available, Need};
use crate::tx::Transaction;
use nupeer_primitives::{Code, Numbered};
use pallas_crypto::hash::Hasher;
use std::collections::BTreeSet;
use thiserror::Error;

/// The hash in the body is not that of what the transaction carries.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the script data hash is {}, expected {}",
    show(provided),
    show(expected)
)]
pub struct ScriptDataHashMismatch {
    /// What the body says.
    pub provided: Option<[u8; 32]>,
    /// What it should say.
    pub expected: Option<[u8; 32]>,
}

fn show(hash: &Option<[u8; 32]>) -> String {
    hash.map_or_else(|| "absent".to_owned(), hex::encode)
}

impl Numbered for ScriptDataHashMismatch {
    fn code(&self) -> Code {
        Code(7320)
    }
}

impl RuleError for ScriptDataHashMismatch {
    fn predicate_name(&self) -> &'static str {
        "PPViewHashesDontMatch"
    }
}

pub(crate) fn check(
    tx: &Transaction<'_>,
    needs: &[Need],
    available: &Available<'_>,
    cost_models: &CostModels,
) -> Result<(), ScriptDataHashMismatch> {
    let provided = tx.body.script_data_hash;
    let expected = expected(tx, &languages(needs, available), cost_models);
    if provided == expected {
        Ok(())
    } else {
        Err(ScriptDataHashMismatch { provided, expected })
    }
}

/// The languages of the scripts that run.
fn languages(needs: &[Need], available: &Available<'_>) -> BTreeSet<PlutusVersion> {
    let scripts = needs.iter().filter_map(|need| available.get(&need.hash));
    scripts
        .filter_map(|script| match script {
            Script::Plutus(version, _) => Some(version),
            Script::Native(_) => None,
        })
        .collect()
}

/// blake2b-256 over redeemers, datums (if any) and language views, the former two as they came.
fn expected(
    tx: &Transaction<'_>,
    languages: &BTreeSet<PlutusVersion>,
    cost_models: &CostModels,
) -> Option<[u8; 32]> {
    let (redeemers, datums) = (tx.witnesses.redeemers_raw, tx.witnesses.datums_raw);
    if redeemers.is_none() && datums.is_none() && languages.is_empty() {
        return None;
    }
    let mut hasher = Hasher::<256>::new();
    // An absent set of redeemers counts as an empty map.
    hasher.input(redeemers.unwrap_or(&[0xa0]));
    hasher.input(datums.unwrap_or_default());
    hasher.input(&language_views(languages, cost_models));
    Some(*hasher.finalize())
}

/// A map from language to cost model, keys in canonical order (shorter first).
///
/// V1's key and value are wrapped in byte strings, and its list is of indefinite length: an accident of Alonzo, kept for ever.
pub(crate) fn language_views(
    languages: &BTreeSet<PlutusVersion>,
    cost_models: &CostModels,
) -> Vec<u8> {
    let mut views = vec![0xa0 | languages.len() as u8];
    for version in [PlutusVersion::V2, PlutusVersion::V3, PlutusVersion::V1] {
        if !languages.contains(&version) {
            continue;
        }
        let costs = cost_models.get(version).unwrap_or_default();
        match version {
            PlutusVersion::V1 => {
                let list = [&[0x9f], integers(costs).as_slice(), &[0xff]].concat();
                views.extend([0x41, 0x00]);
                views.extend(head(2, list.len() as u64));
                views.extend(list);
            }
            PlutusVersion::V2 | PlutusVersion::V3 => {
                views.push(if version == PlutusVersion::V2 { 1 } else { 2 });
                views.extend(head(4, costs.len() as u64));
                views.extend(integers(costs));
            }
        }
    }
    views
}

fn integers(values: &[i64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| {
            if *value < 0 {
                head(1, !*value as u64)
            } else {
                head(0, *value as u64)
            }
        })
        .collect()
}

/// The shortest head of a CBOR item.
fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (short, tail): (u8, &[u8]) = match argument {
        0..=23 => (argument as u8, &[]),
        24..=0xff => (24, &bytes[7..]),
        0x100..=0xffff => (25, &bytes[6..]),
        0x1_0000..=0xffff_ffff => (26, &bytes[4..]),
        _ => (27, &bytes),
    };
    [&[major << 5 | short], tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_views_have_the_bytes_of_the_cddl() {
        let models = CostModels {
            v1: Some(vec![1, -1]),
            v2: Some(vec![24]),
            v3: Some(vec![-900, 0]),
        };
        let cases: [(&[PlutusVersion], &str); 5] = [
            (&[], "a0"),
            (&[PlutusVersion::V1], "a14100449f0120ff"),
            (&[PlutusVersion::V2], "a101811818"),
            (&[PlutusVersion::V3], "a1028239038300"),
            (
                &[PlutusVersion::V1, PlutusVersion::V3],
                "a20282390383004100449f0120ff",
            ),
        ];
        for (languages, expected) in cases {
            let views = language_views(&languages.iter().copied().collect(), &models);
            assert_eq!(hex::encode(views), expected);
        }
    }
}
