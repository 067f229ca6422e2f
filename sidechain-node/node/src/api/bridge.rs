//! The bridge: at a glance, its anchors, deposits and withdrawals; and whether the books are in order.

use std::{convert::Infallible, sync::Arc};

use nupeer_bridge::{
    WithdrawalId,
    view::{self as bridge, PAGE_MAX},
};
use nupeer_ledger::{Pot, Purse, purse};
use nupeer_outbox::OutputReference;
use nupeer_primitives::{AccountId, Amount, Hash};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    Api,
    error::{ApiError, AskError, internal},
    json::bridge as form,
    query::{bad, blocking},
};
use crate::{handle::NodeHandle, store::View};

/// Entries of a page where nothing is asked for.
const PAGE: usize = 50;

/// Which page of a numbered list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberedQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// Which page of withdrawals, and whose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalsQuery {
    account: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// What is asked of the bridge.
pub(super) fn routes(
    with: impl Filter<Extract = (Arc<Api>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    let v1 = warp::path("v1");
    let get = || warp::get();
    let overview = v1
        .and(warp::path!("bridge"))
        .and(get())
        .and(with.clone())
        .then(overview);
    let anchor = v1
        .and(warp::path!("bridge" / "anchors" / String))
        .and(get())
        .and(with.clone())
        .then(anchor);
    let deposits = v1
        .and(warp::path!("bridge" / "deposits"))
        .and(get())
        .and(warp::query::<NumberedQuery>())
        .and(with.clone())
        .then(deposits);
    let deposit = v1
        .and(warp::path!("deposits" / String / String))
        .and(get())
        .and(with.clone())
        .then(deposit);
    let refused = v1
        .and(warp::path!("bridge" / "refused"))
        .and(get())
        .and(warp::query::<NumberedQuery>())
        .and(with.clone())
        .then(refused);
    let withdrawals = v1
        .and(warp::path!("withdrawals"))
        .and(get())
        .and(warp::query::<WithdrawalsQuery>())
        .and(with.clone())
        .then(withdrawals);
    let withdrawal = v1
        .and(warp::path!("withdrawals" / String))
        .and(get())
        .and(with.clone())
        .then(withdrawal);
    let invariants = v1
        .and(warp::path!("invariants"))
        .and(get())
        .and(with)
        .then(invariants);
    overview
        .or(anchor)
        .unify()
        .or(deposits)
        .unify()
        .or(deposit)
        .unify()
        .or(refused)
        .unify()
        .or(withdrawals)
        .unify()
        .or(withdrawal)
        .unify()
        .or(invariants)
        .unify()
        .boxed()
}

fn read<'n>(node: &'n NodeHandle) -> Result<View<'n>, ApiError> {
    node.view().map_err(|e| internal(&e))
}

/// The answer with the height that it stands at. What was read on a failed disk means nothing.
fn sound(view: &View<'_>, mut value: Value) -> Result<Value, ApiError> {
    view.healthy().map_err(|e| internal(&e))?;
    value["at_height"] = view.tip().height.0.into();
    value["at_time_unix_ms"] = view.tip().time.0.into();
    Ok(value)
}

fn no_bridge() -> ApiError {
    let error = nupeer_bridge::BridgeError::NoBridge;
    ApiError::numbered(StatusCode::NOT_FOUND, &error)
}

fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(AskError::Limit.into())
}

/// A page: its entries under `name`, and where the next one begins if this one is full.
fn page(name: &str, key: &str, limit: usize, entries: Vec<Value>) -> Value {
    let last = entries.last().filter(|_| entries.len() >= limit);
    let next = last.map(|entry| entry[key].clone());
    json!({ name: entries, "next": next })
}

/// `GET /v1/bridge`.
pub async fn overview(api: Arc<Api>) -> Response {
    blocking(api, |node| {
        let view = read(node)?;
        let bridge = bridge::overview(&view).ok_or_else(no_bridge)?;
        let mut value = form::overview(&bridge);
        let rows = bridge::solvency(&view);
        let rows = rows.iter().map(|row| {
            let pots = [Pot::Fees, Pot::Protocol]
                .map(|pot| purse::balance(&view, &Purse::Pot(pot), &row.asset));
            let pots = pots.iter().fold(Amount::ZERO, |sum, pot| {
                sum.checked_add(*pot).unwrap_or(sum)
            });
            let totals = bridge.totals.get(&row.asset).copied().unwrap_or_default();
            form::totals(&view, row, &totals, pots)
        });
        value["totals"] = rows.collect();
        sound(&view, value)
    })
    .await
}

/// `GET /v1/bridge/anchors/{seq}`.
pub async fn anchor(seq: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let seq: u64 = seq
            .parse()
            .map_err(|_| bad("an anchor's seq is a number"))?;
        let view = read(node)?;
        let kept = nupeer_bridge::anchor::KEPT;
        let missing = || AskError::NoAnchor { seq, kept };
        let anchor = bridge::anchor(&view, seq).ok_or_else(missing)?;
        sound(&view, form::anchor(&anchor))
    })
    .await
}

/// `GET /v1/bridge/deposits?after=&limit=`.
pub async fn deposits(query: NumberedQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (network, view, limit) = (node.chain().cardano, read(node)?, limit(query.limit)?);
        let deposits = bridge::deposits(&view, query.after, limit);
        let entries = deposits.iter().map(|(i, d)| form::deposit(*i, d, network));
        sound(&view, page("deposits", "index", limit, entries.collect()))
    })
    .await
}

/// `GET /v1/bridge/refused?after=&limit=`.
pub async fn refused(query: NumberedQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (view, limit) = (read(node)?, limit(query.limit)?);
        let refused = bridge::refused(&view, query.after, limit);
        let entries = refused.iter().map(|(i, r)| form::refused(*i, r));
        sound(&view, page("refused", "index", limit, entries.collect()))
    })
    .await
}

/// `GET /v1/deposits/{transaction}/{index}`: what became of the deposit in one output.
pub async fn deposit(transaction: String, index: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (network, view) = (node.chain().cardano, read(node)?);
        let output = OutputReference {
            transaction_id: transaction
                .parse()
                .map_err(|_| bad("a transaction id has 64 hexadecimal digits"))?,
            index: index
                .parse()
                .map_err(|_| bad("an output's index is a number"))?,
        };
        nupeer_bridge::Status::load(&view).ok_or_else(no_bridge)?;
        let settled = bridge::settled(&view, &output);
        let depth = match &settled {
            Some(_) => None,
            None => node.deposit_depth(view.tip().cardano, &output),
        };
        let mut value = form::deposit_status(&output, settled.as_ref(), depth, network);
        let depth_needed = node
            .chain()
            .follows
            .map(|cardano| cardano.security_parameter);
        value["depth_needed"] = depth_needed.into();
        value["cardano"] = view.tip().cardano.map(|point| point.to_string()).into();
        sound(&view, value)
    })
    .await
}

fn withdrawal_id(what: &str, text: &str) -> Result<WithdrawalId, ApiError> {
    let id = text.parse::<Hash>().map(WithdrawalId);
    id.map_err(|_| bad(format!("{what}: an id has 64 hexadecimal digits")))
}

/// `GET /v1/withdrawals?account=&after=&limit=`.
pub async fn withdrawals(query: WithdrawalsQuery, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (network, view, limit) = (node.chain().cardano, read(node)?, limit(query.limit)?);
        let account = query.account.as_deref();
        let account = account
            .map(|text| AccountId::parse(text, network))
            .transpose();
        let account =
            account.map_err(|error| ApiError::numbered(StatusCode::BAD_REQUEST, &error))?;
        let after = query.after.as_deref();
        let after = after.map(|text| withdrawal_id("after", text)).transpose()?;
        let rows = bridge::withdrawals(&view, account.as_ref(), after.as_ref(), limit);
        let entries = rows.iter().map(|(id, w)| form::withdrawal(id, w, network));
        sound(&view, page("withdrawals", "id", limit, entries.collect()))
    })
    .await
}

/// `GET /v1/withdrawals/{id}`.
pub async fn withdrawal(text: String, api: Arc<Api>) -> Response {
    blocking(api, move |node| {
        let (id, view) = (withdrawal_id("withdrawal", &text)?, read(node)?);
        let missing = || AskError::NoWithdrawal { id: id.0 };
        let withdrawal = bridge::withdrawal(&view, &id).ok_or_else(missing)?;
        sound(
            &view,
            form::withdrawal(&id, &withdrawal, node.chain().cardano),
        )
    })
    .await
}

/// `GET /v1/invariants`: conservation by summing all purses, solvency, and what else must hold of what is open. Reads no past, but all that
/// is held, so that one is made at a time and kept until the next block.
pub async fn invariants(api: Arc<Api>) -> Response {
    let audit = api.audit.clone();
    blocking(api, move |node| {
        let view = read(node)?;
        let mut last = audit.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some((_, value)) = last.as_ref().filter(|(id, _)| *id == view.tip().id) {
            return Ok(value.clone());
        }
        let value = sound(&view, form::invariants(&view, view.tip().time))?;
        *last = Some((view.tip().id, value.clone()));
        Ok(value)
    })
    .await
}

/// An account's withdrawals that are not yet paid.
pub(super) fn in_flight(node: &NodeHandle, view: &View<'_>, account: &AccountId) -> Vec<Value> {
    let rows = bridge::in_flight(view, account);
    rows.iter()
        .map(|(id, w)| form::withdrawal(id, w, node.chain().cardano))
        .collect()
}
