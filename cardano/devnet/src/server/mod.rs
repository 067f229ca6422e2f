//! The node-to-client server: what a local client of a cardano-node talks to, over a Unix socket.

mod bind;
mod chain_sync;
mod channel;
mod error;
pub(crate) mod fuzz;
mod handshake;
mod mux;
mod places;
mod session;
mod state_query;
mod submission;

pub(crate) use bind::Socket;
pub use error::{BindError, SessionError};
use pallas_network::miniprotocols::PROTOCOL_N2C_STATE_QUERY as STATE_QUERY;
pub(crate) use mux::STALL_TIMEOUT_MS;
pub(crate) use places::{Place, Places};
pub(crate) use session::Served;
use tokio::task::JoinSet;

/// How many clients are served at once; one more gets the place of whoever has the least use of it (`places.rs`).
pub(crate) const CLIENTS_MAX: usize = 256;

/// Accepts clients for ever; dropping the future ends all connections.
pub(crate) async fn accept(socket: &Socket, served: Served) {
    let places = Places::new(CLIENTS_MAX);
    let mut sessions = JoinSet::new();
    loop {
        let stream = socket.accept().await;
        while sessions.try_join_next().is_some() {}
        let place = places.take().await;
        let served = served.clone();
        sessions.spawn(async move { log_end(session::serve(stream, &served, &place).await) });
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
