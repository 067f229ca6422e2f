//! Confirmation by cardano-serialization-lib, an independent implementation.

use std::collections::{BTreeMap, BTreeSet};

use cardano_serialization_lib as csl;
use nupeer_primitives::{Credential, Hash};

use crate::{
    Output, OutputReference, Value, address,
    builder::{SignedTransaction, TransactionBuilder, UnsignedTransaction, fixtures},
};

/// How far above the least fee a fee may lie: the widths of fee and change can shrink in the last round.
const SLACK_LOVELACE: u64 = 44 * 8;

/// Builds' every promise, checked from outside: id, script data hash, fee, minimum of each output, balance, and what is pledged.
pub(super) fn confirm(
    builder: &TransactionBuilder,
    unsigned: &UnsignedTransaction,
) -> SignedTransaction {
    let signed = unsigned
        .sign(&(1..=9).map(fixtures::key).collect::<Vec<_>>())
        .unwrap();
    let tx = csl::Transaction::from_bytes(signed.cbor.clone()).unwrap();
    let fixed = csl::FixedTransaction::from_bytes(signed.cbor.clone()).unwrap();
    assert_eq!(fixed.transaction_hash().to_bytes(), unsigned.id().0, "id");
    assert_eq!(signed.cbor.len() as u64, unsigned.signed_bytes(), "size");
    confirm_signatures(&tx, unsigned);
    confirm_script_data_hash(&tx);
    confirm_fee(&tx, &signed, builder, unsigned);
    confirm_minimums(&tx);
    confirm_balance(builder, unsigned);
    confirm_collateral(&tx, builder, unsigned);
    signed
}

fn confirm_signatures(tx: &csl::Transaction, unsigned: &UnsignedTransaction) {
    let witnesses = tx.witness_set().vkeys().unwrap();
    assert_eq!(witnesses.len(), unsigned.signers().len());
    for n in 0..witnesses.len() {
        let witness = witnesses.get(n);
        assert!(
            witness
                .vkey()
                .public_key()
                .verify(&unsigned.id().0, &witness.signature())
        );
    }
}

fn confirm_script_data_hash(tx: &csl::Transaction) {
    let made = tx.body().script_data_hash();
    let Some(redeemers) = tx.witness_set().redeemers() else {
        assert!(made.is_none());
        return;
    };
    let mut model = csl::CostModel::new();
    for (operation, cost) in fixtures::parameters().cost_model_v3.iter().enumerate() {
        model
            .set(operation, &csl::Int::new_i32(i32::try_from(*cost).unwrap()))
            .unwrap();
    }
    let mut models = csl::Costmdls::new();
    models.insert(&csl::Language::new_plutus_v3(), &model);
    assert_eq!(
        made,
        Some(csl::hash_script_data(&redeemers, &models, None)),
        "script data hash"
    );
}

fn confirm_fee(
    tx: &csl::Transaction,
    signed: &SignedTransaction,
    builder: &TransactionBuilder,
    unsigned: &UnsignedTransaction,
) {
    let linear = csl::LinearFee::new(&number(44), &number(155_381));
    let prices = csl::ExUnitPrices::new(&interval(577, 10_000), &interval(721, 10_000_000));
    let spent: Vec<&Output> = unsigned
        .inputs
        .values()
        .chain(builder.references.values())
        .collect();
    let scripts = spent.iter().filter_map(|output| output.script.as_ref());
    let bytes = scripts.map(|script| script.bytes.len()).sum();
    let least = [
        // By the size of the bytes as they are: `csl::min_fee` writes outputs anew, in the older, shorter form.
        csl::min_fee_for_size(signed.cbor.len(), &linear).unwrap(),
        csl::min_script_fee(tx, &prices).unwrap(),
        csl::min_ref_script_fee(bytes, &interval(15, 1)).unwrap(),
    ];
    let least: u64 = least.iter().map(u64_of).sum();
    let fee = u64_of(&tx.body().fee());
    assert_eq!(fee, unsigned.fee_lovelace());
    assert!(
        (least..=least + SLACK_LOVELACE).contains(&fee),
        "{fee} where {least} is the least"
    );
}

fn confirm_minimums(tx: &csl::Transaction) {
    let cost = csl::DataCost::new_coins_per_byte(&number(4310));
    let outputs = tx.body().outputs();
    let all = (0..outputs.len())
        .map(|n| outputs.get(n))
        .chain(tx.body().collateral_return());
    for output in all {
        let least = u64_of(&csl::min_ada_for_output(&output, &cost).unwrap());
        assert!(u64_of(&output.amount().coin()) >= least);
    }
}

fn confirm_balance(builder: &TransactionBuilder, unsigned: &UnsignedTransaction) {
    let brought = builder.brought(unsigned.inputs.values()).unwrap();
    let taken = builder.taken(unsigned.fee_lovelace()).unwrap();
    let asked = |utxos: &[Output]| {
        utxos.iter().fold(Value::default(), |sum, output| {
            sum.checked_add(&output.value).unwrap()
        })
    };
    let change = asked(&unsigned.outputs)
        .checked_sub(&asked(&builder.outputs))
        .unwrap();
    assert_eq!(brought, taken.checked_add(&change).unwrap(), "balance");
}

/// Where scripts run, key-locked inputs are pledged: the share of the fee that the protocol asks for, the rest comes back, and nothing where none run.
fn confirm_collateral(
    tx: &csl::Transaction,
    builder: &TransactionBuilder,
    unsigned: &UnsignedTransaction,
) {
    let body = tx.body();
    let runs = tx.witness_set().redeemers().is_some();
    assert_eq!(body.collateral().is_some(), runs, "a pledge");
    let inputs = body.collateral();
    let pledged: Vec<_> = inputs.iter().flat_map(references).collect();
    let needs: BTreeSet<_> = unsigned.inputs().chain(pledged.iter().copied()).collect();
    let needs: BTreeSet<_> = builder.references.keys().copied().chain(needs).collect();
    assert_eq!(unsigned.needs().collect::<BTreeSet<_>>(), needs);
    if !runs {
        assert!(body.total_collateral().is_none() && body.collateral_return().is_none());
        return;
    }
    let parameters = fixtures::parameters();
    assert!(pledged.len() as u64 <= parameters.collateral_inputs_max);
    let known = builder.available.iter().chain(&builder.collateral);
    let known = known.map(|utxo| (utxo.reference, utxo.output.clone()));
    let known: BTreeMap<_, _> = builder.given_inputs().into_iter().chain(known).collect();
    let sum = pledged.iter().fold(Value::default(), |sum, reference| {
        let output = &known[reference];
        let credential = address::payment_credential(&output.address);
        assert!(credential.is_some_and(is_key), "a script's is no pledge");
        sum.checked_add(&output.value).unwrap()
    });
    let total = u64_of(&body.total_collateral().unwrap());
    let least = (u64_of(&body.fee()) * parameters.collateral_percent).div_ceil(100);
    let back = body.collateral_return().map(|back| {
        let back = Output::from_cbor(&back.to_bytes()).unwrap();
        assert_eq!(back.address, builder.change.address);
        back.value
    });
    match back {
        Some(back) => {
            assert_eq!(total, least);
            assert_eq!(back.checked_add(&Value::lovelace(total)), Some(sum));
        }
        // What would be too little for an output is pledged too; tokens never are.
        None => {
            assert!(total >= least);
            assert_eq!(Value::lovelace(total), sum);
        }
    }
}

fn is_key(credential: Credential) -> bool {
    matches!(credential, Credential::Key(_))
}

fn references(inputs: &csl::TransactionInputs) -> Vec<OutputReference> {
    let inputs = (0..inputs.len()).map(|n| inputs.get(n));
    let reference = |input: csl::TransactionInput| OutputReference {
        transaction_id: Hash(input.transaction_id().to_bytes().try_into().unwrap()),
        index: u16::try_from(input.index()).unwrap(),
    };
    inputs.map(reference).collect()
}

fn number(n: u64) -> csl::BigNum {
    csl::BigNum::from(n)
}

fn interval(numerator: u64, denominator: u64) -> csl::UnitInterval {
    csl::UnitInterval::new(&number(numerator), &number(denominator))
}

fn u64_of(n: &csl::BigNum) -> u64 {
    n.to_str().parse().unwrap()
}
