//! The transaction that a bridge is born from.

use nupeer_outbox::{
    Committee, Head, Output, Shard, Value,
    shard::{RESERVE_LOVELACE, ShardError},
};
use nupeer_primitives::{Amount, AssetId, TimeMs, plutus::Data};

use crate::{BridgeScripts, Validator};

/// What the birth needs to know beside the scripts.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The first committee, of epoch 0.
    pub committee: Committee,
    /// End of the transaction's validity range, which must start at most an hour before.
    pub valid_until: TimeMs,
    /// Number of shards, at least one.
    pub shards: u8,
    /// Native assets that may enter the shards; ADA always may.
    pub assets: Vec<AssetId>,
    /// ADA beside the committee's NFT: at least its output's minimum.
    pub committee_lovelace: u64,
    /// ADA beside the head's NFT: at least its output's minimum.
    pub head_lovelace: u64,
}

impl Birth {
    /// The outputs, in the order that the genesis policy demands: committee, head, shards. Everybody derives the same,
    /// so a deployment is checked by comparing.
    pub fn outputs(&self, scripts: &BridgeScripts) -> Result<Vec<Output>, ShardError> {
        let head = Head {
            last_anchor_seq: 0,
            last_anchor_time: self.valid_until,
        };
        let at = |validator, lovelace, token, datum| Output {
            address: scripts.address(validator),
            value: Value::lovelace(lovelace).with(token, Amount::new(1)),
            datum: Some(datum),
        };
        let committee = (scripts.committee_token(), self.committee.to_data());
        let mut outputs = vec![
            at(
                Validator::Committee,
                self.committee_lovelace,
                committee.0,
                committee.1,
            ),
            at(
                Validator::Head,
                self.head_lovelace,
                scripts.head_token(),
                head.to_data(),
            ),
        ];
        for shard in 0..self.shards {
            let datum = Shard::new(shard, self.assets.iter().cloned())?.to_data();
            outputs.push(at(
                Validator::Vault,
                RESERVE_LOVELACE,
                scripts.shard_token(shard),
                datum,
            ));
        }
        Ok(outputs)
    }

    /// The tokens to mint under the genesis policy, one each.
    pub fn mint(&self, scripts: &BridgeScripts) -> Vec<AssetId> {
        let shards = (0..self.shards).map(|shard| scripts.shard_token(shard));
        [scripts.committee_token(), scripts.head_token()]
            .into_iter()
            .chain(shards)
            .collect()
    }

    /// The redeemer of the genesis policy, which reads none.
    pub fn redeemer() -> Data {
        Data::Constr(0, vec![])
    }
}
