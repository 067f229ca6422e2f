//! Phase 2: the Plutus scripts of a transaction, each run with its redeemer's budget.
//!
//! Source: Conway formal specification, rule UTXOS (`evalP2Scripts`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

mod build;
mod context;
pub(crate) mod machine;
#[cfg(test)]
mod tests;

use super::clock::SlotClock;
use super::parameters::ProtocolParameters;
use super::rules::RuleError;
use super::rules::inputs::Resolved;
use super::script::{PlutusVersion, Script};
use super::scripts::{Available, Need};
use super::tx::{ExUnits, RedeemerKey, Transaction};
use amaru_uplc::arena::Arena;
use amaru_uplc::bumpalo::Bump;
use build::Build;
use context::Dialect;
use machine::Run;
use thiserror::Error;

/// What running one redeemer's script gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Which redeemer.
    pub key: RedeemerKey,
    /// What the script consumed.
    pub ex_units: ExUnits,
    /// What it traced, in order.
    pub logs: Vec<String>,
    /// The machine's error, when the script failed.
    pub failure: Option<String>,
}

/// Why phase 2 refuses a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PhaseTwoError {
    /// The transaction says that its scripts succeed; one fails.
    #[error(
        "the transaction is marked valid, but the script of {key:?} failed: {reason}; its trace: {logs:?}"
    )]
    FailedUnexpectedly {
        /// The redeemer whose script failed.
        key: RedeemerKey,
        /// The machine's error.
        reason: String,
        /// What the script traced.
        logs: Vec<String>,
    },
    /// The transaction says that a script fails; all succeed.
    #[error("the transaction is marked invalid, but all of its {scripts} scripts succeeded")]
    PassedUnexpectedly {
        /// How many scripts ran.
        scripts: usize,
    },
    /// The scripts cannot be run.
    #[error("the scripts cannot be run: {reason}")]
    CollectErrors {
        /// Why.
        reason: String,
    },
}

impl RuleError for PhaseTwoError {
    fn number(&self) -> u16 {
        match self {
            Self::FailedUnexpectedly { .. } => 300,
            Self::PassedUnexpectedly { .. } => 301,
            Self::CollectErrors { .. } => 302,
        }
    }

    fn predicate_name(&self) -> &'static str {
        match self {
            Self::FailedUnexpectedly { .. } | Self::PassedUnexpectedly { .. } => {
                "ValidationTagMismatch"
            }
            Self::CollectErrors { .. } => "CollectErrors",
        }
    }
}

/// What scripts are run with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Environment<'e> {
    pub(crate) parameters: &'e ProtocolParameters,
    pub(crate) clock: &'e SlotClock,
    pub(crate) resolved: &'e Resolved<'e>,
    pub(crate) needs: &'e [Need],
    pub(crate) available: &'e Available<'e>,
}

/// Where a script's budget comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    /// Its redeemer.
    Declared,
    /// The protocol's limit for one transaction.
    Greatest,
}

/// Runs the scripts and compares the outcome with what the transaction says of it.
pub(crate) fn check(
    tx: &Transaction<'_>,
    environment: Environment<'_>,
) -> Result<(), PhaseTwoError> {
    let evaluations = evaluate(tx, environment, Budget::Declared)?;
    let scripts = evaluations.len();
    let failed = evaluations
        .into_iter()
        .find_map(|run| Some((run.key, run.failure?, run.logs)));
    match (tx.is_valid, failed) {
        (true, Some((key, reason, logs))) => {
            Err(PhaseTwoError::FailedUnexpectedly { key, reason, logs })
        }
        (false, None) => Err(PhaseTwoError::PassedUnexpectedly { scripts }),
        (true, None) | (false, Some(_)) => Ok(()),
    }
}

/// Runs each Plutus script that the transaction needs, in the order of the redeemers.
pub(crate) fn evaluate(
    tx: &Transaction<'_>,
    environment: Environment<'_>,
    budget: Budget,
) -> Result<Vec<Evaluation>, PhaseTwoError> {
    let plutus = |need: &&Need| {
        matches!(
            environment.available.get(&need.hash),
            Some(Script::Plutus(..))
        )
    };
    let needs: Vec<&Need> = environment.needs.iter().filter(plutus).collect();
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let evaluated = machine::with_deep_stack(|| evaluate_all(tx, environment, &needs, budget));
    evaluated
        .and_then(|result| result)
        .map_err(|reason| PhaseTwoError::CollectErrors { reason })
}

fn evaluate_all(
    tx: &Transaction<'_>,
    environment: Environment<'_>,
    needs: &[&Need],
    budget: Budget,
) -> Result<Vec<Evaluation>, String> {
    let (arena, slices) = (Arena::new(), Bump::new());
    let build = Build {
        arena: &arena,
        slices: &slices,
    };
    needs
        .iter()
        .map(|need| evaluate_one(build, tx, environment, need, budget))
        .collect()
}

fn evaluate_one(
    build: Build<'_>,
    tx: &Transaction<'_>,
    environment: Environment<'_>,
    need: &Need,
    budget: Budget,
) -> Result<Evaluation, String> {
    let Environment {
        parameters,
        clock,
        resolved,
        needs,
        available,
    } = environment;
    let redeemer = tx
        .witnesses
        .redeemers
        .get(&need.key)
        .ok_or_else(|| format!("no redeemer {:?}", need.key))?;
    let (dialect, version, script) = match available.get(&need.hash) {
        Some(Script::Plutus(PlutusVersion::V2, script)) => (Dialect::V2, PlutusVersion::V2, script),
        Some(Script::Plutus(PlutusVersion::V3, script)) => (Dialect::V3, PlutusVersion::V3, script),
        _ => {
            return Err(format!(
                "the script {} is neither Plutus V2 nor V3",
                hex::encode(need.hash)
            ));
        }
    };
    let cost_model = parameters
        .cost_models
        .get(version)
        .ok_or_else(|| format!("no cost model for Plutus {version:?}"))?;
    let tx_info = context::tx_info(build, dialect, tx, resolved, needs, clock)?;
    let arguments = context::arguments(build, dialect, tx_info, redeemer.data, need, tx, resolved)?;
    let budget = match budget {
        Budget::Declared => redeemer.ex_units,
        Budget::Greatest => parameters.max_tx_ex_units,
    };
    let run = match machine::decode(
        build.arena,
        version,
        script,
        parameters.protocol_version.major,
    ) {
        Ok(program) => machine::run(
            build.arena,
            version,
            program,
            &arguments,
            cost_model,
            budget,
        ),
        Err(reason) => Run::failed(reason),
    };
    Ok(Evaluation {
        key: need.key,
        ex_units: run.ex_units,
        logs: run.logs,
        failure: run.failure,
    })
}
