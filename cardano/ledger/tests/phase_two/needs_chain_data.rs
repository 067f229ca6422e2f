//! Phase 2 against real transactions: each script consumes exactly what its transaction declared.
//!
//! Builders declare what evaluation gave, so that equality to the unit is what to expect of an exact evaluator and an exact context.

#![allow(
    clippy::print_stderr,
    reason = "a test says what it skips and what it counts"
)]

use nupeer_cardano_ledger::{
    Evaluation, ExUnits, Ledger, ProtocolParameters, Settings, SlotClock, Transaction, TxIn,
};
use nupeer_testing::chain_data;
use pallas_traverse::{MultiEraInput, MultiEraTx};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many scripts at hand are evaluated exactly. May only rise.
const EXACT_MIN: usize = 1;

/// A file's bytes, which may be written as hexadecimal digits.
fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("a file");
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| hex::decode(text.trim()).ok())
        .unwrap_or(bytes)
}

/// The outputs that a transaction's inputs and then its reference inputs name, in the transaction's own order, as numbered files.
fn resolved(folder: &Path, raw: &[u8]) -> BTreeMap<TxIn, Vec<u8>> {
    // The ledger's own decoder sorts what is a set; this one keeps the order.
    let tx = MultiEraTx::decode(raw).expect("a transaction");
    let inputs = tx.inputs().into_iter().chain(tx.reference_inputs());
    let reference = |input: MultiEraInput<'_>| TxIn {
        tx_id: **input.hash(),
        index: u16::try_from(input.index()).expect("an index"),
    };
    let named = inputs.map(reference).enumerate();
    named
        .map(|(index, input)| {
            (
                input,
                read(&folder.join(format!("resolved-input-{index}.cbor"))),
            )
        })
        .collect()
}

fn evaluate(folder: &Path) -> (BTreeMap<String, ExUnits>, Vec<Evaluation>) {
    let raw = read(&folder.join("tx.cbor"));
    let tx = Transaction::decode(&raw).expect("a transaction");
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 1,
        clock: SlotClock::MAINNET,
    };
    let ledger = Ledger::genesis(settings, resolved(folder, &raw)).expect("a genesis");
    let declared = tx
        .witnesses
        .redeemers
        .iter()
        .map(|(key, redeemer)| (format!("{key:?}"), redeemer.ex_units))
        .collect();
    (declared, ledger.evaluate(&raw).expect("evaluated"))
}

#[test]
fn real_scripts_consume_exactly_what_their_transactions_declared() {
    let root = chain_data::folder("phase-two/mainnet");
    let folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let mut exact = 0;
    for folder in folders {
        let (declared, evaluations) = evaluate(&folder);
        for evaluation in evaluations {
            let (name, consumed) = (
                format!("{} {:?}", folder.display(), evaluation.key),
                evaluation.ex_units,
            );
            let declared = declared[&format!("{:?}", evaluation.key)];
            assert_eq!(evaluation.failure, None, "{name}");
            if evaluation.is_exact {
                assert_eq!(consumed, declared, "{name}");
                exact += 1;
            } else {
                eprintln!(
                    "{name}: {consumed:?} of {declared:?}, which is not exact before protocol version 11"
                );
                assert!(consumed.fits(declared), "{name}");
            }
        }
    }
    assert!(
        exact >= EXACT_MIN,
        "{exact} scripts are exact, {EXACT_MIN} were before"
    );
}
