//! `nupeer ledger`: the rules that the devnet judges by, against vectors that others made.

use std::{collections::BTreeSet, fs, path::Path};

use nupeer_cardano_ledger::scenarios::{self, Outcome as Verdict, Report};
use nupeer_devnet::header_vectors::{self, HeaderVectorsError};
use serde_json::{Value, json};

use crate::{
    args_cardano::LedgerCommand,
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
};

pub(super) fn run(command: &LedgerCommand, printer: &Printer) -> Outcome<()> {
    match command {
        LedgerCommand::CheckScenarios {
            folder,
            known_failures,
        } => {
            let known = known_failures
                .as_deref()
                .map_or(Ok(BTreeSet::new()), names)?;
            let reports = scenarios::run_folder(folder).map_err(|error| {
                CliError::new(Exit::NotFound, error.to_string())
                    .next("FOLDER is the one that scenarios/ and common/ are in")
            })?;
            tell(&reports, &known, printer)
        }
        LedgerCommand::CheckHeaders { file } => {
            let reports = header_vectors::run_file(file).map_err(|error| match error {
                HeaderVectorsError::Unreadable(error) => file_error(file, &error),
                malformed => CliError::new(Exit::Usage, format!("{}: {malformed}", file.display())),
            })?;
            tell(&reports, &BTreeSet::new(), printer)
        }
    }
}

/// The lines of a file, without comments.
fn names(file: &Path) -> Outcome<BTreeSet<String>> {
    let text = fs::read_to_string(file).map_err(|error| file_error(file, &error))?;
    let lines = text.lines().map(str::trim);
    let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(str::to_owned).collect())
}

/// Each failure, then the count, which is the last thing said: scripts read it. Fails where one is not known.
fn tell(reports: &[Report], known: &BTreeSet<String>, printer: &Printer) -> Outcome<()> {
    let failures: Vec<Failure<'_>> = reports
        .iter()
        .filter_map(|report| Failure::of(report, known))
        .collect();
    let passed = reports.len().saturating_sub(failures.len());
    let mut lines: Vec<String> = failures.iter().map(Failure::line).collect();
    lines.push(format!("{passed} passed, {} failed", failures.len()));
    let listed: Vec<Value> = failures.iter().map(Failure::value).collect();
    let is_mended =
        |report: &&Report| report.outcome == Verdict::Passed && known.contains(&report.name);
    for report in reports.iter().filter(is_mended) {
        printer.note(&format!(
            "{} passes: take it out of the list of known failures",
            report.name
        ));
    }
    printer.result(
        json!({ "passed": passed, "failed": failures.len(), "failures": listed }),
        &lines,
    );
    match failures.iter().all(|failure| failure.is_known) {
        true => Ok(()),
        false => Err(CliError::told(Exit::CheckFailed)),
    }
}

/// A vector that came out otherwise than it should.
struct Failure<'a> {
    name: &'a str,
    reason: String,
    is_known: bool,
}

impl<'a> Failure<'a> {
    fn of(report: &'a Report, known: &BTreeSet<String>) -> Option<Self> {
        Some(Failure {
            name: &report.name,
            reason: reason(&report.outcome)?,
            is_known: known.contains(&report.name),
        })
    }

    fn line(&self) -> String {
        let mark = if self.is_known { "known " } else { "failed" };
        format!("{mark}  {}: {}", self.name, self.reason)
    }

    fn value(&self) -> Value {
        json!({ "name": self.name, "reason": self.reason, "known": self.is_known })
    }
}

/// Why a vector failed; none if it passed.
fn reason(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Passed => None,
        Verdict::WronglyAccepted { expected } => {
            Some(format!("let through, and should fail by {expected}"))
        }
        Verdict::Failed { expected, found } => {
            Some(format!("should be {expected}, and was {found}"))
        }
        Verdict::Unreadable { reason } => Some(format!("not understood: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, outcome: Verdict) -> Report {
        Report {
            name: name.to_owned(),
            outcome,
        }
    }

    #[test]
    fn only_what_is_not_known_to_fail_makes_the_command_fail() {
        let accepted = || Verdict::WronglyAccepted {
            expected: "FeeTooSmallUTxO".to_owned(),
        };
        let reports = [report("one", Verdict::Passed), report("two", accepted())];
        let printer = Printer::new(true, true);
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(tell(&reports, &known(&["two"]), &printer).is_ok());
        assert!(tell(&reports, &known(&["one", "two", "three"]), &printer).is_ok());
        let error = tell(&reports, &known(&["one"]), &printer).unwrap_err();
        assert_eq!(error.exit, Exit::CheckFailed);
        let failure = Failure::of(&reports[1], &BTreeSet::new()).unwrap();
        assert_eq!(
            failure.line(),
            "failed  two: let through, and should fail by FeeTooSmallUTxO"
        );
    }
}
