//! The native scripts that the transaction needs are satisfied.
//!
//! Source: Conway formal specification, rule UTXOW (`∀[ s ∈ scriptsP1 ] validP1Script witsKeyHashes txVldt s`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use super::signatures::signers;
use crate::native_script::{Circumstances, is_satisfied};
use crate::script::{Script, ScriptHash};
use crate::scripts::{Available, Need};
use crate::tx::Transaction;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Native scripts that are needed and not satisfied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("native scripts not satisfied: {}", hashes.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
pub struct NativeScriptsFail {
    /// Their hashes.
    pub hashes: Vec<ScriptHash>,
}

impl Numbered for NativeScriptsFail {
    fn code(&self) -> Code {
        Code(7280)
    }
}

impl RuleError for NativeScriptsFail {
    fn predicate_name(&self) -> &'static str {
        "ScriptWitnessNotValidatingUTXOW"
    }
}

pub(crate) fn check(
    tx: &Transaction<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> Result<(), NativeScriptsFail> {
    let signers = signers(tx);
    let circumstances = Circumstances {
        signers: &signers,
        valid_from: tx.body.valid_from,
        valid_until: tx.body.valid_until,
    };
    let fails = |hash: &ScriptHash| match available.get(hash) {
        Some(Script::Native(script)) => !is_satisfied(script, circumstances),
        Some(Script::Plutus(..)) | None => false,
    };
    let hashes: Vec<ScriptHash> = needs.iter().map(|need| need.hash).filter(fails).collect();
    if hashes.is_empty() {
        Ok(())
    } else {
        Err(NativeScriptsFail { hashes })
    }
}
