//! Keep-alive: a cookie comes and goes back (`keep-alive.cddl`).

use std::time::Duration;

use pallas_codec::minicbor;
use pallas_network::miniprotocols::keepalive::Message;

use crate::server::{channel::Channel, error::SessionError};

/// How long a peer that has begun to say that it is there may say nothing, as with a cardano-node (`timeLimitsKeepAlive`).
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(97);

/// Serves the protocol until the connection ends. After the peer is done it may begin anew.
pub(crate) async fn serve(
    mut channel: Channel<'_>,
    silence_max: Duration,
) -> Result<(), SessionError> {
    let mut begun = false;
    loop {
        let message = match begun {
            true => channel.receive_within(silence_max).await?,
            false => channel.receive().await?,
        };
        match minicbor::decode(&message).map_err(|e| channel.undecodable(&e))? {
            Message::KeepAlive(cookie) => {
                channel.send(&Message::ResponseKeepAlive(cookie)).await?;
                begun = true;
            }
            Message::Done => begun = false,
            Message::ResponseKeepAlive(_) => {
                return Err(channel.unexpected("a server's message"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Places, channel::Inbox};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn whoever_has_begun_must_go_on() {
        let inbox = Inbox::default();
        let place = Places::new(1).take().await;
        let (outbox, mut sent) = mpsc::channel(1);
        inbox
            .push(8, &[0x82, 0x00, 0x19, 0x12, 0x34])
            .expect("fits");
        let channel = Channel::new(8, &inbox, outbox, &place);
        let ended = serve(channel, Duration::from_millis(1)).await;
        let error = ended.expect_err("is hung up on");
        assert!(
            matches!(
                error,
                SessionError::Overdue {
                    protocol: 8,
                    timeout_ms: 1
                }
            ),
            "{error}"
        );
        let answer = (0x8008, vec![0x82, 0x01, 0x19, 0x12, 0x34]);
        assert_eq!(sent.recv().await, Some(answer));
    }
}
