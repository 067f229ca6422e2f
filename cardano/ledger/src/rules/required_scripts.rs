//! The scripts that the transaction needs are there, once: as witnesses, or on an input or reference input. No others are witnesses.
//!
//! Source: Conway formal specification, rule UTXOW (`scriptsNeeded - refScripts ≡ᵉ witsScriptHashes`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use crate::script::ScriptHash;
use crate::scripts::{Available, Need};
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why a transaction's script witnesses are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequiredScriptsError {
    /// Scripts that are needed and nowhere.
    #[error("missing scripts: {}", hashes.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
    Missing {
        /// Their hashes.
        hashes: Vec<ScriptHash>,
    },
    /// Witnesses that are not needed, or are on an input already.
    #[error("extraneous scripts: {}", hashes.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
    Extraneous {
        /// Their hashes.
        hashes: Vec<ScriptHash>,
    },
}

impl Numbered for RequiredScriptsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Missing { .. } => 7290,
            Self::Extraneous { .. } => 7291,
        })
    }
}

impl RuleError for RequiredScriptsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "MissingScriptWitnessesUTXOW",
            Self::Extraneous { .. } => "ExtraneousScriptWitnessesUTXOW",
        }
    }
}

pub(crate) fn check(needs: &[Need], available: &Available<'_>) -> Result<(), RequiredScriptsError> {
    let needed: BTreeSet<ScriptHash> = needs
        .iter()
        .map(|need| need.hash)
        .filter(|hash| !available.referenced.contains_key(hash))
        .collect();
    let witnessed: BTreeSet<ScriptHash> = available.witnessed.keys().copied().collect();
    let missing: Vec<ScriptHash> = needed.difference(&witnessed).copied().collect();
    if !missing.is_empty() {
        return Err(RequiredScriptsError::Missing { hashes: missing });
    }
    let extraneous: Vec<ScriptHash> = witnessed.difference(&needed).copied().collect();
    if !extraneous.is_empty() {
        return Err(RequiredScriptsError::Extraneous { hashes: extraneous });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use crate::scripts::Purpose;
    use crate::tx::{RedeemerKey, RedeemerTag};

    fn verdict(
        needed: &[u8],
        witnessed: &[u8],
        referenced: &[u8],
    ) -> Result<(), RequiredScriptsError> {
        let key = RedeemerKey {
            tag: RedeemerTag::Mint,
            index: 0,
        };
        let need = |hash: &u8| Need {
            key,
            purpose: Purpose::Mint([*hash; 28]),
            hash: [*hash; 28],
        };
        let needs: Vec<Need> = needed.iter().map(need).collect();
        let scripts = |hashes: &[u8]| {
            hashes
                .iter()
                .map(|hash| ([*hash; 28], Script::Native(&[])))
                .collect()
        };
        check(
            &needs,
            &Available {
                witnessed: scripts(witnessed),
                referenced: scripts(referenced),
            },
        )
    }

    #[test]
    fn needed_scripts_are_there_once_and_no_others() {
        let missing = |hash| {
            Err(RequiredScriptsError::Missing {
                hashes: vec![[hash; 28]],
            })
        };
        let extraneous = |hash| {
            Err(RequiredScriptsError::Extraneous {
                hashes: vec![[hash; 28]],
            })
        };
        assert_eq!(verdict(&[1, 2], &[1], &[2, 3]), Ok(()));
        assert_eq!(verdict(&[1, 2], &[1], &[]), missing(2));
        assert_eq!(verdict(&[1], &[1, 2], &[]), extraneous(2));
        assert_eq!(verdict(&[1], &[1], &[1]), extraneous(1));
    }
}
