//! There is exactly one redeemer for each Plutus script that must run.
//!
//! Source: Conway formal specification, rule UTXOW (`redeemers ≡ rdptrs of the scripts needed`, `hasExactSetOfRedeemers` in the
//! Haskell ledger); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use crate::script::Script;
use crate::scripts::{Available, Need};
use crate::tx::{RedeemerKey, Witnesses};
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeSet;
use thiserror::Error;

/// Why a transaction's redeemers are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RedeemersError {
    /// Redeemers for nothing that a Plutus script guards.
    #[error("redeemers without a script: {keys:?}")]
    Extra {
        /// The redeemers at fault.
        keys: Vec<RedeemerKey>,
    },
    /// Scripts without a redeemer.
    #[error("scripts without a redeemer: {keys:?}")]
    Missing {
        /// The redeemers that should be there.
        keys: Vec<RedeemerKey>,
    },
}

impl Numbered for RedeemersError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Extra { .. } => 7310,
            Self::Missing { .. } => 7311,
        })
    }
}

impl RuleError for RedeemersError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Extra { .. } => "ExtraRedeemers",
            Self::Missing { .. } => "MissingRedeemers",
        }
    }
}

pub(crate) fn check(
    witnesses: &Witnesses<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> Result<(), RedeemersError> {
    let plutus = needs
        .iter()
        .filter(|need| matches!(available.get(&need.hash), Some(Script::Plutus(..))));
    let needed: BTreeSet<RedeemerKey> = plutus.map(|need| need.key).collect();
    let present: BTreeSet<RedeemerKey> = witnesses.redeemers.keys().copied().collect();
    let extra: Vec<RedeemerKey> = present.difference(&needed).copied().collect();
    if !extra.is_empty() {
        return Err(RedeemersError::Extra { keys: extra });
    }
    let missing: Vec<RedeemerKey> = needed.difference(&present).copied().collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(RedeemersError::Missing { keys: missing })
    }
}
