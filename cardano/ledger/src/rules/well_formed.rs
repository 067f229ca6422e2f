//! Plutus scripts, as witnesses or on new outputs, can be decoded.
//!
//! Source: Conway formal specification, rule UTXOW (`∀[ s ∈ … ] isWellFormed s`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use crate::phase_two::machine;
use crate::script::{Script, ScriptHash};
use crate::tx::Transaction;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Scripts that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WellFormedError {
    /// As a witness.
    #[error("malformed script witness {}: {reason}", hex::encode(hash))]
    Witness {
        /// The script's hash.
        hash: ScriptHash,
        /// What is wrong with it.
        reason: String,
    },
    /// On an output.
    #[error("malformed reference script {}: {reason}", hex::encode(hash))]
    Reference {
        /// The script's hash.
        hash: ScriptHash,
        /// What is wrong with it.
        reason: String,
    },
}

impl Numbered for WellFormedError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Witness { .. } => 7380,
            Self::Reference { .. } => 7381,
        })
    }
}

impl RuleError for WellFormedError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Witness { .. } => "MalformedScriptWitnesses",
            Self::Reference { .. } => "MalformedReferenceScripts",
        }
    }
}

pub(crate) fn check(tx: &Transaction<'_>, protocol_version: u16) -> Result<(), WellFormedError> {
    let witnesses: Vec<Script<'_>> = tx.witnesses.scripts.clone();
    if let Some((hash, reason)) = first_malformed(&witnesses, protocol_version) {
        return Err(WellFormedError::Witness { hash, reason });
    }
    let references: Vec<Script<'_>> = tx
        .body
        .all_outputs()
        .filter_map(|output| output.script)
        .collect();
    match first_malformed(&references, protocol_version) {
        Some((hash, reason)) => Err(WellFormedError::Reference { hash, reason }),
        None => Ok(()),
    }
}

/// The first Plutus script that cannot be decoded, and why.
pub(super) fn first_malformed(
    scripts: &[Script<'_>],
    protocol_version: u16,
) -> Option<(ScriptHash, String)> {
    scripts.iter().find_map(|script| match script {
        Script::Plutus(version, bytes) => {
            let reason = machine::check_well_formed(*version, bytes, protocol_version).err()?;
            Some((script.hash(), reason))
        }
        // Decoding the transaction has read native scripts.
        Script::Native(_) => None,
    })
}
