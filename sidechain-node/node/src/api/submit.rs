//! `POST /v1/transactions`: a signed transaction in canonical CBOR, or its hexadecimal digits as text. `POST /v1/transactions/check` asks what would become
//! of it, and needs no signature.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use warp::{Reply, http::StatusCode};

use super::{
    Api,
    error::{ApiError, internal},
};
use crate::{intake::SubmitError, mempool::MempoolError};

/// Takes a transaction, or says why not. Submitting one again does no harm.
pub async fn submit(body: Bytes, api: Arc<Api>) -> warp::reply::Response {
    match api.node.submit(binary(body)).await {
        Ok(id) => {
            let body = json!({ "id": id.to_string(), "status": "pending" });
            warp::reply::with_status(warp::reply::json(&body), StatusCode::ACCEPTED).into_response()
        }
        Err(error) => refusal(&error).reply(),
    }
}

/// Says whether the next block would execute a transaction, or why not. Whatever stands in place of the signature is not looked at.
pub async fn check(body: Bytes, api: Arc<Api>) -> warp::reply::Response {
    match api.node.preview(binary(body)).await {
        Ok(id) => warp::reply::json(&json!({ "id": id.to_string(), "status": "accepted" }))
            .into_response(),
        Err(error) => refusal(&error).reply(),
    }
}

fn binary(body: Bytes) -> Bytes {
    from_hex(&body).unwrap_or(body)
}

/// Text that is nothing but hexadecimal digits; the canonical CBOR of a transaction never is, since it begins with 0x82.
fn from_hex(body: &[u8]) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?.trim();
    hex::decode(text)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .map(Bytes::from)
}

fn refusal(error: &SubmitError) -> ApiError {
    match error {
        SubmitError::Mempool(MempoolError::Full { .. } | MempoolError::AccountFull { .. }) => {
            ApiError::numbered(StatusCode::SERVICE_UNAVAILABLE, error)
                .next("try again in a few seconds")
        }
        SubmitError::Mempool(MempoolError::SequenceTaken { .. }) => {
            ApiError::numbered(StatusCode::CONFLICT, error).next("wait until that one is final")
        }
        SubmitError::Mempool(MempoolError::Refused(_)) => {
            ApiError::numbered(StatusCode::UNPROCESSABLE_ENTITY, error)
        }
        SubmitError::Store(error) => internal(error),
        SubmitError::Stopping => ApiError::numbered(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}
