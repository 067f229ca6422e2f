//! Phase 2 with small validators compiled by Aiken (`tests/scripts`).

mod accounts;
mod plutus_v1;

use crate::data::datum_hash;
use crate::rules::script_data_hash::ScriptDataHashMismatch;
use crate::script::{PlutusVersion, Script};
use crate::testing::{
    CLOCK, TestKey, TxBuilder, bytes, input, list, output_at, script_output, unsigned,
};
use crate::{
    ExUnits, Ledger, LedgerError, PhaseTwoError, ProtocolParameters, RedeemerKey, RedeemerTag,
    Settings, TxIn,
};

const BLUEPRINT: &str = include_str!("../../tests/scripts/plutus.json");
const SPEND: RedeemerKey = RedeemerKey {
    tag: RedeemerTag::Spend,
    index: 0,
};
const SLOT: u64 = 5;
const LOCKED: u64 = 5_000_000;
const HELD: u64 = 50_000_000;
const FEE: u64 = 2_000_000;
const BUDGET: ExUnits = ExUnits {
    memory: 1_000_000,
    cpu: 500_000_000,
};

fn validator(title: &str) -> Vec<u8> {
    let blueprint: serde_json::Value = serde_json::from_str(BLUEPRINT).expect("a blueprint");
    let validators = blueprint["validators"].as_array().expect("validators");
    let code = validators
        .iter()
        .find(|validator| validator["title"] == title)
        .map(|found| found["compiledCode"].clone());
    hex::decode(code.expect("the validator").as_str().expect("its code")).expect("hex")
}

fn hash(script: &[u8]) -> [u8; 28] {
    Script::Plutus(PlutusVersion::V3, script).hash()
}

/// `#0` is locked by the script with the datum's hash; `#1` and `#2` are the first key's.
fn ledger(script: &[u8], datum: &[u8]) -> Ledger {
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 0,
        clock: CLOCK,
    };
    let mut locked = script_output(&hash(script), LOCKED);
    locked[0] = 0xa3;
    locked.extend([0x02, 0x82, 0x00]);
    locked.extend(bytes(&datum_hash(datum)));
    let own = output_at(&TestKey::new(1).address(), HELD);
    Ledger::genesis(
        settings,
        [(input(0), locked), (input(1), own.clone()), (input(2), own)],
    )
    .expect("a genesis")
}

fn redeemer(tag: u8, index: u8, data: &[u8], units: ExUnits) -> Vec<u8> {
    let units = list(&[unsigned(units.memory), unsigned(units.cpu)]);
    [&[0xa1, 0x82, tag, index, 0x82], data, units.as_slice()].concat()
}

fn spend(script: &[u8], datum: &[u8], data: &[u8], units: ExUnits) -> TxBuilder {
    TxBuilder::new()
        .input(input(0))
        .collateral(input(1))
        .output(output_at(&TestKey::new(1).address(), LOCKED - FEE))
        .fee(FEE)
        .witness_field(4, list(&[datum]))
        .witness_field(5, redeemer(0, 0, data, units))
        .witness_field(7, list(&[bytes(script)]))
        .sign(1)
}

/// Names the script data hash that the ledger computes.
fn complete(ledger: &Ledger, tx: TxBuilder) -> Vec<u8> {
    let with_hash = |hash: [u8; 32]| tx.clone().body_field(11, bytes(&hash)).build();
    match ledger.validate(&with_hash([0; 32]), SLOT) {
        Err(LedgerError::ScriptDataHash(ScriptDataHashMismatch {
            expected: Some(expected),
            ..
        })) => with_hash(expected),
        other => panic!("expected another script data hash, found {other:?}"),
    }
}

const SECRET: [u8; 2] = [0x18, 0x2a];
const WRONG: [u8; 2] = [0x18, 0x2b];

#[test]
fn a_script_that_succeeds_lets_its_output_go() {
    let script = validator("gate.gate.spend");
    let mut ledger = ledger(&script, &SECRET);
    let raw = complete(&ledger, spend(&script, &SECRET, &SECRET, BUDGET));
    let tx = ledger.validate(&raw, SLOT).expect("a valid transaction");
    assert_eq!(
        (tx.is_valid(), tx.fee_lovelace(), tx.ex_units()),
        (true, FEE, BUDGET)
    );
    let _undo = ledger.apply(&tx).expect("applied");
    assert_eq!(ledger.utxo_by_txin(&input(0)), None);
}

/// A V3 script that takes its context, does `then` and succeeds.
fn compiled(then: &str) -> Vec<u8> {
    let arena = amaru_uplc::arena::Arena::new();
    let text = format!("(program 1.1.0 (lam context [(lam unused (con unit ())) {then}]))");
    let program = amaru_uplc::syn::parse_program(&arena, &text).into_result();
    bytes(&amaru_uplc::flat::encode(program.expect("a program")).expect("encodes"))
}

#[test]
fn scripts_whose_price_is_not_known_are_refused_by_name() {
    let expected =
        "scripts that call appendString, equalsString or encodeUtf8 before protocol version 11";
    for call in [
        "[[(builtin appendString) (con string \"a\")] (con string \"b\")]",
        "[[(builtin equalsString) (con string \"a\")] (con string \"a\")]",
        "[(builtin encodeUtf8) (con string \"a\")]",
    ] {
        let verdict = |then: &str| {
            let script = compiled(then);
            let ledger = ledger(&script, &SECRET);
            let raw = complete(&ledger, spend(&script, &SECRET, &SECRET, BUDGET));
            ledger.validate(&raw, SLOT)
        };
        match verdict(call) {
            Err(LedgerError::Unsupported { form }) => assert_eq!(form, expected),
            other => panic!("expected a refusal by name, found {other:?}"),
        }
        // What is named and never called costs what is known.
        assert!(verdict(&format!("(delay {call})")).is_ok(), "{call}");
    }
}

#[test]
fn a_script_that_fails_is_refused_with_its_trace() {
    let script = validator("gate.gate.spend");
    let ledger = ledger(&script, &SECRET);
    let raw = complete(&ledger, spend(&script, &SECRET, &WRONG, BUDGET));
    match ledger.validate(&raw, SLOT) {
        Err(LedgerError::PhaseTwo(PhaseTwoError::FailedUnexpectedly { key, logs, .. })) => {
            assert_eq!(key, SPEND);
            assert_eq!(
                logs,
                ["redeemer == secret ? False", "Validator returned false"]
            );
        }
        other => panic!("expected a failing script, found {other:?}"),
    }
}

#[test]
fn a_script_is_held_to_its_declared_budget_and_evaluation_says_what_it_needs() {
    let script = validator("gate.gate.spend");
    let ledger = ledger(&script, &SECRET);
    let evaluations = ledger
        .evaluate(&spend(&script, &SECRET, &SECRET, ExUnits::default()).build())
        .expect("evaluated");
    let needed = evaluations[0].ex_units;
    assert_eq!(
        (
            evaluations.len(),
            evaluations[0].key,
            &evaluations[0].failure
        ),
        (1, SPEND, &None)
    );
    let verdict = |units| {
        ledger.validate(
            &complete(&ledger, spend(&script, &SECRET, &SECRET, units)),
            SLOT,
        )
    };
    assert!(verdict(needed).is_ok());
    let short = [
        ExUnits {
            memory: needed.memory - 1,
            ..needed
        },
        ExUnits {
            cpu: needed.cpu - 1,
            ..needed
        },
    ];
    for units in short {
        let error = verdict(units).expect_err("over budget");
        assert_eq!(error.predicate_name(), "ValidationTagMismatch");
        assert!(error.to_string().contains("out of budget"), "{error}");
    }
}

#[test]
fn a_transaction_that_says_its_script_fails_pays_with_its_collateral() {
    let script = validator("gate.gate.spend");
    let mut ledger = ledger(&script, &SECRET);
    let change = output_at(&TestKey::new(1).address(), HELD - 3_000_000);
    let tx = spend(&script, &SECRET, &WRONG, BUDGET)
        .collateral_return(change.clone())
        .total_collateral(3_000_000)
        .invalid();
    let raw = complete(&ledger, tx);
    let before = ledger.clone();
    let tx = ledger
        .validate(&raw, SLOT)
        .expect("a valid transaction whose script fails");
    let undo = ledger.apply(&tx).expect("applied");
    assert_eq!(
        (tx.is_valid(), tx.fee_lovelace(), tx.spent()),
        (false, 3_000_000, [input(1)].as_slice())
    );
    let returned = TxIn {
        tx_id: tx.id(),
        index: 1,
    };
    assert_eq!(ledger.utxo_by_txin(&returned), Some(change.as_slice()));
    assert!(ledger.utxo_by_txin(&input(0)).is_some());
    assert_eq!(ledger.pots().fees_lovelace, 3_000_000);
    ledger.undo(undo);
    assert_eq!(ledger, before);
}

#[test]
fn a_transaction_that_wrongly_says_its_script_fails_is_refused() {
    let script = validator("gate.gate.spend");
    let ledger = ledger(&script, &SECRET);
    let raw = complete(&ledger, spend(&script, &SECRET, &SECRET, BUDGET).invalid());
    let error = LedgerError::PhaseTwo(PhaseTwoError::PassedUnexpectedly { scripts: 1 });
    assert_eq!(ledger.validate(&raw, SLOT), Err(error));
}

#[test]
fn a_policy_mints_for_the_right_redeemer_only() {
    let script = validator("gate.gate.mint");
    let ledger = ledger(&script, &SECRET);
    let policy = hash(&script);
    let minted = [
        &[0xa1],
        bytes(&policy).as_slice(),
        &[0xa1, 0x41, 0x41, 0x07],
    ]
    .concat();
    let mut output = vec![0xa2, 0x00];
    output.extend(bytes(&TestKey::new(1).address()));
    output.extend([&[0x01, 0x82], unsigned(HELD - FEE).as_slice(), &minted].concat());
    for (data, succeeds) in [(SECRET, true), (WRONG, false)] {
        let tx = TxBuilder::new()
            .input(input(2))
            .collateral(input(1))
            .output(output.clone())
            .fee(FEE)
            .body_field(9, minted.clone())
            .witness_field(5, redeemer(1, 0, &data, BUDGET))
            .witness_field(7, list(&[bytes(&script)]))
            .sign(1);
        assert_eq!(
            ledger.validate(&complete(&ledger, tx), SLOT).is_ok(),
            succeeds
        );
    }
}

/// What a V3 script is told, written down by hand from plutus-ledger-api's definitions.
mod told {
    use super::*;

    fn hex_list(items: &[String]) -> String {
        format!("9f{}ff", items.concat())
    }

    fn number(value: u64) -> String {
        hex::encode(unsigned(value))
    }

    fn reference(index: u8) -> String {
        format!("d8799f5820{}{index:02x}ff", "aa".repeat(32))
    }

    fn output(credential: &str, hash: [u8; 28], value: &str, datum: &str) -> String {
        format!(
            "d8799fd8799f{credential}9f581c{}ffd87a80ff{value}{datum}d87a80ff",
            hex::encode(hash)
        )
    }

    fn ada(lovelace: u64) -> String {
        format!("a140a140{}", number(lovelace))
    }

    fn own_output(value: &str) -> String {
        output("d879", TestKey::new(1).hash(), value, "d87980")
    }

    fn input_info(index: u8, output: &str) -> String {
        format!("d8799f{}{output}ff", reference(index))
    }

    /// `Seen` of `observer.ak`, for the transaction below.
    fn seen(script: &[u8]) -> Vec<u8> {
        let locked = output(
            "d87a",
            hash(script),
            &ada(LOCKED),
            &format!("d87a9f5820{}ff", hex::encode(datum_hash(&SECRET))),
        );
        let parts = [
            hex_list(&[
                input_info(0, &locked),
                input_info(1, &own_output(&ada(HELD))),
            ]),
            hex_list(&[input_info(2, &own_output(&ada(HELD)))]),
            hex_list(&[own_output(&ada(HELD + LOCKED - FEE))]),
            number(FEE),
            "a0".to_owned(),
            // From slot 3 inclusive to slot 9 exclusive, in POSIX milliseconds.
            format!(
                "d8799fd8799fd87a9f{}ffd87a80ffd8799fd87a9f{}ffd87980ffff",
                number(1_700_000_003_000),
                number(1_700_000_009_000)
            ),
            hex_list(&[format!("581c{}", hex::encode(TestKey::new(1).hash()))]),
            "d8799f00ff".to_owned(),
            reference(0),
        ];
        hex::decode(format!("d8799f{}ff", parts.concat())).expect("hex")
    }

    fn observed(script: &[u8], seen: &[u8], fee: u64) -> TxBuilder {
        TxBuilder::new()
            .input(input(0))
            .input(input(1))
            .reference(input(2))
            .collateral(input(1))
            .output(output_at(&TestKey::new(1).address(), HELD + LOCKED - fee))
            .fee(fee)
            .validity(Some(3), Some(9))
            .required_signer(TestKey::new(1).hash())
            .body_field(21, vec![0])
            .witness_field(4, list(&[SECRET]))
            .witness_field(5, redeemer(0, 0, seen, BUDGET))
            .witness_field(7, list(&[bytes(script)]))
            .sign(1)
    }

    #[test]
    fn a_script_is_told_exactly_what_the_definitions_say() {
        let script = validator("observer.observer.spend");
        let ledger = ledger(&script, &SECRET);
        let verdict = ledger.validate(
            &complete(&ledger, observed(&script, &seen(&script), FEE)),
            SLOT,
        );
        assert!(verdict.is_ok(), "{verdict:?}");
    }

    #[test]
    fn and_notices_when_it_is_told_anything_else() {
        let script = validator("observer.observer.spend");
        let ledger = ledger(&script, &SECRET);
        let other = observed(&script, &seen(&script), FEE + 1);
        let error = ledger
            .validate(&complete(&ledger, other), SLOT)
            .expect_err("another fee");
        assert!(
            error
                .to_string()
                .contains("tx.outputs == seen.outputs ? False"),
            "{error}"
        );
    }
}
