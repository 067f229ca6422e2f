//! The builder as its users see it. Every transaction built here is confirmed by cardano-serialization-lib.

mod csl;
mod kinds;
mod refusals;
mod scripted;

use nupeer_primitives::{AssetId, Hash28};
use pallas_codec::minicbor;
use pallas_primitives::conway::{RedeemerTag, Redeemers, Tx};

use super::{Evaluate, RedeemerError, RedeemerIndex};
use crate::{ProtocolParameters, Script, Utxo, parameters::ExUnits};

/// An evaluator whose units grow with the transaction, so that fee, size and units depend on one another in a circle.
struct GrowingWithSize;

impl Evaluate for GrowingWithSize {
    fn evaluate(
        &self,
        transaction: &[u8],
        resolved: &[Utxo],
        _: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError> {
        let tx: Tx<'_> = minicbor::decode(transaction).unwrap();
        let body = &tx.transaction_body;
        let inputs = body
            .inputs
            .iter()
            .chain(body.reference_inputs.iter().flat_map(|set| set.iter()));
        for input in inputs.chain(body.collateral.iter().flat_map(|set| set.iter())) {
            let known = resolved
                .iter()
                .any(|utxo| utxo.reference.to_pallas() == *input);
            assert!(known, "{input:?} is not resolved");
        }
        let Some(redeemers) = &tx.transaction_witness_set.redeemer else {
            panic!("asked without a redeemer")
        };
        let Redeemers::Map(redeemers) = &**redeemers else {
            panic!("redeemers of the older form")
        };
        let size = transaction.len() as u64;
        let used = ExUnits {
            memory: 1000 + 10 * size,
            steps: 1_000_000 + 5000 * size,
        };
        Ok(redeemers
            .keys()
            .map(|key| (index(key.tag, key.index), used))
            .collect())
    }
}

/// An evaluator for which the scripts refuse.
struct Refusing;

impl Evaluate for Refusing {
    fn evaluate(
        &self,
        _: &[u8],
        _: &[Utxo],
        _: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError> {
        Err(RedeemerError {
            index: Some(RedeemerIndex::Spend(0)),
            reason: "P07".into(),
        })
    }
}

fn index(tag: RedeemerTag, index: u32) -> RedeemerIndex {
    match tag {
        RedeemerTag::Spend => RedeemerIndex::Spend(index),
        RedeemerTag::Mint => RedeemerIndex::Mint(index),
        other => panic!("a redeemer for {other:?}"),
    }
}

/// Stand-in scripts: the builder hashes and carries their bytes and never reads them.
fn script(n: u8) -> Script {
    Script::plutus_v3([&[0x46][..], &[n; 6]].concat())
}

fn token(n: u8) -> AssetId {
    AssetId::Native {
        policy: Hash28([n; 28]),
        name: vec![n; usize::from(n % 33)],
    }
}
