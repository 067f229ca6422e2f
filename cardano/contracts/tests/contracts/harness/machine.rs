//! Runs scripts under protocol version 10.

use amaru_uplc::{
    arena::Arena,
    binder::DeBruijn,
    constant::Constant,
    data::PlutusData,
    flat,
    machine::{ExBudget, PlutusVersion},
    term::Term,
};
use nupeer_contracts::{PlutusScript, apply::unwrap};
use nupeer_primitives::plutus::Data;
use serde_json::Value as Json;

/// Preprod's parameters at protocol version 10, which the devnet starts from.
const PARAMETERS: &str = include_str!("../../../../ledger/parameters/preprod-conway-v10.json");

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) cpu: u64,
    pub(crate) mem: u64,
}

impl std::ops::AddAssign for Units {
    fn add_assign(&mut self, other: Units) {
        self.cpu += other.cpu;
        self.mem += other.mem;
    }
}

/// How a run failed: the code of the rule, in the traced build, and the machine's word.
#[derive(Clone)]
pub(crate) struct Died {
    pub(crate) code: Option<String>,
    pub(crate) reason: String,
}

impl std::fmt::Debug for Died {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({})",
            self.code.as_deref().unwrap_or("no code"),
            self.reason
        )
    }
}

/// A number from the protocol parameters.
pub(crate) fn parameter(path: &[&str]) -> u64 {
    let json: Json = serde_json::from_str(PARAMETERS).expect("JSON");
    let found = path.iter().fold(&json, |json, key| &json[*key]);
    found
        .as_u64()
        .unwrap_or_else(|| panic!("no number at {path:?}"))
}

/// The V3 cost model.
pub(crate) fn cost_model() -> Vec<i64> {
    let json: Json = serde_json::from_str(PARAMETERS).expect("JSON");
    let model = json["plutusCostModels"]["plutusV3"]
        .as_array()
        .expect("a cost model");
    model
        .iter()
        .map(|cost| cost.as_i64().expect("an integer"))
        .collect()
}

/// Runs a script with its one argument, within what a transaction may use.
pub(crate) fn run(script: &PlutusScript, context: &Data) -> Result<Units, Died> {
    let arena = Arena::new();
    let flat_bytes = unwrap(script.as_bytes()).expect("CBOR");
    let program =
        flat::decode::<DeBruijn>(&arena, flat_bytes, PlutusVersion::V3, 10).expect("a program");
    let argument = PlutusData::from_cbor(&arena, &context.to_cbor()).expect("Plutus data");
    let limit = |name| parameter(&["maxExecutionUnitsPerTransaction", name]) as i64;
    let budget = ExBudget {
        mem: limit("memory"),
        cpu: limit("cpu"),
    };
    let applied = program.apply(&arena, Term::data(&arena, argument));
    let result = applied.eval_with_params(&arena, PlutusVersion::V3, &cost_model(), budget);
    let used = result.info.consumed_budget;
    match result.term {
        // A V3 script says yes with unit and nothing else (CIP-117).
        Ok(Term::Constant(Constant::Unit)) => Ok(Units {
            cpu: used.cpu as u64,
            mem: used.mem as u64,
        }),
        Ok(other) => Err(Died {
            code: None,
            reason: format!("returned {other:?}"),
        }),
        Err(error) => {
            let reason: String = format!("{error:?}").chars().take(200).collect();
            Err(Died {
                code: result.info.logs.last().and_then(|log| code_of(log)),
                reason,
            })
        }
    }
}

/// `P07` of `P07 no such leaf under the anchor`.
fn code_of(log: &str) -> Option<String> {
    let (code, _) = log.split_once(' ')?;
    let letter = code.starts_with(|c: char| c.is_ascii_uppercase());
    let digits = code.len() == 3 && code[1..].bytes().all(|b| b.is_ascii_digit());
    (letter && digits).then(|| code.to_owned())
}
