//! Accepting connections, and serving each.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::body::{InTime, Late};
use crate::error::ServeError;
use crate::limits::Limits;
use crate::patient::Patient;
use crate::shares::{Place, Shares};

/// What hyper's buffers have at least.
const BUFFER_BYTES_MIN: usize = 8 << 10;

/// How long nothing is accepted when the system gives no connection: it is out of descriptors, which connections that end cure.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What comes before the body in the whole answer to a connection beyond an address' share.
const TURNED_AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\n\
    connection: close\r\n\r\n";

/// Who asks, as [`peer`] finds it.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

/// Who asks. `warp::addr::remote` knows it only of warp's own server.
pub fn peer() -> impl Filter<Extract = (Option<SocketAddr>,), Error = Infallible> + Clone {
    warp::ext::optional::<Peer>().map(|peer: Option<Peer>| peer.map(|Peer(address)| address))
}

/// Serves `routes` on `listener` within `limits` until `shutdown` completes; then what is under way may end, for as long as the limits say.
pub async fn serve<F>(
    routes: F,
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let shares = Arc::new(Shares::new(
        limits.connections_max,
        limits.per_address_max,
        limits.per_loopback_max,
    ));
    let http = http(&limits);
    let service = TowerToHyperService::new(warp::service(routes));
    let under_way = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let came = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            came = accept(&listener, &shares) => came,
        };
        let Some((stream, peer, place)) = came else {
            continue;
        };
        let (service, patience) = (service.clone(), limits.body_patience);
        let service = service_fn(move |request| answer(service.clone(), request, peer, patience));
        let stream = TokioIo::new(Patient::new(stream, limits.write_patience));
        let connection = under_way.watch(http.serve_connection(stream, service));
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection failed");
            }
        });
    }
    drop(listener);
    let _ = timeout(limits.end_patience, under_way.shutdown()).await;
    connections.shutdown().await;
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_patience)
        .max_buf_size(limits.header_bytes_max.max(BUFFER_BYTES_MIN));
    http
}

/// The next connection that is to be served; none where one came that is not. While all places are taken nothing is accepted.
async fn accept(
    listener: &TcpListener,
    shares: &Arc<Shares>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let slot = shares.slot().await?;
    match listener.accept().await {
        Ok((stream, peer)) => match shares.place(slot, peer.ip()) {
            Ok(place) => Some((stream, peer, place)),
            Err(full) => {
                tracing::debug!(%peer, ?full, "a connection was turned away");
                turn_away(stream);
                None
            }
        },
        Err(error) => {
            if !is_the_connections_own(&error) {
                tracing::error!(%error, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// Says so as far as the kernel takes it at once: nobody is waited for here.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let body = ServeError::Connections.body();
        let _ = stream.write_all(format!("{TURNED_AWAY}{body}").as_bytes());
    }
}

/// Whether it was the other side that gave up.
fn is_the_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

async fn answer<S>(
    service: S,
    request: Request<Incoming>,
    peer: SocketAddr,
    patience: Duration,
) -> Result<Response, Infallible>
where
    S: Service<Request<InTime>, Response = Response, Error = Infallible>,
{
    let late = Late::default();
    let mut request = request.map(|body| InTime::new(body, patience, late.clone()));
    request.extensions_mut().insert(Peer(peer));
    let answer = service.call(request).await?;
    Ok(if late.is() { too_late() } else { answer })
}

/// Whatever the routes make of a body that they could not read, this is what happened.
fn too_late() -> Response {
    let body = ServeError::Late.body();
    warp::reply::with_status(warp::reply::json(&body), StatusCode::REQUEST_TIMEOUT).into_response()
}
