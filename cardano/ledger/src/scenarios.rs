//! Runs transaction scenarios: a state, a transaction, and whether it passes or which predicate it fails.
//!
//! The format is that of pragma-org/amaru's transaction fixtures (`schema.json` beside them): one JSON file each in `scenarios/`, with
//! references to shared documents in `common/`.

mod delegation;
mod governance;

use super::{
    CertState, Ledger, LedgerError, PhaseTwoError, Pots, ProtocolParameters, Settings, SlotClock,
    TxIn,
};
use delegation::DelegationFields;
use governance::GovernanceFields;
use serde::Deserialize;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The folder cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {source}")]
pub struct ScenarioFolderError {
    /// The folder.
    path: PathBuf,
    /// The system's error.
    source: std::io::Error,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What was expected.
    Passed,
    /// The transaction must fail and was let through: the one thing that must not happen.
    WronglyAccepted {
        /// The predicate it must fail.
        expected: String,
    },
    /// Another failure, or a failure where none was expected.
    Failed {
        /// `Pass`, or the predicate it must fail.
        expected: String,
        /// What the ledger says, with its predicate's name.
        found: String,
    },
    /// The file is no scenario that can be run.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// A scenario and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file's name without its ending.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Runs all scenarios of a folder, in the order of their names.
///
/// # Errors
/// When the folder cannot be read. A file that cannot be read is reported as a failure.
pub fn run_folder(root: &Path) -> Result<Vec<Report>, ScenarioFolderError> {
    let folder = root.join("scenarios");
    let failed = |source| ScenarioFolderError {
        path: folder.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.iter().map(|file| run_file(root, file)).collect())
}

/// Runs one scenario; `root` is the folder that its references start from.
pub fn run_file(root: &Path, file: &Path) -> Report {
    let name = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let outcome = match load(root, file) {
        Ok(scenario) => scenario.run(),
        Err(reason) => Outcome::Unreadable { reason },
    };
    Report { name, outcome }
}

/// A scenario whose references are resolved.
struct Scenario {
    settings: Settings,
    pots: Pots,
    certs: CertState,
    utxos: Vec<(TxIn, Vec<u8>)>,
    slot: u64,
    transaction: Vec<u8>,
    expected: Expected,
}

impl Scenario {
    fn run(self) -> Outcome {
        let ledger = match Ledger::with_state(self.settings, self.utxos, self.pots, self.certs) {
            Ok(ledger) => ledger,
            Err(error) => {
                return Outcome::Unreadable {
                    reason: format!("the initial state: {error}"),
                };
            }
        };
        let verdict = ledger.validate(&self.transaction, self.slot).map(|_| ());
        judge(&self.expected, verdict)
    }
}

fn judge(expected: &Expected, verdict: Result<(), LedgerError>) -> Outcome {
    match verdict {
        Ok(()) if expected.is_pass() => Outcome::Passed,
        Ok(()) => Outcome::WronglyAccepted {
            expected: expected.name(),
        },
        Err(error) if expected.matches(&error) => Outcome::Passed,
        Err(error) => {
            let found = format!("{} ({error})", error.predicate_name());
            Outcome::Failed {
                expected: expected.name(),
                found,
            }
        }
    }
}

/// The scenario's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Expected {
    Pass(PassWord),
    Predicate {
        predicate: String,
        description: Option<String>,
    },
    DecodingFailure {
        #[serde(rename = "decodingFailure")]
        _decoding_failure: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum PassWord {
    Pass,
}

impl Expected {
    fn is_pass(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    fn name(&self) -> String {
        match self {
            Self::Pass(_) => "Pass".to_owned(),
            Self::Predicate { predicate, .. } => predicate.clone(),
            Self::DecodingFailure { .. } => "decodingFailure".to_owned(),
        }
    }

    fn matches(&self, error: &LedgerError) -> bool {
        match self {
            Self::Pass(_) => false,
            Self::DecodingFailure { .. } => matches!(error, LedgerError::Malformed(_)),
            Self::Predicate {
                predicate,
                description,
            } => {
                haskell_name(predicate) == error.predicate_name()
                    && description
                        .as_deref()
                        .is_none_or(|wanted| tag_mismatch(error) == Some(wanted))
            }
        }
    }
}

/// The Haskell ledger's name for a predicate that scenarios call otherwise.
fn haskell_name(predicate: &str) -> &str {
    match predicate {
        "MissingVerificationKeyWitnessesUTXOW" => "MissingVKeyWitnessesUTXOW",
        "WrongNetworkInTxOutput" => "WrongNetwork",
        "StakeCredentialInvalidPoolDelegation" => "StakeKeyNotRegisteredDELEG",
        "StakeKeyRegistered" => "StakeKeyRegisteredDELEG",
        "StakeKeyHasNonZeroAccountBalance" => "StakeKeyHasNonZeroAccountBalanceDELEG",
        "DelegateeStakePoolNotRegistered" => "DelegateeStakePoolNotRegisteredDELEG",
        "DelegateeDRepNotRegistered" => "DelegateeDRepNotRegisteredDELEG",
        "DRepAlreadyRegistered" => "ConwayDRepAlreadyRegistered",
        "CommitteeIsUnknown" => "ConwayCommitteeIsUnknown",
        "CommitteeHasPreviouslyResigned" => "ConwayCommitteeHasPreviouslyResigned",
        "TreasuryWithdrawalsAllZeros" => "ZeroTreasuryWithdrawals",
        other => other,
    }
}

fn tag_mismatch(error: &LedgerError) -> Option<&'static str> {
    match error {
        LedgerError::PhaseTwo(PhaseTwoError::FailedUnexpectedly { .. }) => {
            Some("FailedUnexpectedly")
        }
        LedgerError::PhaseTwo(PhaseTwoError::PassedUnexpectedly { .. }) => {
            Some("PassedUnexpectedly")
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    network: String,
    era_history: Json,
    protocol_parameters: Json,
    initial_state: InitialState,
    point: Point,
    transaction: String,
    expected: Expected,
}

#[derive(Deserialize)]
struct InitialState {
    #[serde(default)]
    utxo: Vec<UtxoEntry>,
    #[serde(default)]
    pots: PotsFields,
    #[serde(flatten)]
    delegation: DelegationFields,
    #[serde(flatten)]
    governance: GovernanceFields,
}

#[derive(Deserialize)]
struct UtxoEntry {
    input: String,
    output: String,
}

#[derive(Deserialize, Default)]
struct PotsFields {
    #[serde(default)]
    treasury: u64,
}

#[derive(Deserialize)]
struct Point {
    slot: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EraHistory {
    stability_window: u64,
    eras: Vec<Era>,
}

#[derive(Deserialize)]
struct Era {
    start: EraStart,
    params: EraParams,
}

#[derive(Deserialize)]
struct EraStart {
    time: u64,
    slot: u64,
    epoch: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EraParams {
    epoch_size_slots: u64,
    slot_length_ms: u64,
}

fn load(root: &Path, file: &Path) -> Result<Scenario, String> {
    let file: File = from_json(read_json(file)?)?;
    let parameters: ProtocolParameters = from_json(resolve(root, file.protocol_parameters)?)?;
    let history: EraHistory = from_json(resolve(root, file.era_history)?)?;
    let (network, system_start_ms) = network(&file.network);
    let clock = clock(&history, system_start_ms)?;
    let utxos = file
        .initial_state
        .utxo
        .iter()
        .map(utxo)
        .collect::<Result<_, _>>()?;
    Ok(Scenario {
        settings: Settings {
            parameters,
            network,
            clock,
        },
        pots: Pots {
            treasury_lovelace: file.initial_state.pots.treasury,
            ..Pots::default()
        },
        certs: CertState {
            delegation: file.initial_state.delegation.load()?,
            governance: file.initial_state.governance.load()?,
        },
        utxos,
        slot: file.point.slot,
        transaction: from_hex(&file.transaction)?,
        expected: file.expected,
    })
}

/// The network id, and the public networks' start in POSIX milliseconds (their Byron genesis files).
fn network(name: &str) -> (u8, u64) {
    match name {
        "mainnet" => (1, 1_506_203_091_000),
        "preprod" => (0, 1_654_041_600_000),
        "preview" => (0, 1_666_656_000_000),
        _ => (0, 0),
    }
}

/// The clock of the last era.
fn clock(history: &EraHistory, system_start_ms: u64) -> Result<SlotClock, String> {
    let era = history.eras.last().ok_or("an era history without eras")?;
    let start_ms = era
        .start
        .time
        .checked_mul(1_000)
        .and_then(|start| start.checked_add(system_start_ms));
    Ok(SlotClock {
        zero_slot: era.start.slot,
        zero_time_ms: start_ms.ok_or("an era that starts beyond all time")?,
        slot_length_ms: era.params.slot_length_ms,
        zero_epoch: era.start.epoch,
        epoch_length_slots: era.params.epoch_size_slots,
        stability_window_slots: history.stability_window,
    })
}

fn utxo(entry: &UtxoEntry) -> Result<(TxIn, Vec<u8>), String> {
    let input = TxIn::parse(&from_hex(&entry.input)?).map_err(|error| error.to_string())?;
    Ok((input, from_hex(&entry.output)?))
}

/// Follows `{"$ref": path, "$override": {…}}`; anything else stands for itself.
fn resolve(root: &Path, document: Json) -> Result<Json, String> {
    let Some(path) = document.get("$ref").and_then(Json::as_str) else {
        return Ok(document);
    };
    let mut target = read_json(&root.join(path))?;
    let changes = document.get("$override").and_then(Json::as_object);
    if let (Some(changes), Some(fields)) = (changes, target.as_object_mut()) {
        fields.extend(changes.clone());
    }
    Ok(target)
}

fn read_json(path: &Path) -> Result<Json, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn from_json<T: serde::de::DeserializeOwned>(json: Json) -> Result<T, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(json: &str) -> Expected {
        serde_json::from_str(json).expect("a verdict")
    }

    #[test]
    fn verdicts_are_compared_by_predicate() {
        let network = || -> Result<(), LedgerError> {
            Err(crate::rules::network::NetworkError::Output {
                index: 0,
                provided: 1,
                expected: 0,
            }
            .into())
        };
        let wrong = expected(r#"{"predicate": "WrongNetworkInTxOutput"}"#);
        assert_eq!(judge(&wrong, network()), Outcome::Passed);
        assert_eq!(
            judge(&wrong, Ok(())),
            Outcome::WronglyAccepted {
                expected: "WrongNetworkInTxOutput".to_owned()
            }
        );
        assert_eq!(judge(&expected(r#""Pass""#), Ok(())), Outcome::Passed);
        let other = expected(r#"{"predicate": "FeeTooSmallUTxO"}"#);
        assert!(matches!(judge(&other, network()), Outcome::Failed { .. }));
        assert!(matches!(
            judge(&expected(r#"{"decodingFailure": true}"#), network()),
            Outcome::Failed { .. }
        ));
    }

    #[test]
    fn a_mismatched_validity_flag_is_compared_by_its_side() {
        let passed = || Err(PhaseTwoError::PassedUnexpectedly { scripts: 1 }.into());
        for (side, outcome_is_pass) in [("PassedUnexpectedly", true), ("FailedUnexpectedly", false)]
        {
            let wanted = expected(&format!(
                r#"{{"predicate": "ValidationTagMismatch", "description": "{side}"}}"#
            ));
            assert_eq!(
                judge(&wanted, passed()) == Outcome::Passed,
                outcome_is_pass,
                "{side}"
            );
        }
    }
}
