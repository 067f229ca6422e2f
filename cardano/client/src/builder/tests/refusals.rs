//! What cannot be built, and what is said about it.

use nupeer_primitives::{AssetId, CardanoNetwork, Credential, Hash28, plutus::Data};

use super::{GrowingWithSize, Refusing, script, token};
use crate::{
    Datum, Output, ProtocolParameters, Script, ScriptLanguage, Utxo, Value, address,
    builder::{
        BuildError, Change, EvaluateError, NoScripts, Purpose, SignError, TransactionBuilder,
        fixtures::{at, key, key_address, parameters, script_address, utxo},
    },
    parameters::ExUnits,
};

const ADA: u64 = 1_000_000;

fn wallet(lovelace: u64) -> TransactionBuilder {
    TransactionBuilder::new(Change::to(key_address(1)))
        .available([utxo(1, Value::lovelace(lovelace))])
}

fn refusal(builder: &TransactionBuilder) -> BuildError {
    builder
        .build(&parameters(), &GrowingWithSize)
        .map(|built| built.id())
        .unwrap_err()
}

fn pay(value: Value) -> Output {
    Output::new(key_address(2), value)
}

fn locked() -> Utxo {
    at(
        10,
        Output::new(script_address(script(1).hash()), Value::lovelace(50 * ADA)),
    )
}

#[test]
fn too_little_ada_names_both_sides() {
    let refused = refusal(&wallet(3 * ADA).pay(pay(Value::lovelace(5 * ADA))));
    let BuildError::InsufficientFunds {
        asset: AssetId::Ada,
        provided,
        required,
    } = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(provided, 3 * ADA);
    assert!((5 * ADA + 155_381..5 * ADA + 200_000).contains(&required));
}

#[test]
fn too_few_tokens_name_the_token() {
    let refused = refusal(&wallet(90 * ADA).pay(pay(Value::lovelace(2 * ADA).with(token(3), 7))));
    assert_eq!(
        refused,
        BuildError::InsufficientFunds {
            asset: token(3),
            provided: 0,
            required: 7
        }
    );
}

#[test]
fn change_below_the_minimum_is_never_given_away() {
    let refused = refusal(&wallet(5 * ADA).pay(pay(Value::lovelace(4_500_000))));
    let BuildError::ChangeTooSmall {
        provided,
        minimum: 857_690,
    } = refused
    else {
        panic!("{refused}")
    };
    assert!(provided <= 500_000 - 155_381);
}

#[test]
fn an_output_below_its_minimum_says_what_it_needs() {
    let refused = refusal(&wallet(5 * ADA).pay(pay(Value::lovelace(1000))));
    let expected = BuildError::OutputBelowMinimum {
        index: 0,
        provided: 1000,
        minimum: 857_690,
    };
    assert_eq!(refused, expected);
}

#[test]
fn addresses_that_cannot_be_paid_are_refused() {
    let stake = address::reward(CardanoNetwork::Testnet, Credential::Key(Hash28([1; 28])));
    let other = address::enterprise(CardanoNetwork::Mainnet, Hash28([1; 28]));
    let byron = "DdzFFzCqrhstmqBkaU98vdHu6PdqjqotmgudToWYEeRmQKDrn4cAgGv9EZKtu1DevLrMA1pdVazufUCK4zhFkUcQZ5Gm88mVHnrwmXvT";
    let byron = pallas_addresses::Address::from(
        pallas_addresses::ByronAddress::from_base58(byron).unwrap(),
    );
    let with = |address| wallet(90 * ADA).pay(Output::new(address, Value::lovelace(2 * ADA)));
    for (builder, reason) in [
        (with(stake), "a reward address"),
        (
            with(other),
            "an address of another network than the change's",
        ),
        (
            with(byron.clone()).spend_with(locked(), Data::Int(0)),
            "a Byron address, which scripts cannot see",
        ),
    ] {
        assert_eq!(refusal(&builder), BuildError::Address { index: 0, reason });
    }
    assert!(
        with(byron).build(&parameters(), &NoScripts).is_ok(),
        "without scripts Byron may be paid"
    );
}

#[test]
fn inputs_that_cannot_be_spent_as_asked_are_refused() {
    let hashed = Utxo {
        output: Output {
            datum: Some(Datum::Hash(nupeer_primitives::Hash([1; 32]))),
            ..locked().output
        },
        ..locked()
    };
    let keyed = utxo(3, Value::lovelace(9 * ADA));
    for (builder, reference, reason) in [
        (
            wallet(9 * ADA).spend(locked()),
            locked().reference,
            "a script guards it, which needs a redeemer",
        ),
        (
            wallet(9 * ADA).spend_with(keyed.clone(), Data::Int(0)),
            keyed.reference,
            "a key guards it, which takes no redeemer",
        ),
        (
            wallet(9 * ADA).spend_with(hashed.clone(), Data::Int(0)),
            hashed.reference,
            "only the hash of its datum is on chain",
        ),
    ] {
        assert_eq!(refusal(&builder), BuildError::Input { reference, reason });
    }
}

#[test]
fn a_script_that_nobody_carries_is_named() {
    let refused = refusal(&wallet(9 * ADA).spend_with(locked(), Data::Int(0)));
    assert_eq!(refused, BuildError::MissingScript(script(1).hash()));
}

#[test]
fn older_plutus_is_refused() {
    let old = Script {
        language: ScriptLanguage::PlutusV2,
        bytes: vec![0x41, 1],
    };
    let hash = old.hash();
    let refused = refusal(
        &wallet(9 * ADA)
            .script(old)
            .mint(hash, [(vec![], 1)], Data::Int(0)),
    );
    assert_eq!(
        refused,
        BuildError::Language {
            hash,
            language: ScriptLanguage::PlutusV2
        }
    );
}

#[test]
fn spending_what_is_referred_to_is_refused() {
    let both = utxo(3, Value::lovelace(9 * ADA));
    let refused = refusal(&wallet(9 * ADA).spend(both.clone()).reference(both.clone()));
    assert_eq!(refused, BuildError::SpentAndReferenced(both.reference));
}

#[test]
fn what_is_referred_to_is_not_chosen_either() {
    let both = utxo(1, Value::lovelace(9 * ADA));
    let refused = refusal(&wallet(9 * ADA).reference(both));
    assert!(matches!(
        refused,
        BuildError::InsufficientFunds { provided: 0, .. }
    ));
}

#[test]
fn change_in_a_place_that_does_not_exist_is_refused() {
    let builder = TransactionBuilder::new(Change::single_at(key_address(1), 1));
    assert_eq!(
        refusal(&builder),
        BuildError::ChangePosition {
            provided: 1,
            maximum: 0
        }
    );
}

#[test]
fn a_script_that_refuses_is_named_by_what_it_guards() {
    let builder = wallet(9 * ADA)
        .script(script(1))
        .spend_with(locked(), Data::Int(0));
    let refused = builder
        .build(&parameters(), &Refusing)
        .map(|built| built.id())
        .unwrap_err();
    let purpose = Some(Purpose::Spend(locked().reference));
    let reason = "P07".to_owned();
    assert_eq!(
        refused,
        BuildError::Script(EvaluateError { purpose, reason })
    );
}

#[test]
fn scripts_need_somebody_to_run_them() {
    let builder = wallet(9 * ADA)
        .script(script(1))
        .spend_with(locked(), Data::Int(0));
    let refused = builder
        .build(&parameters(), &NoScripts)
        .map(|built| built.id())
        .unwrap_err();
    let reason = "nothing here can run scripts".into();
    assert_eq!(
        refused,
        BuildError::Script(EvaluateError {
            purpose: None,
            reason
        })
    );
}

#[test]
fn limits_of_the_protocol_hold() {
    let tight = |change: fn(&mut ProtocolParameters)| {
        let mut parameters = parameters();
        change(&mut parameters);
        let builder = wallet(9 * ADA)
            .script(script(1))
            .spend_with(locked(), Data::Int(0));
        builder
            .build(&parameters, &GrowingWithSize)
            .map(|built| built.id())
            .unwrap_err()
    };
    let small = tight(|parameters| parameters.transaction_bytes_max = 200);
    assert!(
        matches!(
            small,
            BuildError::TooLarge {
                provided: 201..,
                maximum: 200
            }
        ),
        "{small}"
    );
    let weak = tight(|parameters| {
        parameters.transaction_units_max = ExUnits {
            memory: 10,
            steps: 10,
        }
    });
    assert!(matches!(
        weak,
        BuildError::TooManyUnits {
            maximum: ExUnits {
                memory: 10,
                steps: 10
            },
            ..
        }
    ));
    let narrow = tight(|parameters| parameters.value_bytes_max = 1);
    assert!(
        matches!(
            narrow,
            BuildError::ValueTooLarge {
                provided: 5,
                maximum: 1
            }
        ),
        "{narrow}"
    );
    let dear = tight(|parameters| parameters.collateral_percent = 100_000);
    assert!(
        matches!(
            dear,
            BuildError::InsufficientCollateral {
                provided: 9_000_000,
                ..
            }
        ),
        "{dear}"
    );
}

#[test]
fn scripts_referred_to_have_a_bound_together() {
    let mut builder = wallet(900 * ADA);
    for n in 0..3 {
        let large = Script::plutus_v3(vec![n; 80 * 1024]);
        builder = builder.reference(at(
            50 + n,
            pay(Value::lovelace(500 * ADA)).with_script(large),
        ));
    }
    let expected = BuildError::ReferenceScripts {
        provided: 245_760,
        maximum: 204_800,
    };
    assert_eq!(refusal(&builder), expected);
}

#[test]
fn what_a_script_guards_is_no_collateral() {
    let builder = wallet(9 * ADA)
        .script(script(1))
        .spend_with(locked(), Data::Int(0));
    let refused = refusal(&builder.collateral([locked()]));
    assert!(
        matches!(
            refused,
            BuildError::InsufficientCollateral { provided: 0, .. }
        ),
        "{refused}"
    );
}

#[test]
fn sums_past_64_bits_are_refused() {
    let huge = pay(Value::lovelace(u64::MAX));
    assert_eq!(
        refusal(&wallet(9 * ADA).pay(huge.clone()).pay(huge)),
        BuildError::Overflow
    );
}

#[test]
fn missing_and_foreign_signatures_are_named() {
    let built = wallet(9 * ADA)
        .pay(pay(Value::lovelace(2 * ADA)))
        .build(&parameters(), &NoScripts)
        .unwrap();
    let owner = key(1).key_hash();
    assert_eq!(
        built.sign([&key(2)]),
        Err(SignError::Missing {
            missing: vec![owner]
        })
    );
    let foreign = (key(1).public_key(), key(1).sign(b"another transaction"));
    assert_eq!(built.complete(&[foreign]), Err(SignError::Invalid(owner)));
}
