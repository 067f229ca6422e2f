//! The node's HTTP interface: reading, submitting, following. `openapi.json` describes it and a test compares the two.
//!
//! Everything here is answered from one [`View`](crate::store::View), so that an answer never mixes two heights. What a
//! stranger sends is limited in size ([`limits`]), rate and page; what a stranger takes (connections, streams, time) by `nupeer-serve`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use nupeer_primitives::Hash;
use nupeer_serve::{Limits, Shares};
use tokio::net::TcpListener;
use warp::{Filter, Rejection, Reply, filters::BoxedFilter};

pub mod bridge;
pub mod error;
pub mod events;
pub mod json;
pub mod limits;
pub mod market;
mod proofs;
pub mod query;
pub mod submit;

pub use limits::Rate;

use error::{ApiError, AskError};
use limits::RateLimit;

use crate::handle::NodeHandle;

/// The interface's description, served as it stands here.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Connections that a node has at a time, where it may have that many files open.
const CONNECTIONS_MAX: usize = 512;

/// Blocks that may fail to come before a node calls itself unwell.
const UNWELL_AFTER_BLOCKS: u32 = 10;

/// What every answer is made from.
pub struct Api {
    node: NodeHandle,
    streams: Arc<Shares>,
    unwell_after: Duration,
    /// The last audit of the books, with the block that it is of.
    audit: Arc<Mutex<Option<(Hash, serde_json::Value)>>>,
}

/// Serves the interface of `node` on `listener` until `shutdown` completes. `block_target` says when blocks are missing.
pub async fn serve(
    node: NodeHandle,
    block_target: Duration,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    serve_within(node, block_target, Rate::default(), listener, shutdown).await;
}

/// As [`serve`], for addresses that may ask as often as `rate` says.
pub async fn serve_within(
    node: NodeHandle,
    block_target: Duration,
    rate: Rate,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let limits = Limits::new(CONNECTIONS_MAX);
    let streams = Arc::new(events::shares(&limits));
    let unwell_after = block_target
        .saturating_mul(UNWELL_AFTER_BLOCKS)
        .max(Duration::from_secs(10));
    let api = Api {
        node,
        streams,
        unwell_after,
        audit: Arc::default(),
    };
    let routes = routes(Arc::new(api), rate);
    nupeer_serve::serve(routes, listener, limits, shutdown).await;
}

fn routes(
    node: Arc<Api>,
    rate: Rate,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let limit = Arc::new(RateLimit::new(rate));
    let limited = nupeer_serve::peer()
        .and_then(move |from: Option<SocketAddr>| {
            let limit = limit.clone();
            async move { limit.take(from.map(|a| a.ip())).map_err(Rejection::from) }
        })
        .untuple_one();
    let with = {
        let node = node.clone();
        warp::any().map(move || node.clone())
    };
    let v1 = warp::path("v1");
    let status = v1
        .and(warp::path!("status"))
        .and(warp::get())
        .and(with.clone())
        .then(query::status);
    let genesis = v1
        .and(warp::path!("genesis"))
        .and(warp::get())
        .and(with.clone())
        .then(query::genesis);
    let block = v1
        .and(warp::path!("blocks" / String))
        .and(warp::get())
        .and(with.clone())
        .then(query::block);
    let account = v1
        .and(warp::path!("accounts" / String))
        .and(warp::get())
        .and(warp::query::<query::AccountQuery>())
        .and(with.clone())
        .then(query::account);
    let transaction = v1
        .and(warp::path!("transactions" / String))
        .and(warp::get())
        .and(with.clone())
        .then(query::transaction);
    let submit = v1
        .and(warp::path!("transactions"))
        .and(warp::post())
        .and(warp::body::content_length_limit(limits::BODY_BYTES_MAX))
        .and(warp::body::bytes())
        .and(with.clone())
        .then(submit::submit);
    let check = v1
        .and(warp::path!("transactions" / "check"))
        .and(warp::post())
        .and(warp::body::content_length_limit(limits::BODY_BYTES_MAX))
        .and(warp::body::bytes())
        .and(with.clone())
        .then(submit::check);
    let events = v1
        .and(warp::path!("events"))
        .and(warp::get())
        .and(warp::query::<events::EventsQuery>())
        .and(warp::header::optional::<u64>("last-event-id"))
        .and(nupeer_serve::peer())
        .and(with.clone())
        .then(events::stream);
    let market = market_routes(with.clone());
    let bridge = bridge::routes(with.clone());
    let proofs = proofs::routes(with.clone());
    let health = warp::path!("healthz")
        .and(warp::get())
        .and(with.clone())
        .then(query::health);
    let metrics = warp::path!("metrics")
        .and(warp::get())
        .and(with)
        .then(query::metrics);
    let openapi = warp::path!("openapi.json").and(warp::get()).map(|| {
        warp::reply::with_header(OPENAPI, "content-type", "application/json").into_response()
    });
    let answers = status
        .or(genesis)
        .unify()
        .or(block)
        .unify()
        .or(account)
        .unify()
        .or(transaction)
        .unify()
        .or(submit)
        .unify()
        .or(check)
        .unify()
        .or(events)
        .unify()
        .or(market)
        .unify()
        .or(bridge)
        .unify()
        .or(proofs)
        .unify();
    let free = health.or(metrics).unify().or(openapi).unify();
    limited.and(answers).or(free).unify().recover(refuse)
}

/// What is asked of the market.
fn market_routes(
    with: impl Filter<Extract = (Arc<Api>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> BoxedFilter<(warp::reply::Response,)> {
    let v1 = warp::path("v1");
    let list = || warp::get().and(warp::query::<market::ListQuery>());
    let machines = v1
        .and(warp::path!("machines"))
        .and(list())
        .and(with.clone())
        .then(market::machines);
    let machine = v1
        .and(warp::path!("machines" / String))
        .and(warp::get())
        .and(with.clone())
        .then(market::machine);
    let requests = v1
        .and(warp::path!("requests"))
        .and(list())
        .and(with.clone())
        .then(market::requests);
    let request = v1
        .and(warp::path!("requests" / String))
        .and(warp::get())
        .and(with.clone())
        .then(market::request);
    let leases = v1
        .and(warp::path!("leases"))
        .and(list())
        .and(with.clone())
        .then(market::leases);
    let lease = v1
        .and(warp::path!("leases" / String))
        .and(warp::get())
        .and(with.clone())
        .then(market::lease);
    let offers = v1
        .and(warp::path!("offers"))
        .and(list())
        .and(with.clone())
        .then(market::offers);
    let post_offer = v1
        .and(warp::path!("offers"))
        .and(warp::post())
        .and(warp::body::content_length_limit(limits::BODY_BYTES_MAX))
        .and(warp::body::bytes())
        .and(with)
        .then(market::post_offer);
    machines
        .or(machine)
        .unify()
        .or(requests)
        .unify()
        .or(request)
        .unify()
        .or(leases)
        .unify()
        .or(lease)
        .unify()
        .or(offers)
        .unify()
        .or(post_offer)
        .unify()
        .boxed()
}

/// What no route took: the wrong path or method, a body that is too long, a query that does not parse.
async fn refuse(rejection: Rejection) -> Result<warp::reply::Response, Infallible> {
    if let Some(error) = rejection.find::<ApiError>() {
        return Ok(error.reply());
    }
    let error = if rejection.find::<warp::reject::PayloadTooLarge>().is_some() {
        let maximum = limits::BODY_BYTES_MAX;
        AskError::TooLong { maximum }
    } else if rejection.find::<warp::reject::LengthRequired>().is_some() {
        AskError::NoLength
    } else if rejection.find::<warp::reject::InvalidQuery>().is_some() {
        AskError::Query
    } else if rejection.find::<warp::reject::InvalidHeader>().is_some() {
        AskError::LastEventId
    } else if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        AskError::Method
    } else {
        AskError::NoPath
    };
    Ok(ApiError::from(error).reply())
}
