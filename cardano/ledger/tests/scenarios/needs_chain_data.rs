//! The ledger against the transaction scenarios of an independent implementation.

#![allow(
    clippy::print_stderr,
    reason = "a test says what it skips and what it counts"
)]

use nupeer_cardano_ledger::scenarios::{self, Outcome};
use nupeer_testing::chain_data;
use std::collections::BTreeSet;

/// How many scenarios come out as expected. May only rise.
const PASSED_MIN: usize = 154;

/// Scenarios that must fail and are let through, by name. May only shrink.
const KNOWN_FAILURES: &str = include_str!("known-failures.txt");

#[test]
fn scenarios_come_out_as_an_independent_ledger_says() {
    let root = chain_data::folder("tx-scenarios");
    let reports = scenarios::run_folder(&root).expect("the scenarios");
    let known: BTreeSet<&str> = KNOWN_FAILURES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    let mut wrongly_accepted = Vec::new();
    let mut passed = 0;
    for report in &reports {
        match &report.outcome {
            Outcome::Passed => passed += 1,
            Outcome::WronglyAccepted { .. } if !known.contains(report.name.as_str()) => {
                wrongly_accepted.push(report)
            }
            other => eprintln!("{}: {other:?}", report.name),
        }
    }
    eprintln!("{passed} passed, {} failed", reports.len() - passed);
    assert_eq!(wrongly_accepted, Vec::<&scenarios::Report>::new());
    assert!(
        passed >= PASSED_MIN,
        "{passed} of {} scenarios pass, {PASSED_MIN} did before",
        reports.len()
    );
}
