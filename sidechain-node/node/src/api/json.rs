//! The JSON of answers: amounts as strings of base units (supplies exceed 2^53), hashes as hexadecimal, accounts as bech32.

use nupeer_ledger::{Event as LedgerEvent, Grant};
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, Hash28, cbor, consensus::Certificate};
use nupeer_runtime::{Event, Header};
use serde_json::{Value, json};

use crate::summary::BlockSummary;

pub mod bridge;
pub mod market;

/// A header and what decided it.
pub fn block(header: &Header, certificate: &Certificate, transactions: &[String]) -> Value {
    let signers: Vec<String> = certificate
        .signatures
        .iter()
        .map(|(id, _)| id.to_string())
        .collect();
    json!({
        "height": header.height.0,
        "id": header.id().to_string(),
        "time_unix_ms": header.time.0,
        "proposer": header.proposer.to_string(),
        "parent": header.parent.to_string(),
        "transaction_root": header.transaction_root.to_string(),
        "state_root": header.state_root.to_string(),
        "cardano": header.cardano.map(|point| point.to_string()),
        "observation_root": header.observation_root.to_string(),
        "validators": header.validators.to_string(),
        "transactions": transactions,
        "certificate": { "round": certificate.round, "signers": signers },
        "header_cbor": hex::encode(cbor::encode(header)),
        "certificate_cbor": hex::encode(cbor::encode(certificate)),
    })
}

/// A balance.
pub fn balance(asset: &AssetId, amount: Amount) -> Value {
    json!({ "asset": asset.to_string(), "fingerprint": asset.fingerprint(), "amount": amount.to_string() })
}

/// A granted key.
pub fn grant(key: &Hash28, grant: &Grant) -> Value {
    json!({
        "key": key.to_string(),
        "scope": grant.scope.text(),
        "budget_lovelace": grant.budget_lovelace.to_string(),
        "expires_unix_ms": grant.expires.0,
    })
}

/// A decided block as the stream tells of it.
pub fn summary(block: &BlockSummary, network: CardanoNetwork) -> Value {
    let transactions: Vec<Value> = block
        .transactions
        .iter()
        .map(|transaction| {
            let events: Vec<Value> = transaction
                .events
                .iter()
                .map(|e| event(e, network))
                .collect();
            json!({ "id": transaction.id.to_string(), "events": events })
        })
        .collect();
    json!({
        "height": block.height.0,
        "id": block.id.to_string(),
        "time_unix_ms": block.time.0,
        "proposer": block.proposer.to_string(),
        "state_root": block.state_root.to_string(),
        "cardano": block.cardano.map(|point| point.to_string()),
        "transactions": transactions,
        "events": block.events.iter().map(|e| event(e, network)).collect::<Vec<_>>(),
    })
}

/// Something that happened.
pub fn event(event: &Event, network: CardanoNetwork) -> Value {
    match event {
        Event::Ledger(LedgerEvent::Transferred {
            from,
            to,
            asset,
            amount,
        }) => json!({
            "kind": "transferred",
            "from": from.to_bech32(network),
            "to": to.to_bech32(network),
            "asset": asset.to_string(),
            "amount": amount.to_string(),
        }),
        Event::Ledger(LedgerEvent::KeyGranted { account, key }) => {
            json!({ "kind": "key_granted", "account": account.to_bech32(network), "key": key.to_string() })
        }
        Event::Ledger(LedgerEvent::KeyRevoked { account, key }) => {
            json!({ "kind": "key_revoked", "account": account.to_bech32(network), "key": key.to_string() })
        }
        Event::Lease(event) => market::event(event, network),
        Event::Bridge(event) => bridge::event(event, network),
    }
}
