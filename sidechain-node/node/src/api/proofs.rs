//! Records by themselves with all that shows them, so that the node need not be believed: machines, requests, leases, withdrawals, or that
//! there is none of an id.

use std::{convert::Infallible, sync::Arc};

use nupeer_ledger::StateRead;
use nupeer_primitives::{Hash, cbor};
use nupeer_runtime::RecordKind;
use serde_json::{Value, json};
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Api,
    error::{ApiError, internal},
    query::{bad, blocking, proven},
};
use crate::handle::NodeHandle;

/// `GET /v1/{machines,requests,leases,withdrawals}/{id}/proof`.
pub(super) fn routes(
    with: impl Filter<Extract = (Arc<Api>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    let of = |kind: RecordKind| move || kind;
    let one = |path: &'static str, kind: RecordKind| {
        warp::path("v1")
            .and(warp::path(path))
            .and(warp::path!(String / "proof"))
            .and(warp::get())
            .and(warp::any().map(of(kind)))
            .and(with.clone())
            .then(record)
            .boxed()
    };
    one("machines", RecordKind::Machine)
        .or(one("requests", RecordKind::Request))
        .unify()
        .or(one("leases", RecordKind::Lease))
        .unify()
        .or(one("withdrawals", RecordKind::Withdrawal))
        .unify()
        .boxed()
}

async fn record(id: String, kind: RecordKind, api: Arc<Api>) -> Response {
    blocking(api, move |node| shown(node, kind, &id)).await
}

/// The record's bytes, or null, and its leaf's proof under the last block.
fn shown(node: &NodeHandle, kind: RecordKind, id: &str) -> Result<Value, ApiError> {
    let id: Hash = id
        .parse()
        .map_err(|_| bad("an id has 64 hexadecimal digits"))?;
    let view = node.view().map_err(|e| internal(&e))?;
    let record = view.plain(&kind.plain_key(&id));
    let key = kind.leaf_key(&id);
    let (_, proven) = proven(node, &view, &key)?;
    view.healthy().map_err(|e| internal(&e))?;
    Ok(json!({
        "key": key.to_string(),
        "record_cbor": record.map(hex::encode),
        "proven_cbor": hex::encode(cbor::encode(&proven)),
        "height": proven.header.height.0,
    }))
}
