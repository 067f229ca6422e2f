//! Confirmation by cardano-serialization-lib, an independent implementation.

use cardano_serialization_lib as csl;

use crate::{
    Output, Value,
    builder::{SignedTransaction, TransactionBuilder, UnsignedTransaction, fixtures},
};

/// How far above the least fee a fee may lie: the widths of fee and change can shrink in the last round.
const SLACK_LOVELACE: u64 = 44 * 8;

/// Builds' every promise, checked from outside: id, script data hash, fee, minimum of each output, and balance.
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

fn number(n: u64) -> csl::BigNum {
    csl::BigNum::from(n)
}

fn interval(numerator: u64, denominator: u64) -> csl::UnitInterval {
    csl::UnitInterval::new(&number(numerator), &number(denominator))
}

fn u64_of(n: &csl::BigNum) -> u64 {
    n.to_str().parse().unwrap()
}
