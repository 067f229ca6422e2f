//! Blocks of real networks, and pallas as a second opinion on what is in them.

use nupeer_outbox::{OutputReference, Value};
use nupeer_primitives::{Amount, AssetId, Hash, Hash28, Slot};
use nupeer_testing::chain_data;
use pallas_primitives::conway::DatumOption;
use pallas_traverse::{MultiEraBlock, MultiEraOutput, MultiEraTx};

use super::made::SCOPE;
use crate::{
    Observation, Scope, block, observe,
    output::{Datum, Output},
};

/// Every block at hand: those of the folder `blocks` in hexadecimal, those of an immutable database one after another.
fn blocks() -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    for path in chain_data::files(&chain_data::folder("blocks"), "block") {
        let text = std::fs::read_to_string(&path).unwrap();
        blocks.extend(hex::decode(text.trim()).ok());
    }
    blocks.extend(chain_data::immutable_blocks());
    blocks
}

#[test]
fn nothing_of_ours_is_seen_in_blocks_of_others_and_nothing_panics() {
    let blocks = blocks();
    let mut read = 0;
    for raw in &blocks {
        // What pallas takes, we take.
        if MultiEraBlock::decode(raw).is_ok() {
            assert_eq!(observe(&SCOPE, raw), Ok(vec![]));
            read += 1;
        } else {
            let _ = observe(&SCOPE, raw);
        }
    }
    assert!(read > 20, "{read} blocks");
}

/// Blocks since Alonzo under Conway's number: their transactions and outputs have forms that Conway still takes, and Conway blocks at
/// hand are few.
fn as_conway() -> Vec<(Vec<u8>, Vec<u8>)> {
    let since_alonzo =
        |raw: &Vec<u8>| raw.first() == Some(&0x82) && matches!(raw.get(1), Some(5..=7));
    let blocks = blocks().into_iter().filter(since_alonzo);
    let blocks = blocks.filter(|raw| MultiEraBlock::decode(raw).is_ok());
    let with_copy = blocks.map(|raw| {
        let mut copy = raw.clone();
        copy[1] = 7;
        (raw, copy)
    });
    with_copy.collect()
}

#[test]
fn pallas_sees_the_same_transactions_and_outputs() {
    let blocks = as_conway();
    let mut compared = 0;
    for (raw, copy) in &blocks {
        let theirs = MultiEraBlock::decode(raw).unwrap();
        let (slot, ours) = block::transactions(copy).unwrap();
        assert_eq!(slot, Slot(theirs.slot()));
        let transactions = theirs.txs();
        let valid: Vec<_> = transactions.iter().filter(|tx| tx.is_valid()).collect();
        assert_eq!(valid.len(), ours.len());
        for (theirs, ours) in valid.into_iter().zip(&ours) {
            compared += compare(theirs, ours);
        }
    }
    assert!(compared > 100, "{compared} outputs");
}

fn compare(theirs: &MultiEraTx<'_>, ours: &block::Transaction<'_>) -> usize {
    assert_eq!(*theirs.hash(), ours.id.0);
    let mut inputs: Vec<_> = theirs
        .inputs()
        .iter()
        .map(|input| OutputReference {
            transaction_id: Hash(**input.hash()),
            index: u32::try_from(input.index()).unwrap(),
        })
        .collect();
    inputs.sort();
    assert_eq!(inputs, ours.inputs().unwrap());
    let (theirs, ours) = (theirs.outputs(), ours.outputs());
    assert_eq!(theirs.len(), ours.len());
    for (theirs, raw) in theirs.iter().zip(&ours) {
        compare_output(theirs, &Output::read(raw).unwrap());
    }
    ours.len()
}

fn compare_output(theirs: &MultiEraOutput<'_>, ours: &Output<'_>) {
    let address = theirs.address().unwrap();
    // pallas writes pointers anew, in fewer bytes; the payment part stands before them.
    let end = if matches!(address.to_vec()[0] >> 4, 4 | 5) {
        29
    } else {
        ours.address.len()
    };
    assert_eq!(
        address.to_vec()[..end.min(address.to_vec().len())],
        ours.address[..end]
    );
    assert_eq!(theirs.script_ref().is_some(), ours.has_reference_script);
    let datum = match theirs.datum() {
        None => Datum::None,
        Some(DatumOption::Hash(hash)) => Datum::Hash(Hash(*hash)),
        Some(DatumOption::Data(data)) => Datum::Inline(data.raw_cbor().to_vec()),
    };
    assert_eq!(datum, ours.datum().unwrap());
    let mut value = Value::lovelace(theirs.value().coin());
    for policy in theirs.value().assets() {
        for asset in policy.assets() {
            let id = AssetId::Native {
                policy: Hash28(**asset.policy()),
                name: asset.name().to_vec(),
            };
            let units = u128::try_from(asset.any_coin()).unwrap();
            value = value.with(id, Amount::new(units));
        }
    }
    assert_eq!(value, ours.value().unwrap());
}

/// With somebody else's script as that of deposits, what lies there is seen.
#[test]
fn a_scope_sees_what_lies_at_its_script() {
    let blocks = as_conway();
    let mut found = 0;
    for (_, raw) in &blocks {
        let (_, transactions) = block::transactions(raw).unwrap();
        for transaction in &transactions {
            for output in transaction.outputs() {
                let Some(deposit) = Output::read(output).unwrap().payment_script() else {
                    continue;
                };
                let scope = Scope { deposit, ..SCOPE };
                let seen = observe(&scope, raw).unwrap();
                let ours = seen.iter().any(|seen| {
                    matches!(seen, Observation::Deposit(seen) if seen.output.transaction_id == transaction.id)
                });
                assert!(ours);
                found += 1;
            }
        }
    }
    assert!(found > 0);
}
