//! What a tenant uploads, and what became of it.

use std::sync::Arc;

use nupeer_paas::{ContainerSpec, spec::SPEC_BYTES_MAX};
use nupeer_paas_drivers::WorkloadState;
use nupeer_paas_drivers::image::ImageDigest;
use serde_json::{Value, json};
use warp::Reply;
use warp::reply::Response;

use super::{Admitted, Api, ApiError, Asked, Body, blocking, body};
use crate::actual::workload_of;
use crate::agent::takes_uploads;
use crate::records::{RecordError, hold};
use crate::room::check_room;
use crate::site::{Site, numbered};

/// Where images lie while they come in.
pub(crate) const UPLOADS: &str = "uploads";

/// `GET /v1/status`: what anybody may know.
pub(super) async fn all(api: Arc<Api>) -> Response {
    let site = &api.site;
    let known = site.known();
    let leases: Vec<Value> = known
        .iter()
        .flat_map(|known| &known.leases)
        .filter(|(_, lease)| lease.state.is_open())
        .map(|(id, lease)| {
            let mut value = json!({ "id": id.to_string(), "state": lease.state.name() });
            value["workload"] = workload(site, id).into();
            metering(site, id, &mut value);
            value
        })
        .collect();
    let body = json!({
        "machine": site.machine.to_string(),
        "operator": site.operator.public().to_string(),
        "owner": site.config.owner,
        "height": known.as_ref().map(|known| known.height.0),
        "time_unix_ms": known.as_ref().map(|known| known.time.0),
        "offer_expires_unix_ms": hold(&site.offer).as_ref().map(|signed| signed.offer.expires.0),
        "leases": leases,
        "problem": site.problems(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    warp::reply::json(&body).into_response()
}

/// `GET /v1/leases/{id}`.
pub(super) async fn show(asked: Asked, api: Arc<Api>) -> Result<Response, ApiError> {
    let admitted = api.admit(&asked).await?;
    blocking(move || Ok(state(&api, &admitted))).await
}

/// `GET /v1/leases/{id}/logs?from=N`.
pub(super) async fn logs(asked: Asked, api: Arc<Api>) -> Result<Response, ApiError> {
    let from = from(asked.query.as_deref())?;
    let admitted = api.admit(&asked).await?;
    let chunk = blocking(move || {
        let workload = workload_of(&admitted.id)?;
        Ok(api.site.engine.logs(&workload, from)?)
    })
    .await?;
    let answer = warp::http::Response::builder()
        .header("content-type", "application/octet-stream")
        .header("nupeer-log-from", chunk.from)
        .header("nupeer-log-next", chunk.next)
        .body(chunk.bytes);
    Ok(answer.into_response())
}

fn from(query: Option<&str>) -> Result<u64, ApiError> {
    match query {
        None | Some("") => Ok(0),
        Some(query) => query
            .strip_prefix("from=")
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| ApiError::From {
                provided: query.chars().take(80).collect(),
            }),
    }
}

/// `PUT /v1/leases/{id}/manifest`.
pub(super) async fn manifest(
    asked: Asked,
    body: impl Body,
    api: Arc<Api>,
) -> Result<Response, ApiError> {
    let admitted = api.admit(&asked).await?;
    check_open(&admitted)?;
    let bounds = asked.bounds(&api.site, SPEC_BYTES_MAX as u64);
    let (bytes, hash) = body::to_bytes(body, bounds).await?;
    api.take(&admitted, &hash)?;
    blocking(move || {
        let spec = ContainerSpec::from_bytes(&bytes)?;
        spec.check_lease(&admitted.lease)?;
        let record = api.site.records.of(&admitted.id)?;
        hold(&record).set_manifest(spec)?;
        renewed(&api.site, &admitted.id);
        Ok(state(&api, &admitted))
    })
    .await
}

/// `PUT /v1/leases/{id}/image`.
pub(super) async fn image(
    asked: Asked,
    body: impl Body,
    api: Arc<Api>,
) -> Result<Response, ApiError> {
    let admitted = api.admit(&asked).await?;
    check_open(&admitted)?;
    let site = api.site.clone();
    let (uploads, tenant) = (&api.uploads, admitted.lease.tenant);
    let place = uploads.take(admitted.id, tenant, &site.config)?;
    if !is_kept(&site, &ImageDigest(admitted.lease.image.0)) {
        check_room(&site.config)?;
    }
    let bounds = asked.bounds(&site, site.config.image_bytes_max);
    let folder = site.config.data_folder.join(UPLOADS);
    let (scratch, hash) = body::to_file(body, bounds, &folder, &api.scratch_name()).await?;
    api.take(&admitted, &hash)?;
    blocking(move || {
        let _place = place;
        take_in(&site, &admitted, &scratch)?;
        renewed(&site, &admitted.id);
        Ok(state(&api, &admitted))
    })
    .await
}

/// What went wrong before was with something else: the loop looks at what there is now.
fn renewed(site: &Site, id: &nupeer_lease::LeaseId) {
    site.with_live(id, |live| live.problem = None);
    site.wake.notify_one();
}

fn take_in(site: &Site, admitted: &Admitted, scratch: &body::Scratch) -> Result<(), ApiError> {
    let failed = |source| {
        ApiError::Record(RecordError::Io {
            path: scratch.0.clone(),
            source,
        })
    };
    let mut file = std::fs::File::open(&scratch.0).map_err(failed)?;
    let digest = ImageDigest(admitted.lease.image.0);
    // Nobody removes it between its arrival and the note that a lease needs it.
    let _needed = site
        .images
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let was_kept = is_kept(site, &digest);
    site.engine.images().import(&mut file, &digest)?;
    fail::fail_point!("upload-imported");
    // Only now is it known what it takes. The loop removes what no lease needs.
    if !was_kept {
        check_room(&site.config)?;
    }
    let record = site.records.of(&admitted.id)?;
    Ok(hold(&record).set_image(digest)?)
}

/// Whether the image lies there for some lease already: then taking it in takes room for a moment alone.
fn is_kept(site: &Site, image: &ImageDigest) -> bool {
    site.records.images().contains(image) && site.engine.images().get(image).is_ok()
}

fn check_open(admitted: &Admitted) -> Result<(), ApiError> {
    if takes_uploads(&admitted.lease) {
        return Ok(());
    }
    Err(ApiError::Over {
        lease: admitted.id,
        state: admitted.lease.state.name(),
    })
}

/// What a tenant may know of the lease.
fn state(api: &Api, admitted: &Admitted) -> Response {
    let (site, id) = (&api.site, &admitted.id);
    let record = site.records.get(id);
    let (manifest, image, aside) = record.map_or((false, false, None), |record| {
        let record = hold(&record);
        let problems: Vec<String> = record.problems().iter().map(numbered).collect();
        let aside = (!problems.is_empty()).then(|| problems.join("; "));
        (record.manifest.is_some(), record.image.is_some(), aside)
    });
    let address = site.doors.address(id);
    let live = site.with_live(id, |live| live.clone());
    let exit = match live.workload {
        Some(WorkloadState::Exited { exit }) => Some(exit),
        _ => None,
    };
    let mut value = json!({
        "id": id.to_string(),
        "state": admitted.lease.state.name(),
        "workload": workload(site, id),
        "manifest": manifest,
        "image": image,
        "address": address.map(|address| format!("{}:{}", api.public_host(), address.port())),
        "problem": aside.or(live.problem),
        "exit": exit,
        "driver": site.engine.name(),
        "limits": workload_of(id).and_then(|workload| site.engine.limits(&workload)).ok(),
    });
    metering(site, id, &mut value);
    warp::reply::json(&value).into_response()
}

/// How the workload is, in a word.
fn workload(site: &Site, id: &nupeer_lease::LeaseId) -> Option<&'static str> {
    let live = hold(&site.live);
    Some(match live.get(id)?.workload? {
        WorkloadState::Prepared => "prepared",
        WorkloadState::Changing => "changing",
        WorkloadState::Running => "running",
        WorkloadState::Paused => "paused",
        WorkloadState::Exited { .. } => "exited",
        WorkloadState::Broken => "broken",
    })
}

/// Adds what ran and what is signed.
pub(super) fn metering(site: &Site, id: &nupeer_lease::LeaseId, value: &mut Value) {
    let Some((lease, time)) = site.lease(id) else {
        return;
    };
    let meter = site
        .records
        .get(id)
        .map(|record| hold(&record).meter.clone());
    let meter = meter.unwrap_or_default();
    let clock_ms = lease.clock_ms(time);
    value["metered_ms"] = meter.metered_ms(clock_ms).into();
    value["signed_ms"] = meter.acked_ms.into();
    value["unsigned_ms"] = meter.unsigned_ms(clock_ms, lease.metered_ms).into();
    value["settled_ms"] = lease.metered_ms.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_output_is_a_number() {
        assert_eq!(from(None).unwrap(), 0);
        assert_eq!(from(Some("from=17")).unwrap(), 17);
        for query in ["from=", "from=-1", "to=1", "from=1&from=2"] {
            assert!(matches!(from(Some(query)), Err(ApiError::From { .. })));
        }
    }
}
