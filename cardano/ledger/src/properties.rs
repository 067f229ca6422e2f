//! What must hold of any ledger: changes can be undone, value is conserved, and a mutated transaction is another or none.

mod accounts;

use super::testing::{CLOCK, TestKey, TxBuilder, input, output_at};
use super::value::Balance;
use super::{
    Ledger, LedgerError, Output, ProtocolParameters, Settings, TxIn, ValidatedTx, minimum_fee,
};
use crate::tx::ExUnits;
use nupeer_primitives::{Code, Numbered};
use proptest::prelude::*;

const KEYS: u8 = 3;
const START_LOVELACE: u64 = 1_000_000_000;

fn ledger() -> Ledger {
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 0,
        clock: CLOCK,
    };
    let utxos = (0..KEYS).map(|key| {
        (
            input(u16::from(key)),
            output_at(&TestKey::new(key).address(), START_LOVELACE),
        )
    });
    Ledger::genesis(settings, utxos).expect("a genesis")
}

/// A payment of an output's owner that splits it between two keys and pays the least fee (for up to 40 bytes more than it has).
fn payment(ledger: &Ledger, spent: TxIn, owner: u8, to: u8, lovelace: u64) -> Vec<u8> {
    let held = Output::parse(ledger.utxo_by_txin(&spent).expect("an unspent output"))
        .expect("an output")
        .value
        .lovelace;
    let fee = minimum_fee(ledger.parameters(), 340, ExUnits::default(), 0);
    TxBuilder::new()
        .input(spent)
        .output(output_at(&TestKey::new(to).address(), lovelace))
        .output(output_at(
            &TestKey::new(owner).address(),
            held.saturating_sub(lovelace + fee),
        ))
        .fee(fee)
        .sign(owner)
        .build()
}

fn first_payment(ledger: &Ledger) -> Vec<u8> {
    payment(ledger, input(0), 0, 1, 5_000_000)
}

/// All that there is: outputs and pots.
fn total(ledger: &Ledger) -> Balance {
    let mut balance = Balance {
        lovelace: i128::from(ledger.pots().fees_lovelace),
        ..Balance::default()
    };
    for output in ledger.utxos().values() {
        balance.add_value(&Output::parse(output).expect("an output").value, 1);
    }
    balance
}

/// The same thing done to the state, whatever the bytes.
fn same_effect(one: &ValidatedTx, other: &ValidatedTx) -> bool {
    (one.id(), one.spent(), one.created(), one.fee_lovelace())
        == (
            other.id(),
            other.spent(),
            other.created(),
            other.fee_lovelace(),
        )
}

#[test]
fn a_payment_moves_what_it_says() {
    let mut ledger = ledger();
    let tx = ledger
        .validate(&first_payment(&ledger), 1)
        .expect("a valid payment");
    let fee = tx.fee_lovelace();
    let _undo = ledger.apply(&tx).expect("applied");
    let held = |key: u8| -> u64 {
        let outputs = ledger
            .utxo_by_address(&TestKey::new(key).address())
            .map(|(_, output)| output.to_vec());
        outputs
            .map(|output| Output::parse(&output).expect("an output").value.lovelace)
            .sum()
    };
    assert_eq!(held(0), START_LOVELACE - 5_000_000 - fee);
    assert_eq!(held(1), START_LOVELACE + 5_000_000);
    assert_eq!(ledger.pots().fees_lovelace, fee);
}

#[test]
fn a_payment_cannot_be_applied_twice() {
    let mut ledger = ledger();
    let tx = ledger
        .validate(&first_payment(&ledger), 1)
        .expect("a valid payment");
    let _undo = ledger.apply(&tx).expect("applied");
    let before = ledger.clone();
    let again = ledger.apply(&tx).expect_err("spent");
    assert_eq!(
        (again.predicate_name(), again.code()),
        ("BadInputsUTxO", Code(7201))
    );
    assert_eq!(ledger, before);
}

#[test]
fn a_block_with_a_bad_transaction_changes_nothing() {
    let mut ledger = ledger();
    let before = ledger.clone();
    let good = first_payment(&ledger);
    let error = ledger
        .apply_block(7, &[&good, &good])
        .expect_err("the second spends what the first spent");
    assert_eq!(error.index, 1);
    assert!(matches!(error.error, LedgerError::Inputs(_)));
    assert_eq!(ledger, before);
}

#[test]
fn outputs_made_and_spent_in_one_block_leave_no_trace_after_undo() {
    let mut ledger = ledger();
    let before = ledger.clone();
    let first = first_payment(&ledger);
    let mut ahead = ledger.clone();
    let tx = ahead.validate(&first, 7).expect("a valid payment");
    let _undo = ahead.apply(&tx).expect("applied");
    let second = payment(&ahead, tx.created()[0].0, 1, 2, 2_000_000);
    let undo = ledger
        .apply_block(7, &[&first, &second])
        .expect("a valid block");
    assert_eq!(ledger.slot(), 7);
    assert_ne!(ledger.utxos(), before.utxos());
    ledger.undo(undo);
    assert_eq!(ledger, before);
}

#[test]
fn each_single_bit_of_a_payment_counts() {
    let ledger = ledger();
    let raw = first_payment(&ledger);
    let original = ledger.validate(&raw, 1).expect("a valid payment");
    for bit in 0..raw.len() * 8 {
        let mut mutated = raw.clone();
        mutated[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = ledger.validate(&mutated, 1) {
            assert!(same_effect(&original, &other), "bit {bit}");
        }
    }
}

#[test]
fn truncated_and_extended_payments_are_refused() {
    let ledger = ledger();
    let raw = first_payment(&ledger);
    for length in 0..raw.len() {
        assert!(
            matches!(
                ledger.validate(&raw[..length], 1),
                Err(LedgerError::Malformed(_))
            ),
            "{length}"
        );
    }
    let extended = [raw.as_slice(), &[0]].concat();
    assert!(matches!(
        ledger.validate(&extended, 1),
        Err(LedgerError::Malformed(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_refused(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(matches!(ledger().validate(&raw, 1), Err(LedgerError::Malformed(_))));
    }

    #[test]
    fn a_payment_mutated_in_any_byte_fails_or_does_the_same(
        position in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let ledger = ledger();
        let mut raw = first_payment(&ledger);
        let original = ledger.validate(&raw, 1).expect("a valid payment");
        let position = position.index(raw.len());
        raw[position] = byte;
        if let Ok(other) = ledger.validate(&raw, 1) {
            prop_assert!(same_effect(&original, &other));
        }
    }

    #[test]
    fn value_is_conserved_and_every_history_can_be_undone(
        steps in proptest::collection::vec((any::<prop::sample::Index>(), 0..KEYS, 1_000_000_u64..4_000_000, any::<bool>()), 1..12),
    ) {
        let mut ledger = ledger();
        let start = total(&ledger);
        let mut history = Vec::new();
        for (slot, (which, to, lovelace, roll_back)) in (1..).zip(steps) {
            let own: Vec<(TxIn, u8)> = (0..KEYS)
                .flat_map(|key| ledger.utxo_by_address(&TestKey::new(key).address()).map(move |(spent, _)| (spent, key)).collect::<Vec<_>>())
                .collect();
            let (spent, owner) = own[which.index(own.len())];
            let raw = payment(&ledger, spent, owner, to, lovelace);
            let before = ledger.clone();
            // Outputs too poor for the payment make it fail, which is a step that changes nothing.
            match ledger.apply_block(slot, &[&raw]) {
                Ok(undo) => history.push((before, undo)),
                Err(_) => prop_assert_eq!(&ledger, &before),
            }
            prop_assert_eq!(total(&ledger), start.clone());
            if roll_back && let Some((before, undo)) = history.pop() {
                ledger.undo(undo);
                prop_assert_eq!(&ledger, &before);
            }
        }
        while let Some((before, undo)) = history.pop() {
            ledger.undo(undo);
            prop_assert_eq!(&ledger, &before);
        }
    }
}
