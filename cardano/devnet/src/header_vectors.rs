//! Judges header vectors: a Praos header, what is known when it arrives, and whether it is valid or why not.
//!
//! The format is that of pragma-org/amaru's header test cases, a JSON list made from the Haskell node's generator. Their pools hold all
//! of the stake.

use std::{collections::BTreeMap, fs, path::Path};

use num_rational::Ratio;
use nupeer_cardano_ledger::scenarios::{Outcome, Report};
use pallas_crypto::hash::Hash;
use serde::Deserialize;
use serde_json::Value as Json;
use thiserror::Error;

use crate::{
    header::Header,
    verify::{HeaderContext, HeaderError},
};

/// The file is no list of vectors.
#[derive(Debug, Error)]
pub enum HeaderVectorsError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// It is no JSON list.
    #[error("not a list of header vectors: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Judges all vectors of a file, in their order.
///
/// # Errors
/// When the file is no list of vectors. One that cannot be judged is reported as a failure.
pub fn run_file(path: &Path) -> Result<Vec<Report>, HeaderVectorsError> {
    let vectors: Vec<Json> = serde_json::from_str(&fs::read_to_string(path)?)?;
    Ok((0..).zip(vectors).map(report).collect())
}

fn report((index, vector): (usize, Json)) -> Report {
    let title = vector.get("title").and_then(Json::as_str);
    let name = title.map_or_else(|| format!("vector {index}"), str::to_owned);
    let outcome = serde_json::from_value::<Vector>(vector)
        .map_err(|error| error.to_string())
        .and_then(|vector| vector.outcome());
    Report {
        name,
        outcome: outcome.unwrap_or_else(|reason| Outcome::Unreadable { reason }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    context: Context,
    header: String,
    expected: Json,
    /// Present where the pool cannot be looked up: `missingPool`, or `failing` where the ledger has no answer. Ours always has one, so that both
    /// are a pool that it does not know.
    #[serde(default)]
    ledger_state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    active_slot_coeff: serde_json::Number,
    nonce: String,
    ocert_counters: BTreeMap<String, u64>,
    #[serde(rename = "praosMaxKESEvo")]
    kes_evolutions_max: u64,
    #[serde(rename = "praosSlotsPerKESPeriod")]
    kes_period_slots: u64,
    #[serde(rename = "vrfVKeyHash")]
    vrf_key_hash: String,
}

impl Vector {
    fn outcome(&self) -> Result<Outcome, String> {
        let raw = hex::decode(&self.header).map_err(|error| format!("the header: {error}"))?;
        let expected = || self.expected.to_string();
        Ok(match (self.judge(&raw)?, self.expected == "pass") {
            (Ok(()), true) => Outcome::Passed,
            (Ok(()), false) => Outcome::WronglyAccepted {
                expected: expected(),
            },
            (Err(error), false) if is_reason(&self.expected, &error) => Outcome::Passed,
            (Err(error), _) => Outcome::Failed {
                expected: expected(),
                found: error.to_string(),
            },
        })
    }

    fn judge(&self, raw: &[u8]) -> Result<Result<(), HeaderError>, String> {
        let header = match Header::decode(raw) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let pool = header.pool();
        if self.ledger_state.is_some() {
            return Ok(Err(HeaderError::UnknownPool { pool }));
        }
        Ok(header.verify(&self.context.of(&pool)?))
    }
}

impl Context {
    fn of(&self, pool: &Hash<28>) -> Result<HeaderContext, String> {
        Ok(HeaderContext {
            epoch_nonce: hash(&self.nonce)?,
            kes_period_slots: self.kes_period_slots,
            kes_evolutions_max: self.kes_evolutions_max,
            active_slot_coefficient: ratio(&self.active_slot_coeff)?,
            vrf_key_hash: hash(&self.vrf_key_hash)?,
            counter: self.ocert_counters.get(&pool.to_string()).copied(),
        })
    }
}

fn hash(text: &str) -> Result<Hash<32>, String> {
    let bytes = hex::decode(text).map_err(|error| format!("{text}: {error}"))?;
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|_| format!("{text} has not 32 bytes"))?;
    Ok(Hash::new(bytes))
}

/// A decimal fraction between 0 and 1, such as 0.02, exactly.
fn ratio(number: &serde_json::Number) -> Result<Ratio<u64>, String> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let numerator = format!("{whole}{fraction}").parse().ok();
    let denominator = u32::try_from(fraction.len())
        .ok()
        .and_then(|digits| 10u64.checked_pow(digits));
    numerator
        .zip(denominator)
        .map(|(numerator, denominator)| Ratio::new(numerator, denominator))
        .ok_or(format!("{text} is no short decimal fraction"))
}

/// Whether a header was refused for the reason that the vector names (amaru's names of `updateChainDepState`'s failures).
fn is_reason(expected: &Json, error: &HeaderError) -> bool {
    if expected.get("decodeError").is_some() {
        return matches!(error, HeaderError::Length { .. });
    }
    let name = expected["error"].as_str().unwrap_or_default();
    match name.split('(').nth(1).unwrap_or(name) {
        "InvalidSignature" => matches!(error, HeaderError::CertificateSignature),
        "SequenceNumberTooFarAhead" => matches!(error, HeaderError::CounterTooLarge { .. }),
        "SequenceNumberTooSmall" => matches!(error, HeaderError::CounterTooSmall { .. }),
        "InvalidKesSignature" => matches!(error, HeaderError::KesSignature { .. }),
        "OpCertKesPeriodTooLarge" => matches!(error, HeaderError::CertificateTooNew { .. }),
        "OpCertKesPeriodTooOld" => matches!(error, HeaderError::CertificateExpired { .. }),
        "InsufficientLeaderStake" => matches!(error, HeaderError::NotLeader { .. }),
        "KnownLeaderVrf" => matches!(error, HeaderError::VrfKey { .. }),
        "InvalidProof" | "MalformedProof" => matches!(error, HeaderError::VrfProof { .. }),
        "ProofMismatch" => matches!(error, HeaderError::VrfOutput),
        "TryFromSliceError)" => matches!(error, HeaderError::Length { .. }),
        "UnknownPool" | "PoolError" => matches!(error, HeaderError::UnknownPool { .. }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_fraction_is_read_exactly_or_refused() {
        for (text, expected) in [
            ("0.02", Some(Ratio::new(1, 50))),
            ("1", Some(Ratio::from_integer(1))),
            ("0.000000000000000000000001", None),
            ("1e-30", None),
        ] {
            let number = serde_json::from_str(text).expect("a number");
            assert_eq!(ratio(&number).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_vector_is_a_failure_with_its_reason_and_not_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vectors.json");
        fs::write(&path, r#"[{"title": "half"}, 7]"#).expect("a file");
        let reports = run_file(&path).expect("a list");
        let names: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
        assert_eq!(names, ["half", "vector 1"]);
        for report in reports {
            assert!(
                matches!(report.outcome, Outcome::Unreadable { .. }),
                "{report:?}"
            );
        }
        fs::write(&path, "7").expect("a file");
        assert!(matches!(
            run_file(&path),
            Err(HeaderVectorsError::Malformed(_))
        ));
    }
}
