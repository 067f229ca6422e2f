//! Usage notes: the agent's word, and the tenant's for it.

use std::sync::Arc;

use nupeer_lease::usage::USAGE_BYTES_MAX;
use nupeer_lease::{ProviderNote, SignedUsage, Usage};
use nupeer_primitives::cbor;
use serde_json::json;
use warp::Reply;
use warp::reply::Response;

use super::lease::metering;
use super::{Admitted, Api, ApiError, Asked, Body, blocking, body};
use crate::metering::Counters;
use crate::records::{RecordError, hold};
use crate::site::Site;

/// `GET /v1/leases/{id}/usage`.
pub(super) async fn note(asked: Asked, api: Arc<Api>) -> Result<Response, ApiError> {
    let admitted = api.admit(&asked).await?;
    blocking(move || {
        let offered = offer(&api.site, &admitted)?;
        let note = offered.map(|(usage, counters)| signed(&api.site, usage, &counters));
        // Nothing where there is nothing to sign yet.
        let bytes = note.map(|note| note.to_bytes()).unwrap_or_default();
        let answer = warp::http::Response::builder()
            .header("content-type", "application/cbor")
            .body(bytes);
        Ok(answer.into_response())
    })
    .await
}

/// What the note says, on disk before anybody signs it.
fn offer(site: &Site, admitted: &Admitted) -> Result<Option<(Usage, Counters)>, RecordError> {
    let (id, lease) = (&admitted.id, &admitted.lease);
    // Before the record is held: reading them takes a moment.
    let counters = site.counters(id);
    let record = site.records.of(id)?;
    let mut record = hold(&record);
    record.check_meter()?;
    let before = record.meter.offered;
    let clock_ms = lease.clock_ms(admitted.time);
    let usage = record.meter.offer(id, clock_ms, lease.metered_ms, counters);
    let is_news = record.meter.offered != before;
    record.save_meter_if(is_news)?;
    Ok(usage.zip(record.meter.offered))
}

fn signed(site: &Site, usage: Usage, counters: &Counters) -> ProviderNote {
    ProviderNote {
        usage,
        operator: site.operator.public(),
        operator_signature: site.operator.sign(&usage.signing_hash(&site.chain_id)),
        counters: cbor::encode(counters).into(),
    }
}

/// `POST /v1/leases/{id}/usage`.
pub(super) async fn sign(
    asked: Asked,
    body: impl Body,
    api: Arc<Api>,
) -> Result<Response, ApiError> {
    let admitted = api.admit(&asked).await?;
    let bounds = asked.bounds(&api.site, USAGE_BYTES_MAX as u64);
    let (bytes, hash) = body::to_bytes(body, bounds).await?;
    // Not remembered: a note counts once, since the next must say more.
    admitted.signed.request.check_body(&hash)?;
    blocking(move || {
        let signed = SignedUsage::from_bytes(&bytes)?;
        check(&api.site, &admitted, &signed)?;
        keep(&api.site, &admitted, &signed)?;
        api.site.wake.notify_one();
        let mut value = json!({});
        metering(&api.site, &admitted.id, &mut value);
        Ok(warp::reply::json(&value).into_response())
    })
    .await
}

/// Everything that the chain will check, except the time, which the agent's own signature vouches for.
fn check(site: &Site, admitted: &Admitted, signed: &SignedUsage) -> Result<(), ApiError> {
    let hash = signed.usage.signing_hash(&site.chain_id);
    let ours = signed.usage.lease == admitted.id
        && signed.operator == site.operator.public()
        && signed
            .operator
            .verifies(&hash.0, &signed.operator_signature);
    if !ours {
        return Err(ApiError::NotOurNote);
    }
    site.gate.admit(
        site.chain.as_ref(),
        &admitted.lease,
        &signed.tenant_key,
        admitted.time,
    )?;
    if !signed
        .tenant_key
        .verifies(&hash.0, &signed.tenant_signature)
    {
        return Err(ApiError::NotCounterSigned);
    }
    Ok(())
}

fn keep(site: &Site, admitted: &Admitted, signed: &SignedUsage) -> Result<(), ApiError> {
    let record = site.records.of(&admitted.id)?;
    let mut record = hold(&record);
    record.check_meter()?;
    let (provided_ms, signed_ms) = (signed.usage.metered_ms, record.meter.acked_ms);
    if provided_ms <= signed_ms {
        return Err(ApiError::Backwards {
            provided_ms,
            signed_ms,
        });
    }
    let before = record.meter.clone();
    record.meter.acked_ms = provided_ms;
    record.meter.acked = Some(hex::encode(signed.to_bytes()));
    if let Err(error) = record.save_meter() {
        record.meter = before;
        return Err(error.into());
    }
    Ok(())
}
