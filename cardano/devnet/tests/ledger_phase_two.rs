//! Phase 2 against real transactions: each script consumes exactly what its transaction declared.
//!
//! Builders declare what evaluation gave, so that equality to the unit is what to expect of an exact evaluator and an exact context.

mod ledger_chain_data;

use nupeer_devnet::ledger::{
    Evaluation, ExUnits, Ledger, ProtocolParameters, Settings, SlotClock, Transaction, TxIn,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file's bytes, which may be written as hexadecimal digits.
fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("a file");
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| hex::decode(text.trim()).ok())
        .unwrap_or(bytes)
}

/// The outputs that a transaction's inputs and then its reference inputs name, each in order, as numbered files.
fn resolved(folder: &Path, tx: &Transaction<'_>) -> BTreeMap<TxIn, Vec<u8>> {
    let named = tx
        .body
        .inputs
        .iter()
        .chain(&tx.body.reference_inputs)
        .enumerate();
    named
        .map(|(index, input)| {
            (
                *input,
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
    let ledger = Ledger::genesis(settings, resolved(folder, &tx)).expect("a genesis");
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
    let Some(root) = ledger_chain_data::folder("phase-two/mainnet") else {
        return;
    };
    let folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(!folders.is_empty());
    for folder in folders {
        let (declared, evaluations) = evaluate(&folder);
        for evaluation in &evaluations {
            assert_eq!(
                evaluation.failure,
                None,
                "{}: {evaluation:?}",
                folder.display()
            );
        }
        let consumed: BTreeMap<String, ExUnits> = evaluations
            .iter()
            .map(|evaluation| (format!("{:?}", evaluation.key), evaluation.ex_units))
            .collect();
        assert_eq!(consumed, declared, "{}", folder.display());
    }
}
