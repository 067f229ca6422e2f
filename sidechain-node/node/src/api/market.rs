//! The market: machines, offers, requests, leases; and posting an offer.

use std::sync::Arc;

use bytes::Bytes;
use nupeer_lease::{LeaseId, MachineId, OfferId, view as market, view::PAGE_MAX};
use nupeer_primitives::{AccountId, CardanoNetwork, Hash};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::{Reply, http::StatusCode, reply::Response};

use super::{
    Api,
    error::{ApiError, AskError, internal},
    json::market as form,
    query::{bad, blocking},
};
use crate::{
    handle::NodeHandle,
    offers::OfferError,
    store::{StoreError, View},
};

/// Entries of a page where nothing is asked for.
const PAGE: usize = 50;

/// Which page, and of whose entries. Each listing takes the filters that it documents and refuses the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    after: Option<String>,
    limit: Option<usize>,
    owner: Option<String>,
    tenant: Option<String>,
    machine: Option<String>,
}

impl ListQuery {
    fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.limit.unwrap_or(PAGE);
        if (1..=PAGE_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(AskError::Limit.into())
    }

    fn after(&self) -> Result<Option<Hash>, ApiError> {
        self.after
            .as_deref()
            .map(|text| id("after", text))
            .transpose()
    }

    fn machine(&self) -> Result<Option<MachineId>, ApiError> {
        let machine = self.machine.as_deref();
        let machine = machine.map(|text| id("machine", text)).transpose()?;
        Ok(machine.map(MachineId))
    }

    /// Refuses filters that a listing does not have.
    fn only(&self, allowed: &[&str]) -> Result<(), ApiError> {
        for (name, given) in [
            ("owner", &self.owner),
            ("tenant", &self.tenant),
            ("machine", &self.machine),
        ] {
            if given.is_some() && !allowed.contains(&name) {
                return Err(bad(format!("{name}: this listing has no such filter")));
            }
        }
        Ok(())
    }
}

fn id(what: &str, text: &str) -> Result<Hash, ApiError> {
    text.parse()
        .map_err(|_| bad(format!("{what}: an id has 64 hexadecimal digits")))
}

fn account(text: Option<&String>, network: CardanoNetwork) -> Result<Option<AccountId>, ApiError> {
    let parse = |text: &String| AccountId::parse(text, network);
    text.map(parse)
        .transpose()
        .map_err(|error| ApiError::numbered(StatusCode::BAD_REQUEST, &error))
}

/// A page: its entries under `name`, and where the next one begins if this one is full.
fn page(view: &View<'_>, name: &str, limit: usize, entries: Vec<Value>) -> Value {
    let last = entries.last().filter(|_| entries.len() >= limit);
    let next = last.map(|entry| entry["id"].clone());
    let tip = view.tip();
    json!({
        "height": tip.height.0,
        "time_unix_ms": tip.time.0,
        name: entries,
        "next": next,
    })
}

/// An entry by itself, with the height and time it stands at.
fn single(view: &View<'_>, mut entry: Value) -> Value {
    entry["height"] = view.tip().height.0.into();
    entry["time_unix_ms"] = view.tip().time.0.into();
    entry
}

fn read<'n>(node: &'n NodeHandle) -> Result<View<'n>, ApiError> {
    node.view().map_err(|e| internal(&e))
}

/// What was read on a failed disk means nothing.
fn sound(view: &View<'_>, value: Value) -> Result<Value, ApiError> {
    view.healthy().map_err(|e: StoreError| internal(&e))?;
    Ok(value)
}

fn missing(what: &'static str, id: &Hash) -> ApiError {
    AskError::NoRecord { what, id: *id }.into()
}

/// `GET /v1/machines?owner=`.
pub async fn machines(query: ListQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        query.only(&["owner"])?;
        let (network, view) = (node.chain().cardano, read(node)?);
        let (after, limit) = (query.after()?.map(MachineId), query.limit()?);
        let machines = match account(query.owner.as_ref(), network)? {
            Some(owner) => market::machines_of(&view, &owner, after, limit),
            None => market::machines(&view, after, limit),
        };
        let entries = machines.iter().map(|(id, m)| form::machine(id, m, network));
        let entries = entries.collect();
        sound(&view, page(&view, "machines", limit, entries))
    })
    .await
}

/// `GET /v1/machines/{id}`.
pub async fn machine(text: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (id, view) = (id("machine", &text)?, read(node)?);
        let machine = market::machine(&view, &MachineId(id));
        view.healthy().map_err(|e| internal(&e))?;
        let machine = machine.ok_or_else(|| missing("machine", &id))?;
        let entry = form::machine(&MachineId(id), &machine, node.chain().cardano);
        Ok(single(&view, entry))
    })
    .await
}

/// `GET /v1/requests?tenant=`: a tenant's, or those that stand open.
pub async fn requests(query: ListQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        query.only(&["tenant"])?;
        let (network, view) = (node.chain().cardano, read(node)?);
        let (after, limit) = (query.after()?.map(LeaseId), query.limit()?);
        let requests = match account(query.tenant.as_ref(), network)? {
            Some(tenant) => market::requests_of(&view, &tenant, after, limit),
            None => market::requests_open(&view, after, limit),
        };
        let entries = requests.iter().map(|(id, r)| form::request(id, r, network));
        let entries = entries.collect();
        sound(&view, page(&view, "requests", limit, entries))
    })
    .await
}

/// `GET /v1/requests/{id}`.
pub async fn request(text: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (id, view) = (id("request", &text)?, read(node)?);
        let request = market::request(&view, &LeaseId(id));
        view.healthy().map_err(|e| internal(&e))?;
        let request = request.ok_or_else(|| missing("request", &id))?;
        let entry = form::request(&LeaseId(id), &request, node.chain().cardano);
        Ok(single(&view, entry))
    })
    .await
}

/// `GET /v1/leases?tenant=` or `?machine=`.
pub async fn leases(query: ListQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        query.only(&["tenant", "machine"])?;
        let (network, view) = (node.chain().cardano, read(node)?);
        let (after, limit) = (query.after()?.map(LeaseId), query.limit()?);
        let tenant = account(query.tenant.as_ref(), network)?;
        let leases = match (tenant, query.machine()?) {
            (Some(_), Some(_)) => return Err(bad("tenant and machine: one filter at a time")),
            (Some(tenant), None) => market::leases_of(&view, &tenant, after, limit),
            (None, Some(machine)) => market::leases_on(&view, &machine, after, limit),
            (None, None) => market::leases(&view, after, limit),
        };
        let entries = leases
            .iter()
            .map(|(id, l)| lease_entry(&view, id, l, network));
        let entries = entries.collect();
        sound(&view, page(&view, "leases", limit, entries))
    })
    .await
}

/// `GET /v1/leases/{id}`.
pub async fn lease(text: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (id, view) = (id("lease", &text)?, read(node)?);
        let lease = market::lease(&view, &LeaseId(id));
        view.healthy().map_err(|e| internal(&e))?;
        let lease = lease.ok_or_else(|| missing("lease", &id))?;
        let entry = lease_entry(&view, &LeaseId(id), &lease, node.chain().cardano);
        Ok(single(&view, entry))
    })
    .await
}

fn lease_entry(
    view: &View<'_>,
    id: &LeaseId,
    lease: &nupeer_lease::Lease,
    network: CardanoNetwork,
) -> Value {
    let machine = market::machine(view, &lease.machine);
    let endpoint = machine.as_ref().map(|m| m.terms.endpoint.as_str());
    form::lease(id, lease, endpoint, view.tip().time, network)
}

/// `GET /v1/offers?machine=`.
pub async fn offers(query: ListQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        query.only(&["machine"])?;
        let (chain, view) = (node.chain(), read(node)?);
        let (after, limit) = (query.after()?.map(OfferId), query.limit()?);
        let machine = query.machine()?;
        let offers = node.offers();
        let offers = offers.list(&view, machine.as_ref(), after.as_ref(), limit);
        let entries = offers
            .iter()
            .map(|(_, o)| form::offer(&chain.id, o, chain.cardano));
        let entries = entries.collect();
        sound(&view, page(&view, "offers", limit, entries))
    })
    .await
}

/// `POST /v1/offers`: a signed offer in canonical CBOR. Doing so again does no harm.
pub async fn post_offer(body: Bytes, api: Arc<Api>) -> Response {
    match api.node.submit_offer(body).await {
        Ok(id) => {
            let body = json!({ "id": id.to_string() });
            warp::reply::with_status(warp::reply::json(&body), StatusCode::ACCEPTED).into_response()
        }
        Err(error) => refusal(&error).reply(),
    }
}

fn refusal(error: &OfferError) -> ApiError {
    match error {
        OfferError::Store(error) => internal(error),
        OfferError::Full | OfferError::Stopping => {
            ApiError::numbered(StatusCode::SERVICE_UNAVAILABLE, error)
                .next("offer it to another node")
        }
        OfferError::Encoding(_)
        | OfferError::Lease(_)
        | OfferError::NotLive { .. }
        | OfferError::Older { .. } => ApiError::numbered(StatusCode::UNPROCESSABLE_ENTITY, error),
    }
}
