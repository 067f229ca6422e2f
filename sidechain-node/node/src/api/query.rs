//! Reading: status, genesis, blocks, accounts (with a proof where asked for), transactions, health and metrics.

use std::sync::Arc;

use nupeer_ledger::{Purse, sequence, view};
use nupeer_primitives::{AccountId, AssetId, Hash, Hash28, Height, cbor, consensus::Certificate};
use nupeer_runtime::{Block, Proven, SignedTransaction};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::{Reply, http::StatusCode, reply::Response};

use super::{
    Api,
    error::{ApiError, AskError, internal},
    json as form,
};
use crate::{
    clock,
    handle::{NodeHandle, TransactionStatus},
    store::{Location, View},
};

fn answer(result: Result<Value, ApiError>) -> Response {
    match result {
        Ok(value) => warp::reply::json(&value).into_response(),
        Err(error) => error.reply(),
    }
}

/// Runs a query beside the tasks of consensus and network: reading may wait for the disk.
pub(super) async fn blocking(
    api: Arc<Api>,
    query: impl FnOnce(&NodeHandle) -> Result<Value, ApiError> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || query(&api.node)).await;
    answer(done.unwrap_or_else(|error| Err(internal(&error))))
}

/// `GET /v1/status`.
pub async fn status(api: Arc<Api>) -> Response {
    blocking(api, |node| {
        let status = node.status().map_err(|e| internal(&e))?;
        let tip = &status.tip;
        Ok(json!({
            "network": node.chain().name,
            "cardano_network": node.chain().cardano.to_string(),
            "genesis": node.chain().id.to_string(),
            "height": tip.height.0,
            "block_id": tip.id.to_string(),
            "time_unix_ms": tip.time.0,
            "state_root": tip.state_root().to_string(),
            "cardano": tip.cardano.map(|point| point.to_string()),
            "validators": node.chain().validators.len(),
            "mempool": { "transactions": status.pending, "bytes": status.pending_bytes },
            "halted": status.halted,
            "cardano_view": {
                "connected": status.cardano.connected,
                "tip": status.cardano.tip.map(|point| point.to_string()),
                "node_tip_slot": status.cardano.node_tip_slot.map(|slot| slot.0),
                "error": status.cardano.error,
                "halted": status.cardano.halted,
            },
            "version": env!("CARGO_PKG_VERSION"),
        }))
    })
    .await
}

/// `GET /v1/genesis`: the file that made this chain. Its id is for the asker to compare.
pub async fn genesis(api: Arc<Api>) -> Response {
    match api.node.genesis().to_json() {
        Ok(text) => {
            warp::reply::with_header(text, "content-type", "application/json").into_response()
        }
        Err(error) => internal(&error).reply(),
    }
}

/// `GET /v1/blocks/{height}`, `latest` for the last one.
pub async fn block(height: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let height = match height.as_str() {
            "latest" => tip_height(node)?,
            digits => digits
                .parse()
                .map(Height)
                .map_err(|_| bad("a height is a number, or latest"))?,
        };
        let (block, certificate) = stored(node, height)?;
        let ids: Vec<String> = block
            .transactions
            .iter()
            .filter_map(|bytes| id_of(bytes, node))
            .collect();
        Ok(form::block(&block.header, &certificate, &ids))
    })
    .await
}

fn tip_height(node: &NodeHandle) -> Result<Height, ApiError> {
    Ok(node.status().map_err(|e| internal(&e))?.tip.height)
}

fn stored(node: &NodeHandle, height: Height) -> Result<(Block, Certificate), ApiError> {
    let block = node.block(height).map_err(|e| internal(&e))?;
    let certificate = node.certificate(height).map_err(|e| internal(&e))?;
    if let Some(both) = block.zip(certificate) {
        return Ok(both);
    }
    let (provided, last) = (height, tip_height(node)?);
    Err(AskError::NoBlock { provided, last }.into())
}

fn id_of(bytes: &[u8], node: &NodeHandle) -> Option<String> {
    let signed = SignedTransaction::from_bytes(bytes, node.chain()).ok()?;
    Some(signed.transaction.id().to_string())
}

/// A part of a question that does not read as what it is.
pub(super) fn bad(expected: impl Into<String>) -> ApiError {
    let expected = expected.into();
    AskError::Malformed { expected }.into()
}

/// What else is asked of an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountQuery {
    /// Hash of the key whose next sequence number is wanted; the account's own if absent.
    signer: Option<String>,
    /// An asset whose balance is to be proven: `ada`, or hexadecimal policy and name.
    prove: Option<String>,
}

/// `GET /v1/accounts/{address}`.
pub async fn account(address: String, query: AccountQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let account = AccountId::parse(&address, node.chain().cardano)
            .map_err(|e| ApiError::numbered(StatusCode::BAD_REQUEST, &e))?;
        let signer = match &query.signer {
            None => account.hash(),
            Some(text) => text
                .parse::<Hash28>()
                .map_err(|e| bad(format!("signer: {e}")))?,
        };
        let view = node.view().map_err(|e| internal(&e))?;
        let balances = view::balances(&view, &account);
        let balances: Vec<Value> = balances
            .iter()
            .map(|(asset, amount)| form::balance(asset, *amount))
            .collect();
        let keys: Vec<Value> = view::grants(&view, &account)
            .iter()
            .map(|(k, g)| form::grant(k, g))
            .collect();
        let next = sequence::next(&view, &account, &signer);
        let mut value = json!({
            "address": address,
            "height": view.tip().height.0,
            "balances": balances,
            "keys": keys,
            "signer": signer.to_string(),
            "sequence": next,
            "next_sequence": node.next_sequence(&account, &signer, next),
            "withdrawals": super::bridge::in_flight(node, &view, &account),
        });
        if let Some(asset) = &query.prove {
            value["proof"] = prove(node, &view, &account, asset)?;
        }
        Ok(value)
    })
    .await
}

/// The balance's leaf, its proof, and the header and certificate that it stands under.
fn prove(
    node: &NodeHandle,
    view: &View<'_>,
    account: &AccountId,
    asset: &str,
) -> Result<Value, ApiError> {
    let bytes = match asset {
        "ada" => Vec::new(),
        digits => hex::decode(digits).map_err(|e| bad(format!("prove: {e}")))?,
    };
    let asset = AssetId::from_bytes(&bytes).ok_or_else(|| bad("prove: ada, or policy and name"))?;
    let key = Purse::Account(*account).key(&asset);
    let (value, proven) = proven(node, view, &key)?;
    Ok(json!({
        "key": key.to_string(),
        "value": value.map(hex::encode),
        "state_proof_cbor": hex::encode(cbor::encode(&proven.state)),
        "header_cbor": hex::encode(cbor::encode(&proven.header)),
        "certificate_cbor": hex::encode(cbor::encode(&proven.certificate)),
    }))
}

/// A leaf's value and all that shows it, or that there is none, under the last block.
pub(super) fn proven(
    node: &NodeHandle,
    view: &View<'_>,
    key: &Hash,
) -> Result<(Option<Vec<u8>>, Proven), ApiError> {
    let height = view.tip().height;
    if height == Height(0) {
        return Err(AskError::NothingProven.into());
    }
    let (Block { header, .. }, certificate) = stored(node, height)?;
    let (value, state) = view.prove(key).map_err(|e| internal(&e))?;
    let proven = Proven {
        header,
        certificate,
        state,
    };
    Ok((value, proven))
}

/// `GET /v1/transactions/{id}`.
pub async fn transaction(id: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let id: Hash = id
            .parse()
            .map_err(|_| bad("an id has 64 hexadecimal digits"))?;
        let (word, mut value) = match node.transaction_status(&id).map_err(|e| internal(&e))? {
            TransactionStatus::Final(at) => ("final", executed(node, &at)?),
            TransactionStatus::Pending => ("pending", json!({})),
            TransactionStatus::Refused(refusal) => {
                let reason = json!({ "code": refusal.code.to_string(), "message": refusal.reason });
                ("refused", json!({ "reason": reason }))
            }
            TransactionStatus::Unknown => return Err(AskError::NoTransaction.into()),
        };
        value["id"] = id.to_string().into();
        value["status"] = word.into();
        Ok(value)
    })
    .await
}

/// Where a transaction was executed, who acted by which key, what was signed, what it was charged then, and what it did.
fn executed(node: &NodeHandle, at: &Location) -> Result<Value, ApiError> {
    let (signed, events) = node.executed(at).map_err(|e| internal(&e))?;
    let (transaction, network) = (&signed.transaction, node.chain().cardano);
    let sender = &transaction.sender;
    let events = events.iter().map(|event| form::event(event, network));
    Ok(json!({
        "height": at.height.0,
        "index": at.index,
        "account": sender.account.to_bech32(network),
        "signer": sender.key.to_string(),
        "text": transaction.text(node.chain()),
        "fee_lovelace": at.fee.to_string(),
        "events": events.collect::<Vec<_>>(),
    }))
}

/// `GET /healthz`: 200 while blocks are decided, 503 once none was for too long, or while consensus or the bridge waits for an operator.
pub async fn health(api: Arc<Api>) -> Response {
    let unwell_after_ms = u64::try_from(api.unwell_after.as_millis()).unwrap_or(u64::MAX);
    let status = match tokio::task::spawn_blocking(move || api.node.status()).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return internal(&error).reply(),
        Err(error) => return internal(&error).reply(),
    };
    let age_ms = status.tip.time.until(clock::Clock::system().now());
    let halted = status.halted.or(status.cardano.halted);
    let well = age_ms < unwell_after_ms && halted.is_none();
    let code = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "healthy": well, "last_block_age_ms": age_ms, "halted": halted });
    warp::reply::with_status(warp::reply::json(&body), code).into_response()
}

/// `GET /metrics`, in Prometheus' text format.
pub async fn metrics(api: Arc<Api>) -> Response {
    match tokio::task::spawn_blocking(move || api.node.status()).await {
        Ok(Ok(status)) => {
            let text = crate::metrics::text(&status, clock::Clock::system().now());
            warp::reply::with_header(text, "content-type", "text/plain; version=0.0.4")
                .into_response()
        }
        Ok(Err(error)) => internal(&error).reply(),
        Err(error) => internal(&error).reply(),
    }
}
