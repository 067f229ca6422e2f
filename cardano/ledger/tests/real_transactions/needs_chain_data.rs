//! The ledger against real transactions and blocks: each decodes with the id the network gave it, or is refused with a reason;
//! whatever is done to their bytes, nothing panics.

#![allow(
    clippy::print_stderr,
    reason = "a test says what it skips and what it counts"
)]

use ed25519_dalek::{Signature, VerifyingKey};
use nupeer_cardano_ledger::{
    Address, DecodeError, Ledger, LedgerError, ProtocolParameters, Settings, SlotClock, Transaction,
};
use nupeer_primitives::Numbered;
use nupeer_testing::chain_data;
use pallas_codec::minicbor::Decoder;
use pallas_traverse::{Era, MultiEraBlock, MultiEraTx};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// How many of the Conway transactions at hand decode strictly. May only rise.
///
/// What is counted as Conway is what the independent decoder takes for it, among it a transaction of Allegra with a certificate (a transfer of
/// reserves) that Conway does not have, and a made-up block that proposes 2^64 - 1 for each parameter, which not all of them can be.
const CONWAY_DECODED_MIN: usize = 23;

/// How many addresses of Byron's kind stand in the outputs at hand. May only rise.
const BYRON_ADDRESSES_MIN: usize = 35;

/// How many bootstrap witnesses stand in the transactions at hand that decode. May only rise.
const BOOTSTRAP_WITNESSES_MIN: usize = 8;

const POINTER_OUT_OF_RANGE: DecodeError = DecodeError::OutOfRange {
    what: "a number in a pointer address",
};

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
        add_block(&mut found, &name, &bytes);
    }
    for (name, chunk) in chunks() {
        let mut decoder = Decoder::new(&chunk);
        while decoder.position() < chunk.len() {
            let start = decoder.position();
            decoder.skip().expect("a block");
            add_block(&mut found, &name, &chunk[start..decoder.position()]);
        }
    }
    found
}

fn add_block(found: &mut Vec<Sample>, name: &str, bytes: &[u8]) {
    let Ok(block) = MultiEraBlock::decode(bytes) else {
        return;
    };
    for tx in block.txs() {
        found.push((name.to_owned(), tx.era(), *tx.hash(), tx.encode()));
    }
}

/// The chunks of a node's immutable database: blocks, one after the other.
fn chunks() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(chain_data::folder("immutable")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let chunks = paths.filter(|path| path.extension().is_some_and(|ending| ending == "chunk"));
    chunks
        .map(|path| {
            (
                path.display().to_string(),
                fs::read(&path).expect("a chunk"),
            )
        })
        .collect()
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
    let (mut decoded, mut refused) = (0, 0);
    for (name, era, id, bytes) in cached_transactions()
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
fn addresses_in_real_outputs_are_read_or_refused_with_a_reason() {
    let (mut shelley, mut byron, mut refused) = (0, 0, 0);
    for (name, era, _, bytes) in cached_transactions() {
        let tx = MultiEraTx::decode_for_era(*era, bytes).expect("decoded before");
        for output in tx.outputs() {
            let Ok(address) = output.address() else {
                continue;
            };
            match Address::parse(&address.to_vec()) {
                Ok(Address::Shelley { .. }) => shelley += 1,
                Ok(Address::Byron(_)) => byron += 1,
                Err(error) => {
                    // Before Conway pointers could be beyond all slots.
                    assert_eq!(error, POINTER_OUT_OF_RANGE, "{name}: {address}");
                    refused += 1;
                }
            }
        }
    }
    eprintln!("{shelley} Shelley and {byron} Byron addresses are read, {refused} are refused");
    assert!(byron >= BYRON_ADDRESSES_MIN, "{byron} Byron addresses");
}

#[test]
fn real_bootstrap_witnesses_sign_their_transactions() {
    let mut verified = 0;
    for (name, _, id, bytes) in cached_transactions() {
        let Ok(tx) = Transaction::decode(bytes) else {
            continue;
        };
        for witness in tx.witnesses.bootstrap.values() {
            let signature = Signature::from_bytes(witness.signature);
            let key = VerifyingKey::from_bytes(witness.key).expect("a key");
            assert!(key.verify_strict(id, &signature).is_ok(), "{name}");
            verified += 1;
        }
    }
    eprintln!("{verified} bootstrap witnesses verify");
    assert!(
        verified >= BOOTSTRAP_WITNESSES_MIN,
        "{verified} bootstrap witnesses"
    );
}

#[test]
fn transactions_without_their_inputs_are_refused_by_a_numbered_error() {
    let ledger = empty_ledger();
    for (name, _, _, bytes) in cached_transactions() {
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
        let mut bytes = transactions[which.index(transactions.len())].3.clone();
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

fn cached_transactions() -> &'static [Sample] {
    static CACHE: std::sync::OnceLock<Vec<Sample>> = std::sync::OnceLock::new();
    CACHE.get_or_init(|| {
        let mut all = transactions();
        all.retain(|(_, _, _, bytes)| !bytes.is_empty());
        all
    })
}
