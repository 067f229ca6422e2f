//! Carrying out a leaf.

use nupeer_cardano_client::{TransactionBuilder, builder::Change};
use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{Anchor, Leaf, shard::RESERVE_LOVELACE};
use nupeer_primitives::AssetId;
use pallas_addresses::Address;

use super::{References, TransactionError, Window, continued};
use crate::{
    Bridge, CardanoState, convert,
    state::{Located, held},
};

/// Outputs: shard, change, payouts. `path` is the leaf's proof under the anchor's root.
pub fn build(
    bridge: &Bridge,
    state: &CardanoState,
    submitter: &Address,
    anchor: &Located<Anchor>,
    leaf: &Leaf,
    path: &[u8],
    window: &Window,
) -> Result<TransactionBuilder, TransactionError> {
    let shard = leaf.shard();
    let before = state.shards.get(&shard);
    let before = before.ok_or_else(|| TransactionError::Missing {
        what: format!("shard {shard}"),
    })?;
    if window.from_time < leaf.not_before() {
        return Err(TransactionError::TooEarly {
            provided: leaf.not_before().0,
            now: window.from_time.0,
        });
    }
    let references = References::of(state, [anchor.utxo.clone()], &[Validator::Vault])?;
    let after = before.datum.after_paying(leaf)?;
    let left = held(&before.utxo).checked_sub(leaf.totals());
    let left = left.unwrap_or_default();
    let provided = left.of(&AssetId::Ada).to_u64().unwrap_or_default();
    if provided < RESERVE_LOVELACE {
        return Err(TransactionError::BelowReserve {
            shard,
            provided,
            minimum: RESERVE_LOVELACE,
        });
    }
    let pay = redeemer::pay(references.place(&anchor.utxo), leaf, path);
    let mut builder = TransactionBuilder::new(Change::single_at(submitter.clone(), 1))
        .available(state.funds.iter().cloned())
        .spend_with(before.utxo.clone(), pay)
        .valid_from(window.from)
        .valid_until(window.until)
        .pay(continued(before, &left, &after.to_data())?);
    for output in leaf.outputs() {
        let output = convert::client_output(output, bridge.network());
        builder = builder.pay(output.ok_or(TransactionError::Overflow)?);
    }
    Ok(references
        .0
        .into_iter()
        .fold(builder, TransactionBuilder::reference))
}
