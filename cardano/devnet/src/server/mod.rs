//! The node-to-client server: what a local client of a cardano-node talks to, over a Unix socket.

mod bind;
mod chain_sync;
mod channel;
mod error;
pub(crate) mod fuzz;
mod handshake;
mod session;
mod state_query;
mod submission;

use std::sync::Arc;

pub(crate) use bind::Socket;
pub use error::{BindError, SessionError};
use pallas_network::miniprotocols::PROTOCOL_N2C_STATE_QUERY as STATE_QUERY;
pub(crate) use session::Served;
use tokio::{sync::Semaphore, task::JoinSet};

/// How many clients are served at once; more wait to be accepted.
const CLIENTS_MAX: usize = 256;

/// Accepts clients for ever; dropping the future ends all connections.
pub(crate) async fn accept(socket: &Socket, served: Served) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    let mut sessions = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        while sessions.try_join_next().is_some() {}
        let stream = match socket.listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let served = served.clone();
        sessions.spawn(async move {
            let _place = place;
            log_end(session::serve(stream, &served).await);
        });
    }
}

fn log_end(ended: Result<(), SessionError>) {
    match ended {
        Ok(()) | Err(SessionError::Closed) => tracing::debug!("a client is gone"),
        Err(error) => tracing::warn!(%error, "a connection is closed"),
    }
}
