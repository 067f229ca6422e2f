//! The ledger against real transactions and blocks: each decodes with the id the network gave it, or is refused with a reason;
//! whatever is done to their bytes, nothing panics.

#![allow(
    clippy::print_stderr,
    reason = "a test says what it skips and what it counts"
)]

use nupeer_cardano_ledger::{
    Ledger, LedgerError, ProtocolParameters, Settings, SlotClock, Transaction,
};
use nupeer_primitives::Numbered;
use nupeer_testing::chain_data;
use pallas_traverse::{Era, MultiEraBlock, MultiEraTx};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// How many of the Conway transactions at hand decode strictly. May only rise.
///
/// What is counted as Conway is what the independent decoder takes for it, among it a transaction of Allegra with a certificate (a transfer of
/// reserves) that Conway does not have, and a made-up block that proposes 2^64 - 1 for each parameter, which not all of them can be.
const CONWAY_DECODED_MIN: usize = 23;

fn hex_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        Some((path.display().to_string(), hex::decode(text.trim()).ok()?))
    };
    files.iter().filter_map(read).collect()
}

/// A transaction with where it is from, its era, and the id an independent decoder gives it.
type Sample = (String, Era, [u8; 32], Vec<u8>);

/// All transactions at hand.
fn transactions() -> Vec<Sample> {
    let mut found = Vec::new();
    for (name, bytes) in hex_files(&chain_data::folder("transactions")) {
        if let Ok(tx) = MultiEraTx::decode(&bytes) {
            found.push((name, tx.era(), *tx.hash(), bytes));
        }
    }
    for (name, bytes) in hex_files(&chain_data::folder("blocks")) {
        let Ok(block) = MultiEraBlock::decode(&bytes) else {
            continue;
        };
        for tx in block.txs() {
            found.push((name.clone(), tx.era(), *tx.hash(), tx.encode()));
        }
    }
    found
}

fn empty_ledger() -> Ledger {
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 1,
        clock: SlotClock::MAINNET,
    };
    Ledger::genesis(settings, []).expect("a genesis")
}

#[test]
fn conway_transactions_decode_to_their_ids_or_are_refused_with_a_reason() {
    let transactions = transactions();
    let (mut decoded, mut refused) = (0, 0);
    for (name, era, id, bytes) in transactions
        .iter()
        .filter(|(_, era, ..)| *era == Era::Conway)
    {
        match Transaction::decode(bytes) {
            Ok(tx) => {
                assert_eq!(tx.id, *id, "{name}");
                decoded += 1;
            }
            Err(error) => {
                eprintln!("{name} ({era}): {error}");
                refused += 1;
            }
        }
    }
    eprintln!("{decoded} Conway transactions decode, {refused} are refused");
    assert!(
        decoded >= CONWAY_DECODED_MIN,
        "{decoded} Conway transactions decode, {CONWAY_DECODED_MIN} did before"
    );
}

#[test]
fn transactions_without_their_inputs_are_refused_by_a_numbered_error() {
    let transactions = transactions();
    let ledger = empty_ledger();
    for (name, _, _, bytes) in &transactions {
        let error = ledger
            .validate(bytes, 150_000_000)
            .expect_err("nothing is unspent");
        assert!(
            error.code().0 >= 7190 && !error.predicate_name().is_empty(),
            "{name}"
        );
        if matches!(error, LedgerError::Inputs(_)) {
            assert_eq!(error.predicate_name(), "BadInputsUTxO", "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_transactions_never_panic(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let transactions = cached_transactions();
        let mut bytes = transactions[which.index(transactions.len())].clone();
        for (position, byte) in edits {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let ledger = empty_ledger();
        prop_assert!(ledger.validate(&bytes, 150_000_000).is_err());
        prop_assert!(ledger.evaluate(&bytes).is_err());
    }
}

fn cached_transactions() -> &'static [Vec<u8>] {
    static CACHE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    let load = || {
        let all = transactions().into_iter().map(|(_, _, _, bytes)| bytes);
        all.filter(|bytes| !bytes.is_empty()).collect()
    };
    CACHE.get_or_init(load)
}
