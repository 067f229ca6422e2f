//! What tenants ask of the agent, over HTTP: uploads, logs, usage, where their port is. The README lists it.
//!
//! A request about a lease is signed, and refused before its body is read if the signature or the signer is wrong.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::Stream;
use nupeer_lease::agent_request::{HEADER, SignedAgentRequest};
use nupeer_lease::{Lease, LeaseId};
use nupeer_primitives::{Hash, TimeMs};
use nupeer_serve::Limits;
use tokio::net::TcpListener;
use warp::http::Method;
use warp::reply::Response;
use warp::{Buf, Filter, Rejection, Reply};

mod body;
mod error;
mod lease;
mod uploads;
mod usage;

pub use error::ApiError;

use crate::auth::AuthError;
use crate::site::Site;

/// Connections that an agent has at a time, where it may have that many files open: proxies and containers need some, too.
const CONNECTIONS_MAX: usize = 128;

/// What the server waits for a body beyond the time in which an upload must end by itself.
const UPLOAD_GRACE: Duration = Duration::from_secs(10);

/// What every answer is made from.
pub struct Api {
    site: Arc<Site>,
    uploads: Arc<uploads::Uploads>,
    scratch: AtomicU64,
}

/// A request as it came, its body unread.
#[derive(Clone, Debug)]
struct Asked {
    id: String,
    method: Method,
    path: String,
    query: Option<String>,
    header: Option<String>,
    length: Option<u64>,
}

/// A request of somebody who may ask it.
struct Admitted {
    id: LeaseId,
    lease: Lease,
    /// Block time of what is known of the lease.
    time: TimeMs,
    now: TimeMs,
    signed: SignedAgentRequest,
}

/// Serves `site` on `listener` until `shutdown` completes.
pub async fn serve(
    site: Arc<Site>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let limits = Limits {
        // Uploads have bounds of their own, which come first ([`Asked::bounds`]).
        body_patience: Duration::from_millis(site.config.upload_ms_max)
            .saturating_add(UPLOAD_GRACE),
        ..Limits::new(CONNECTIONS_MAX)
    };
    let api = Arc::new(Api {
        site,
        uploads: Arc::default(),
        scratch: AtomicU64::new(0),
    });
    nupeer_serve::serve(routes(api), listener, limits, shutdown).await;
}

fn routes(api: Arc<Api>) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let with = warp::any().map(move || api.clone());
    let status = warp::path!("v1" / "status")
        .and(warp::get())
        .and(with.clone())
        .then(lease::all);
    let show = warp::path!("v1" / "leases" / String)
        .and(warp::get())
        .and(asked())
        .and(with.clone())
        .then(|id, asked: Asked, api| answer(lease::show(asked.of(id), api)));
    let logs = warp::path!("v1" / "leases" / String / "logs")
        .and(warp::get())
        .and(asked())
        .and(with.clone())
        .then(|id, asked: Asked, api| answer(lease::logs(asked.of(id), api)));
    let manifest = warp::path!("v1" / "leases" / String / "manifest")
        .and(warp::put())
        .and(asked())
        .and(warp::body::stream())
        .and(with.clone())
        .then(|id, asked: Asked, body, api| answer(lease::manifest(asked.of(id), body, api)));
    let image = warp::path!("v1" / "leases" / String / "image")
        .and(warp::put())
        .and(asked())
        .and(warp::body::stream())
        .and(with.clone())
        .then(|id, asked: Asked, body, api| answer(lease::image(asked.of(id), body, api)));
    let note = warp::path!("v1" / "leases" / String / "usage")
        .and(warp::get())
        .and(asked())
        .and(with.clone())
        .then(|id, asked: Asked, api| answer(usage::note(asked.of(id), api)));
    let sign = warp::path!("v1" / "leases" / String / "usage")
        .and(warp::post())
        .and(asked())
        .and(warp::body::stream())
        .and(with)
        .then(|id, asked: Asked, body, api| answer(usage::sign(asked.of(id), body, api)));
    let read = status.or(show).unify().or(logs).unify().or(note).unify();
    let write = manifest.or(image).unify().or(sign).unify();
    read.or(write).unify().recover(refuse)
}

async fn answer(done: impl Future<Output = Result<Response, ApiError>>) -> Response {
    done.await.unwrap_or_else(|error| error.reply())
}

/// What a signed request is checked by.
fn asked() -> impl Filter<Extract = (Asked,), Error = Rejection> + Clone {
    let query = warp::query::raw()
        .map(Some)
        .or(warp::any().map(|| None))
        .unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::optional::<String>(HEADER))
        .and(warp::header::optional::<u64>("content-length"))
        .map(
            |method, path: warp::path::FullPath, query, header, length| Asked {
                id: String::new(),
                method,
                path: path.as_str().to_owned(),
                query,
                header,
                length,
            },
        )
}

/// What no route took.
async fn refuse(rejection: Rejection) -> Result<Response, Infallible> {
    let wrong_method = rejection.find::<warp::reject::MethodNotAllowed>().is_some();
    let invalid = rejection.find::<warp::reject::InvalidHeader>().is_some();
    let error = match (invalid, wrong_method) {
        (true, _) => ApiError::Header,
        (false, true) => ApiError::Method,
        (false, false) => ApiError::NoPath,
    };
    Ok(error.reply())
}

impl Asked {
    fn of(self, id: String) -> Self {
        Asked { id, ..self }
    }

    fn bounds(&self, site: &Site, maximum: u64) -> body::Bounds {
        body::Bounds {
            announced: self.length,
            maximum,
            idle: Duration::from_millis(site.config.upload_idle_ms_max),
            whole: Duration::from_millis(site.config.upload_ms_max),
        }
    }

    /// The path with its query, as it was sent.
    fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl Api {
    /// Lets somebody in who may ask about the lease, or says why not. The body was not read yet.
    async fn admit(self: &Arc<Self>, asked: &Asked) -> Result<Admitted, ApiError> {
        let (api, asked) = (self.clone(), asked.clone());
        blocking(move || api.admit_now(&asked)).await
    }

    fn admit_now(&self, asked: &Asked) -> Result<Admitted, ApiError> {
        let site = &self.site;
        let id = LeaseId(asked.id.parse().unwrap_or(Hash::ZERO));
        let now = now();
        let to = (asked.method.as_str(), asked.target());
        let header = asked.header.as_deref();
        let signed = site
            .gate
            .read(header, &site.chain_id, &id, (to.0, &to.1), now)?;
        let (lease, time) = site
            .lease(&id)
            .ok_or(AuthError::UnknownLease { lease: id })?;
        site.gate
            .admit(site.chain.as_ref(), &lease, &signed.key, time)?;
        Ok(Admitted {
            id,
            lease,
            time,
            now,
            signed,
        })
    }

    /// Takes a request that changes something, once, when its body has come as it was signed for.
    fn take(&self, admitted: &Admitted, body: &Hash) -> Result<(), ApiError> {
        admitted.signed.request.check_body(body)?;
        let site = &self.site;
        Ok(site
            .gate
            .take(&site.chain_id, &admitted.signed, admitted.now)?)
    }

    /// A name for a file that nobody else has.
    fn scratch_name(&self) -> String {
        self.scratch.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Where tenants find a published port.
    fn public_host(&self) -> String {
        let config = &self.site.config;
        match (config.ingress_host.as_str(), config.ingress_listen) {
            ("", IpAddr::V6(address)) => format!("[{address}]"),
            ("", address) => address.to_string(),
            (host, _) => host.to_owned(),
        }
    }
}

/// Runs what blocks beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ApiError::Record(crate::records::RecordError::Io {
            path: "a thread".into(),
            source: std::io::Error::other(error),
        })),
    }
}

/// This machine's clock, unix ms.
pub(crate) fn now() -> TimeMs {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A body as warp streams it.
trait Body: Stream<Item = Result<Self::Part, warp::Error>> + Send + 'static {
    /// A part of it.
    type Part: Buf + Send;
}

impl<B: Buf + Send, S: Stream<Item = Result<B, warp::Error>> + Send + 'static> Body for S {
    type Part = B;
}
