//! Plutus V1: what its scripts are told, and what they cannot be told of.

use super::*;
use crate::byron::samples::address_of;
use std::fmt::Write;

/// A V1 script that takes datum, redeemer and context, and returns what `body` says.
fn compiled_v1(body: &str) -> Vec<u8> {
    let arena = amaru_uplc::arena::Arena::new();
    let text = format!("(program 1.0.0 (lam datum (lam redeemer (lam context {body}))))");
    let program = amaru_uplc::syn::parse_program(&arena, &text).into_result();
    bytes(&amaru_uplc::flat::encode(program.expect("a program")).expect("encodes"))
}

fn hash_v1(script: &[u8]) -> [u8; 28] {
    Script::Plutus(PlutusVersion::V1, script).hash()
}

fn fields(constructor: &str) -> String {
    format!("[(force (force (builtin sndPair))) [(builtin unConstrData) {constructor}]]")
}

fn item(list: &str, index: usize) -> String {
    let tail = (0..index).fold(list.to_owned(), |list, _| {
        format!("[(force (builtin tailList)) {list}]")
    });
    format!("[(force (builtin headList)) {tail}]")
}

/// How many fields a V1 `TxInfo` has before the transaction's id, which a redeemer cannot name because it is hashed into it.
const FIELDS: usize = 9;

/// A script that fails unless its redeemer lists what its context's `TxInfo` starts with.
fn witness_of_context() -> Vec<u8> {
    let compare = |then: String, index: usize| {
        let (seen, told) = (item("seen", index), item("told", index));
        let equal = format!("[[(builtin equalsData) {seen}] {told}]");
        format!("(force [[[(force (builtin ifThenElse)) {equal}] (delay {then})] (delay (error))])")
    };
    let body = (0..FIELDS).rev().fold("(con unit ())".to_owned(), compare);
    let seen = fields(&item(&fields("context"), 0));
    compiled_v1(&format!(
        "[[(lam seen (lam told {body})) {seen}] {}]",
        fields("redeemer")
    ))
}

/// `#0` is locked by the script; `#1` is the first key's; `#2` is whatever is given.
fn ledger_with(script: &[u8], third: Vec<u8>) -> Ledger {
    let settings = ledger(script, &SECRET).settings().clone();
    let mut locked = script_output(&hash_v1(script), LOCKED);
    locked[0] = 0xa3;
    locked.extend([0x02, 0x82, 0x00]);
    locked.extend(bytes(&datum_hash(&SECRET)));
    let own = output_at(&TestKey::new(1).address(), HELD);
    let utxos = [(input(0), locked), (input(1), own), (input(2), third)];
    Ledger::genesis(settings, utxos).expect("a genesis")
}

fn own_output() -> Vec<u8> {
    output_at(&TestKey::new(1).address(), HELD)
}

/// The first key's address with a pointer.
fn pointer_output() -> Vec<u8> {
    let hash = TestKey::new(1).hash();
    output_at(&[&[0x40], hash.as_slice(), &[1, 2, 3]].concat(), HELD)
}

fn spend_v1(script: &[u8], data: &[u8]) -> TxBuilder {
    TxBuilder::new()
        .input(input(0))
        .input(input(1))
        .reference(input(2))
        .collateral(input(1))
        .output(pointer_output())
        .fee(LOCKED)
        .validity(Some(3), None)
        .required_signer(TestKey::new(1).hash())
        .witness_field(3, list(&[bytes(script)]))
        .witness_field(4, list(&[SECRET]))
        .witness_field(5, redeemer(0, 0, data, BUDGET))
        .sign(1)
}

fn number(value: u64) -> String {
    hex::encode(unsigned(value))
}

fn output(credential: &str, hash: [u8; 28], lovelace: u64, datum: &str) -> String {
    format!(
        "d8799fd8799f{credential}581c{}ffd87a80ffa140a140{}{datum}ff",
        hex::encode(hash),
        number(lovelace)
    )
}

fn input_info(index: u8, output: &str) -> String {
    let reference = format!("d8799fd8799f5820{}ff{index:02x}ff", "aa".repeat(32));
    format!("d8799f{reference}{output}ff")
}

/// The first nine fields of V1's `TxInfo` for the transaction above, written down by hand from plutus-ledger-api's definitions.
fn seen(script: &[u8]) -> Vec<u8> {
    let secret = hex::encode(datum_hash(&SECRET));
    let own = output("d8799f", TestKey::new(1).hash(), HELD, "d87a80");
    let hashed = format!("d8799f5820{secret}ff");
    let locked = output("d87a9f", hash_v1(script), LOCKED, &hashed);
    let mut told = String::from("d8799f");
    for field in [
        format!("9f{}{}ff", input_info(0, &locked), input_info(1, &own)),
        format!(
            "9f{}ff",
            own.replacen("ffd87a80", "ffd8799fd87a9f010203ffff", 1)
        ),
        format!("a140a140{}", number(LOCKED)),
        "a140a14000".to_owned(),
        "80".to_owned(),
        "80".to_owned(),
        format!(
            "d8799fd8799fd87a9f{}ffd87a80ffd8799fd87b80d87a80ffff",
            number(1_700_000_003_000)
        ),
        format!("9f581c{}ff", hex::encode(TestKey::new(1).hash())),
        format!("9fd8799f5820{secret}{}ffff", hex::encode(SECRET)),
    ] {
        write!(told, "{field}").expect("text");
    }
    hex::decode(told + "ff").expect("hex")
}

#[test]
fn a_v1_script_is_told_exactly_what_the_definitions_say() {
    let script = witness_of_context();
    let ledger = ledger_with(&script, own_output());
    let raw = complete(&ledger, spend_v1(&script, &seen(&script)));
    let verdict = ledger.validate(&raw, SLOT);
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[test]
fn and_fails_when_it_is_told_anything_else() {
    let script = witness_of_context();
    let ledger = ledger_with(&script, own_output());
    let tx = spend_v1(&script, &seen(&script)).validity(Some(4), None);
    let error = ledger.validate(&complete(&ledger, tx), SLOT);
    assert!(
        matches!(
            &error,
            Err(LedgerError::PhaseTwo(PhaseTwoError::FailedUnexpectedly {
                key: SPEND,
                ..
            }))
        ),
        "{error:?}"
    );
}

/// `own_output` with another field: a datum or a script.
fn with_field(field: &str) -> Vec<u8> {
    let mut output = own_output();
    output[0] = 0xa3;
    output.extend(hex::decode(field).expect("hex"));
    output
}

#[test]
fn what_v1_has_no_word_for_cannot_be_told() {
    let script = compiled_v1("(con unit ())");
    let verdict = |third: Vec<u8>, adjust: fn(TxBuilder) -> TxBuilder| {
        let ledger = ledger_with(&script, third);
        let raw = complete(&ledger, adjust(spend_v1(&script, &[0x00])));
        ledger.validate(&raw, SLOT).map(|_| ())
    };
    let refused = |reason: &str| {
        let reason = reason.to_owned();
        Err(PhaseTwoError::CollectErrors { reason }.into())
    };
    assert_eq!(verdict(own_output(), |tx| tx), Ok(()));
    // A script on a reference input is not told, and does no harm.
    let native = format!("03d81858228200{}", "8200581c".to_owned() + &"07".repeat(28));
    assert_eq!(verdict(with_field(&native), |tx| tx), Ok(()));
    let byron = output_at(&address_of(&TestKey::new(1).public()), HELD);
    assert_eq!(
        verdict(byron, |tx| tx),
        refused("a Byron address cannot be told to a Plutus script")
    );
    assert_eq!(
        verdict(with_field("028201d8184100"), |tx| tx),
        refused("Plutus V1 has no word for an inline datum")
    );
    assert_eq!(
        verdict(own_output(), |tx| tx.body_field(21, vec![0])),
        refused("Plutus V1 and V2 have no word for the treasury")
    );
}
