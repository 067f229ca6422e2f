//! Peer-sharing: whoever asks for peers is told of none, as the devnet knows none (`peer-sharing-v14.cddl`).

use pallas_codec::minicbor;
use pallas_network::miniprotocols::peersharing::Message;

use crate::server::{channel::Channel, error::SessionError};

/// Serves the protocol until the connection ends. After the peer is done it may begin anew.
pub(crate) async fn serve(mut channel: Channel<'_>) -> Result<(), SessionError> {
    loop {
        let message = channel.receive().await?;
        match minicbor::decode(&message).map_err(|e| channel.undecodable(&e))? {
            Message::ShareRequest(_) => channel.send(&Message::SharePeers(Vec::new())).await?,
            Message::Done => {}
            Message::SharePeers(_) => return Err(channel.unexpected("a server's message")),
        }
    }
}
