//! Publishing an anchor that the committee certified.

use nupeer_cardano_client::{
    Output, ProtocolParameters, TransactionBuilder, Value,
    builder::{Change, minimum_lovelace},
};
use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{
    Anchor, BridgeId, Head, OutputReference,
    certificate::{Certificate, Kind, Statement},
};
use nupeer_primitives::AssetId;
use pallas_addresses::Address;

use super::{References, TransactionError, Window, continued};
use crate::{Bridge, CardanoState, state::held};

/// What the committee signs for this anchor, which spends that head.
pub fn statement(
    network_magic: u32,
    bridge_id: BridgeId,
    epoch: u64,
    head: OutputReference,
    anchor: &Anchor,
) -> Statement {
    Statement {
        network_magic,
        bridge_id,
        epoch,
        kind: Kind::Anchor,
        spent: head,
        body_hash: anchor.body_hash(),
    }
}

/// Outputs: head, anchor, change. Mints the anchor's token.
pub fn build(
    bridge: &Bridge,
    state: &CardanoState,
    submitter: &Address,
    anchor: &Anchor,
    certificate: &Certificate,
    window: &Window,
    parameters: &ProtocolParameters,
) -> Result<TransactionBuilder, TransactionError> {
    let committee = &state.committee.utxo;
    let references = References::of(state, [committee.clone()], &[Validator::Head])?;
    let next = Head {
        last_anchor_seq: anchor.seq,
        last_anchor_time: window.until_time,
    };
    let head = continued(&state.head, &held(&state.head.utxo), &next.to_data())?;
    let token = Value::default().with(bridge.scripts.anchor_token(), 1);
    let mut published =
        Output::new(bridge.address(Validator::Anchor), token).with_inline_datum(&anchor.to_data());
    let lovelace = minimum_lovelace(&published, parameters)?;
    published.value.set(AssetId::Ada, lovelace);
    let anchored = redeemer::anchored(references.place(committee), certificate);
    let policy = bridge.scripts.hash(Validator::Head);
    let builder = TransactionBuilder::new(Change::to(submitter.clone()))
        .available(state.funds.iter().cloned())
        .spend_with(state.head.utxo.clone(), anchored)
        .mint(policy, [(Vec::new(), 1)], redeemer::anchor_mint())
        .valid_from(window.from)
        .valid_until(window.until)
        .pay(head)
        .pay(published);
    Ok(references
        .0
        .into_iter()
        .fold(builder, TransactionBuilder::reference))
}
