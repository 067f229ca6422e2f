//! Phase 2: the Plutus scripts of a transaction, each run with its redeemer's budget.
//!
//! Source: Conway formal specification, rule UTXOS (`evalP2Scripts`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

mod bls;
mod build;
mod certificates;
mod context;
mod flat;
mod governance;
pub(crate) mod machine;
mod strings;
#[cfg(test)]
mod tests;

use super::clock::SlotClock;
use super::error::LedgerError;
use super::parameters::ProtocolParameters;
use super::rules::RuleError;
use super::rules::inputs::Resolved;
use super::script::{PlutusVersion, Script};
use super::scripts::{Available, Need};
use super::tx::{ExUnits, RedeemerKey, Transaction};
use amaru_uplc::arena::Arena;
use amaru_uplc::bumpalo::Bump;
use build::{Build, Data};
use context::Dialect;
use machine::Run;
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeMap;
use thiserror::Error;

/// What running one redeemer's script gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Which redeemer.
    pub key: RedeemerKey,
    /// What the script consumed.
    pub ex_units: ExUnits,
    /// Whether a ledger of this protocol version charges exactly that. It does not for a script that calls `appendString`, `equalsString` or
    /// `encodeUtf8` before version 11: then it charges more.
    pub is_exact: bool,
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

impl Numbered for PhaseTwoError {
    fn code(&self) -> Code {
        Code(match self {
            Self::FailedUnexpectedly { .. } => 7400,
            Self::PassedUnexpectedly { .. } => 7401,
            Self::CollectErrors { .. } => 7402,
        })
    }
}

impl RuleError for PhaseTwoError {
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

/// From this protocol version on the ledger charges for text as the evaluator does.
const STRINGS_BY_BYTES_VERSION: u16 = 11;

/// Where a script's budget comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    /// Its redeemer.
    Declared,
    /// The protocol's limit for one transaction.
    Greatest,
}

/// Runs the scripts and compares the outcome with what the transaction says of it.
pub(crate) fn check(tx: &Transaction<'_>, environment: Environment<'_>) -> Result<(), LedgerError> {
    let evaluations = evaluate(tx, environment, Budget::Declared)?;
    let scripts = evaluations.len();
    // A success that costs more than is known may be a failure.
    let is_unknown = evaluations
        .iter()
        .any(|run| run.failure.is_none() && !run.is_exact);
    let failed = evaluations
        .into_iter()
        .find_map(|run| Some((run.key, run.failure?, run.logs)));
    match (tx.is_valid, failed) {
        (true, Some((key, reason, logs))) => {
            Err(PhaseTwoError::FailedUnexpectedly { key, reason, logs }.into())
        }
        (false, Some(_)) => Ok(()),
        (_, None) if is_unknown => {
            let form = "scripts that call appendString, equalsString or encodeUtf8 before protocol version 11";
            Err(LedgerError::Unsupported { form })
        }
        (false, None) => Err(PhaseTwoError::PassedUnexpectedly { scripts }.into()),
        (true, None) => Ok(()),
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
    let mut tx_infos: BTreeMap<Dialect, Data<'_>> = BTreeMap::new();
    let mut evaluations = Vec::new();
    let knows_strings = environment.parameters.protocol_version.major >= STRINGS_BY_BYTES_VERSION;
    for need in needs {
        let (dialect, script) = script_of(need, environment.available)?;
        let tx_info = match tx_infos.get(&dialect) {
            Some(tx_info) => *tx_info,
            None => {
                let Environment {
                    resolved,
                    needs,
                    clock,
                    ..
                } = environment;
                let tx_info = context::tx_info(build, dialect, tx, resolved, needs, clock)?;
                tx_infos.insert(dialect, tx_info);
                tx_info
            }
        };
        let redeemer = tx
            .witnesses
            .redeemers
            .get(&need.key)
            .ok_or_else(|| format!("no redeemer {:?}", need.key))?;
        let arguments = context::arguments(
            build,
            dialect,
            tx_info,
            redeemer.data,
            need,
            tx,
            environment.resolved,
        )?;
        let budget = match budget {
            Budget::Declared => redeemer.ex_units,
            Budget::Greatest => environment.parameters.max_tx_ex_units,
        };
        let run = run(
            build,
            dialect,
            script,
            &arguments,
            environment.parameters,
            budget,
        )?;
        let Run {
            ex_units,
            is_exact,
            logs,
            failure,
        } = run;
        evaluations.push(Evaluation {
            key: need.key,
            ex_units,
            is_exact: is_exact || knows_strings,
            logs,
            failure,
        });
    }
    Ok(evaluations)
}

fn script_of<'a>(need: &Need, available: &Available<'a>) -> Result<(Dialect, &'a [u8]), String> {
    match available.get(&need.hash) {
        Some(Script::Plutus(PlutusVersion::V1, script)) => Ok((Dialect::V1, script)),
        Some(Script::Plutus(PlutusVersion::V2, script)) => Ok((Dialect::V2, script)),
        Some(Script::Plutus(PlutusVersion::V3, script)) => Ok((Dialect::V3, script)),
        _ => Err(format!(
            "the script {} is no Plutus script",
            hex::encode(need.hash)
        )),
    }
}

/// Decodes and runs one script. One that cannot be decoded fails, as on chain; without a cost model nothing can be run.
fn run<'a>(
    build: Build<'a>,
    dialect: Dialect,
    script: &[u8],
    arguments: &[Data<'a>],
    parameters: &ProtocolParameters,
    budget: ExUnits,
) -> Result<Run, String> {
    let version = dialect.version();
    let cost_model = parameters
        .cost_models
        .get(version)
        .ok_or_else(|| format!("no cost model for Plutus {version:?}"))?;
    Ok(
        match machine::decode(build, version, script, parameters.protocol_version.major) {
            Ok(program) => {
                machine::run(build.arena, version, program, arguments, cost_model, budget)
            }
            Err(reason) => Run::failed(reason),
        },
    )
}
