//! The node's servers: what a local client of a cardano-node talks to over a Unix socket, and what another node talks to over TCP (`peer/`).

mod bind;
mod chain_sync;
mod channel;
mod error;
pub(crate) mod fuzz;
mod handshake;
mod mux;
mod peer;
mod places;
mod session;
mod state_query;
mod submission;
mod tx_monitor;

pub(crate) use bind::Socket;
pub use error::{BindError, SessionError};
pub(crate) use mux::STALL_TIMEOUT_MS;
use pallas_network::miniprotocols::PROTOCOL_N2C_STATE_QUERY as STATE_QUERY;
pub(crate) use peer::PeerSocket;
pub(crate) use places::{Place, Places};
pub(crate) use session::Served;
use tokio::task::JoinSet;

/// How many clients are served at once; one more gets the place of whoever has the least use of it (`places.rs`).
pub(crate) const CLIENTS_MAX: usize = 256;

/// Where clients come from.
pub(crate) trait Listen {
    /// A connection.
    type Stream: Send + 'static;

    /// The next client.
    fn next(&self) -> impl Future<Output = Self::Stream> + Send;
}

/// Accepts local clients for ever; dropping the future ends all connections.
pub(crate) async fn accept(socket: &Socket, served: Served) {
    each(socket, move |stream, place: Place| {
        let served = served.clone();
        async move { session::serve(stream, &served, &place).await }
    })
    .await;
}

/// Accepts peers for ever; dropping the future ends all connections.
pub(crate) async fn accept_peers(socket: &PeerSocket, served: Served) {
    each(socket, move |stream, place: Place| {
        let served = served.clone();
        async move { peer::serve(stream, &served, &place).await }
    })
    .await;
}

async fn each<L, F>(socket: &L, serve: impl Fn(L::Stream, Place) -> F)
where
    L: Listen,
    F: Future<Output = Result<(), SessionError>> + Send + 'static,
{
    let places = Places::new(CLIENTS_MAX);
    let mut sessions = JoinSet::new();
    loop {
        let stream = socket.next().await;
        while sessions.try_join_next().is_some() {}
        let session = serve(stream, places.take().await);
        sessions.spawn(async move { log_end(session.await) });
    }
}

fn log_end(ended: Result<(), SessionError>) {
    match ended {
        Ok(()) | Err(SessionError::Closed) => tracing::debug!("a client is gone"),
        // A crowd of them would fill the log.
        Err(error @ SessionError::Displaced { .. }) => tracing::debug!(%error, "a client is gone"),
        Err(error) => tracing::warn!(%error, "a connection is closed"),
    }
}
