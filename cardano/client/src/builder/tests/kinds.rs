//! Each kind of transaction that wallet, faucet and relayer make.

use nupeer_primitives::{AssetId, Slot, plutus::Data};
use pallas_primitives::Metadatum;
use proptest::prelude::*;

use super::{GrowingWithSize, csl::confirm, script, token};
use crate::{
    Output, Utxo, Value,
    builder::{
        Change, NoScripts, Purpose, TransactionBuilder,
        fixtures::{at, key, key_address, parameters, script_address, utxo},
    },
    parameters::ExUnits,
};

pub(super) const ADA: u64 = 1_000_000;

fn wallet() -> TransactionBuilder {
    let purse = [
        utxo(1, Value::lovelace(100 * ADA)),
        utxo(2, Value::lovelace(30 * ADA).with(token(5), 40)),
    ];
    TransactionBuilder::new(Change::to(key_address(1))).available(purse)
}

pub(super) fn pay(n: u8, value: Value) -> Output {
    Output::new(key_address(n), value)
}

/// An output at a script's address with a datum.
pub(super) fn locked(n: u8, by: u8, value: Value) -> Utxo {
    at(
        n,
        Output::new(script_address(script(by).hash()), value)
            .with_inline_datum(&Data::Constr(0, vec![])),
    )
}

/// An output that carries script `n` for others to refer to.
pub(super) fn carrying(n: u8) -> Utxo {
    at(
        100 + n,
        pay(8, Value::lovelace(3 * ADA)).with_script(script(n)),
    )
}

pub(super) fn redeemer() -> Data {
    Data::Constr(
        1,
        vec![Data::Int(7), Data::bytes([1; 100]), Data::List(vec![])],
    )
}

#[test]
fn payments_of_ada() {
    let builder = wallet()
        .pay(pay(2, Value::lovelace(5 * ADA)))
        .valid_until(Slot(1000));
    let built = builder.build(&parameters(), &NoScripts).unwrap();
    confirm(&builder, &built);
    assert_eq!(built.inputs().count(), 1);
    assert_eq!(built.utxos()[0].output, builder.outputs[0]);
}

#[test]
fn payments_of_tokens_take_the_outputs_that_hold_them() {
    let builder = wallet().pay(pay(2, Value::lovelace(2 * ADA).with(token(5), 15)));
    let built = builder.build(&parameters(), &NoScripts).unwrap();
    confirm(&builder, &built);
    let left: u64 = built.utxos()[1..]
        .iter()
        .map(|utxo| utxo.output.value.get(&token(5)))
        .sum();
    assert_eq!(left, 25);
}

#[test]
fn deposits_carry_their_datum_inline() {
    let deposit = Output::new(script_address(script(1).hash()), Value::lovelace(500 * ADA))
        .with_inline_datum(&Data::Constr(0, vec![Data::bytes([3; 70]), Data::Int(-1)]));
    let builder = wallet()
        .available([utxo(3, Value::lovelace(600 * ADA))])
        .pay(deposit);
    confirm(&builder, &builder.build(&parameters(), &NoScripts).unwrap());
}

#[test]
fn deployments_carry_scripts() {
    let large = crate::Script::plutus_v3(vec![7; 9000]);
    let output = pay(8, Value::lovelace(60 * ADA)).with_script(large);
    let builder = wallet().pay(output);
    confirm(&builder, &builder.build(&parameters(), &NoScripts).unwrap());
}

#[test]
fn metadata_is_hashed_into_the_body() {
    let builder = wallet()
        .metadata(674, Metadatum::Text("hello".into()))
        .pay(pay(2, Value::lovelace(2 * ADA)));
    let signed = confirm(&builder, &builder.build(&parameters(), &NoScripts).unwrap());
    let tx = cardano_serialization_lib::Transaction::from_bytes(signed.cbor).unwrap();
    let hash = cardano_serialization_lib::hash_auxiliary_data(&tx.auxiliary_data().unwrap());
    assert_eq!(tx.body().auxiliary_data_hash(), Some(hash));
}

#[test]
fn scripts_run_by_reference_are_paid_for_by_size() {
    let spend = |builder: TransactionBuilder| {
        let builder = builder.spend_with(locked(10, 1, Value::lovelace(50 * ADA)), redeemer());
        let built = builder.build(&parameters(), &GrowingWithSize).unwrap();
        confirm(&builder, &built);
        built
    };
    let carried = spend(wallet().script(script(1)));
    let referred = spend(wallet().reference(carrying(1)));
    assert!(referred.cbor().len() < carried.cbor().len() + 40);
    assert!(carried.units().keys().eq(referred.units().keys()));
}

#[test]
fn a_script_that_a_reference_carries_is_not_carried_twice() {
    let builder = wallet()
        .script(script(1))
        .script(script(2))
        .reference(carrying(1))
        .spend_with(locked(10, 1, Value::lovelace(50 * ADA)), redeemer());
    let signed = confirm(
        &builder,
        &builder.build(&parameters(), &GrowingWithSize).unwrap(),
    );
    let tx = cardano_serialization_lib::Transaction::from_bytes(signed.cbor).unwrap();
    assert!(tx.witness_set().plutus_scripts().is_none());
}

#[test]
fn minting_and_burning_balance_the_tokens() {
    let (one, two) = (script(3).hash(), script(4).hash());
    let held = AssetId::Native {
        policy: two,
        name: b"old".to_vec(),
    };
    let builder = wallet()
        .available([utxo(3, Value::lovelace(3 * ADA).with(held, 9))])
        .script(script(3))
        .script(script(4))
        .mint(
            one,
            [(b"new".to_vec(), 1), (b"void".to_vec(), 0)],
            redeemer(),
        )
        .mint(two, [(b"old".to_vec(), -4)], redeemer())
        .required_signer(key(7).key_hash());
    let built = builder.build(&parameters(), &GrowingWithSize).unwrap();
    confirm(&builder, &built);
    assert_eq!(built.units().len(), 2);
    assert!(built.signers().contains(&key(7).key_hash()));
}

#[test]
fn a_vault_pays_with_the_change_in_second_place() {
    // [shard, change, payouts…]
    let shard = locked(10, 1, Value::lovelace(900 * ADA).with(token(9), 1));
    let payouts: Vec<_> = (2..9)
        .map(|n| pay(n, Value::lovelace(u64::from(n) * 10 * ADA)))
        .collect();
    let paid: u64 = payouts.iter().map(|output| output.value.coin()).sum();
    let left = Value::lovelace(900 * ADA - paid).with(token(9), 1);
    let next = Output {
        value: left,
        ..shard.output.clone()
    };
    let mut builder = TransactionBuilder::new(Change::single_at(key_address(1), 1))
        .available([
            utxo(1, Value::lovelace(5 * ADA)),
            utxo(2, Value::lovelace(4 * ADA)),
        ])
        .reference(carrying(1))
        .reference(at(60, pay(7, Value::lovelace(2 * ADA))))
        .spend_with(shard, redeemer())
        .valid_from(Slot(50))
        .valid_until(Slot(90))
        .pay(next.clone());
    for payout in payouts.iter().cloned() {
        builder = builder.pay(payout);
    }
    let built = builder.build(&parameters(), &GrowingWithSize).unwrap();
    confirm(&builder, &built);
    let outputs: Vec<_> = built.utxos().into_iter().map(|utxo| utxo.output).collect();
    assert_eq!(outputs[0], next);
    assert_eq!(outputs[1].address, key_address(1));
    assert_eq!(outputs[2..], payouts);
}

#[test]
fn the_next_transaction_spends_what_this_one_made() {
    let first = wallet()
        .pay(pay(2, Value::lovelace(5 * ADA)))
        .build(&parameters(), &NoScripts)
        .unwrap();
    let made = first.utxos();
    let change = made
        .iter()
        .filter(|utxo| utxo.output.address == key_address(1))
        .cloned();
    let builder = TransactionBuilder::new(Change::to(key_address(1)))
        .available(change)
        .pay(pay(3, Value::lovelace(90 * ADA)));
    let second = builder.build(&parameters(), &NoScripts).unwrap();
    confirm(&builder, &second);
    assert!(
        second
            .inputs()
            .all(|input| input.transaction_id == first.id())
    );
}

#[test]
fn declared_units_cover_what_the_final_transaction_uses() {
    let builder = wallet()
        .reference(carrying(1))
        .spend_with(locked(10, 1, Value::lovelace(50 * ADA)), redeemer())
        .spend_with(locked(11, 1, Value::lovelace(2 * ADA)), Data::Int(0));
    let built = builder.build(&parameters(), &GrowingWithSize).unwrap();
    confirm(&builder, &built);
    let used = 1000 + 10 * built.cbor().len() as u64;
    for n in [10, 11] {
        let declared = built.units()[&Purpose::Spend(locked(n, 1, Value::default()).reference)];
        assert!(
            ExUnits {
                memory: used,
                steps: 0
            }
            .within(declared)
        );
        assert!(
            declared.memory <= used + 10 * 8,
            "declared {declared:?}, used {used}"
        );
    }
}

#[test]
fn outputs_that_carry_scripts_are_not_spent_unasked() {
    let deployed = at(4, pay(1, Value::lovelace(900 * ADA)).with_script(script(1)));
    let builder = wallet()
        .available([deployed.clone()])
        .pay(pay(2, Value::lovelace(5 * ADA)));
    let built = builder.build(&parameters(), &NoScripts).unwrap();
    assert!(built.inputs().all(|input| input != deployed.reference));
}

pub(super) fn purse() -> impl Strategy<Value = Vec<Utxo>> {
    let entry = (
        ADA..200 * ADA,
        prop::collection::btree_map(1u8..6, 1u64..500, 0..4),
    );
    prop::collection::vec(entry, 1..25).prop_map(|entries| {
        let values = entries.into_iter().map(|(coin, tokens)| {
            tokens
                .into_iter()
                .fold(Value::lovelace(coin + ADA), |value, (n, amount)| {
                    value.with(token(n), amount)
                })
        });
        values.zip(1..).map(|(value, n)| utxo(n, value)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_wallet_pays_what_it_can_afford(
        purse in purse(),
        coin in 2 * ADA..300 * ADA,
        tokens in prop::collection::btree_map(1u8..6, 1u64..300, 0..3),
    ) {
        let value = tokens.into_iter().fold(Value::lovelace(coin), |value, (n, amount)| value.with(token(n), amount));
        let build = |purse: Vec<Utxo>| {
            let builder = TransactionBuilder::new(Change::to(key_address(1))).available(purse).pay(pay(2, value.clone()));
            let built = builder.build(&parameters(), &NoScripts);
            (builder, built)
        };
        let (builder, built) = build(purse.clone());
        let reversed = build(purse.iter().rev().cloned().collect()).1;
        let held = purse.iter().fold(Value::default(), |sum, utxo| sum.checked_add(&utxo.output.value).unwrap());
        match built {
            Ok(built) => {
                confirm(&builder, &built);
                prop_assert_eq!(built.id(), reversed.unwrap().id(), "the same wallet makes the same transaction");
            }
            Err(refused) => {
                let generous = value.checked_add(&Value::lovelace(20 * ADA)).unwrap();
                prop_assert!(held.checked_sub(&generous).is_err(), "{refused} with {held:?} for {value:?}");
            }
        }
    }
}
