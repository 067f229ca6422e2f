//! A local client's connection: its handshake, and the mini-protocols after it.

use pallas_network::miniprotocols::{
    PROTOCOL_N2C_CHAIN_SYNC as CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE as HANDSHAKE,
    PROTOCOL_N2C_STATE_QUERY as STATE_QUERY, PROTOCOL_N2C_TX_MONITOR as TX_MONITOR,
    PROTOCOL_N2C_TX_SUBMISSION as TX_SUBMISSION,
};
use tokio::net::UnixStream;

use super::{
    chain_sync,
    error::SessionError,
    handshake::{self, LocalTerms},
    mux::{self, Inboxes, Link},
    places::Place,
    state_query, submission, tx_monitor,
};
use crate::{owner::Owner, view::ChainView};

/// What a connection serves.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) network_magic: u64,
    pub(crate) security_parameter: u64,
    pub(crate) view: ChainView,
    pub(crate) owner: Owner,
}

/// Serves a client until it goes away, breaks a protocol or must make room for another.
pub(crate) async fn serve(
    stream: UnixStream,
    served: &Served,
    place: &Place,
) -> Result<(), SessionError> {
    let inboxes = Inboxes::new(&[
        HANDSHAKE,
        CHAIN_SYNC,
        TX_SUBMISSION,
        STATE_QUERY,
        TX_MONITOR,
    ]);
    let halves = stream.into_split();
    mux::run(halves, &inboxes, place, |link| protocols(link, served)).await
}

async fn protocols(link: Link<'_>, served: &Served) -> Result<(), SessionError> {
    let terms = LocalTerms {
        network_magic: served.network_magic,
    };
    let Some(version) = handshake::greet(&link, &terms).await? else {
        return Ok(());
    };
    tracing::debug!(version, "a client is connected");
    tokio::try_join!(
        chain_sync::serve(link.channel(CHAIN_SYNC)?, &served.view, chain_sync::block),
        submission::serve(link.channel(TX_SUBMISSION)?, &served.owner),
        state_query::serve(
            link.channel(STATE_QUERY)?,
            &served.view,
            &served.owner,
            served.security_parameter
        ),
        tx_monitor::serve(link.channel(TX_MONITOR)?, &served.owner, version),
    )?;
    Ok(())
}
