//! One mini-protocol's way through a connection: what has arrived for it, and what it sends.
//!
//! `pallas-network` brings the segment's header and the messages; its own channel keeps no bound on what a peer may send, so
//! this one exists. A message is decoded only after it is known to be whole, small and shallow.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use pallas_codec::minicbor;
use pallas_network::multiplexer::MAX_SEGMENT_PAYLOAD_LENGTH;
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    error::SessionError,
    places::{Place, Serving},
};
use crate::cbor::{Limits, Scanner};

/// The greatest message a client may send, in bytes: some 10,000 points of an intersection.
pub(crate) const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// The greatest nesting of a message: a transaction and a query's arguments come as byte strings or shallow lists.
const MESSAGE_DEPTH_MAX: usize = 64;
pub(super) const LIMITS: Limits = Limits {
    bytes: MESSAGE_BYTES_MAX,
    depth: MESSAGE_DEPTH_MAX,
};

/// A payload on its way out, with the protocol it belongs to.
pub(crate) type Segment = (u16, Vec<u8>);

/// What has arrived for one mini-protocol and waits to be read.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Mutex<BytesMut>,
    bytes_max: usize,
    arrived: Notify,
}

impl Default for Inbox {
    /// One that holds a message of the greatest size.
    fn default() -> Self {
        Self::holding(MESSAGE_BYTES_MAX)
    }
}

impl Inbox {
    /// One in which at most so many bytes wait.
    pub(crate) fn holding(bytes_max: usize) -> Self {
        Self {
            bytes: Mutex::default(),
            bytes_max,
            arrived: Notify::new(),
        }
    }

    /// Adds a segment's payload. A client that sends more than is read, beyond what may wait, breaks the protocol.
    pub(crate) fn push(&self, protocol: u16, payload: &[u8]) -> Result<(), SessionError> {
        let mut bytes = self.lock();
        if bytes.len() + payload.len() > self.bytes_max {
            return Err(SessionError::Flooded {
                protocol,
                maximum: self.bytes_max,
            });
        }
        bytes.extend_from_slice(payload);
        drop(bytes);
        self.arrived.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.bytes
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A mini-protocol's channel, on the server's side.
#[derive(Debug)]
pub(crate) struct Channel<'a> {
    protocol: u16,
    inbox: &'a Inbox,
    outbox: mpsc::Sender<Segment>,
    scanner: Scanner,
    place: &'a Place,
    /// From a message's arrival until the next is asked for.
    serving: Option<Serving<'a>>,
}

impl<'a> Channel<'a> {
    pub(crate) fn new(
        protocol: u16,
        inbox: &'a Inbox,
        outbox: mpsc::Sender<Segment>,
        place: &'a Place,
    ) -> Self {
        Self {
            protocol,
            inbox,
            outbox,
            scanner: Scanner::new(LIMITS),
            place,
            serving: None,
        }
    }

    /// The next whole message, undecoded.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, SessionError> {
        self.serving = None;
        loop {
            let arrived = self.inbox.arrived.notified();
            if let Some(message) = self.take()? {
                self.serving = Some(self.place.serving());
                return Ok(message);
            }
            arrived.await;
        }
    }

    /// The next whole message, which must come before `limit` is over.
    pub(crate) async fn receive_within(&mut self, limit: Duration) -> Result<Bytes, SessionError> {
        let overdue = SessionError::Overdue {
            protocol: self.protocol,
            timeout_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        };
        let received = timeout(limit, self.receive()).await;
        received.map_err(|_| overdue)?
    }

    fn take(&mut self) -> Result<Option<Bytes>, SessionError> {
        let mut bytes = self.inbox.lock();
        let scanned = self.scanner.advance(&bytes);
        let scanned = scanned.map_err(|error| SessionError::Garbage {
            protocol: self.protocol,
            error,
        })?;
        let Some(len) = scanned else { return Ok(None) };
        self.scanner = Scanner::new(LIMITS);
        Ok(Some(bytes.split_to(len).freeze()))
    }

    /// Sends a message. Waits while the client does not read, and so bounds what is kept for it.
    pub(crate) async fn send<M: minicbor::Encode<()>>(
        &self,
        message: &M,
    ) -> Result<(), SessionError> {
        let mut payload = Vec::new();
        // Writing to memory cannot fail.
        drop(minicbor::encode(message, &mut payload));
        self.send_bytes(payload).await
    }

    /// Sends an encoded message.
    pub(crate) async fn send_bytes(&self, payload: Vec<u8>) -> Result<(), SessionError> {
        for piece in payload.chunks(MAX_SEGMENT_PAYLOAD_LENGTH) {
            let segment = (self.protocol | 0x8000, piece.to_vec());
            self.outbox
                .send(segment)
                .await
                .map_err(|_| SessionError::Closed)?;
        }
        Ok(())
    }

    /// The error for a message that cannot be decoded.
    pub(crate) fn undecodable(&self, error: &minicbor::decode::Error) -> SessionError {
        SessionError::Undecodable {
            protocol: self.protocol,
            reason: error.to_string(),
        }
    }

    /// The error for a message that has no place in the protocol's state.
    pub(crate) fn unexpected(&self, message: &'static str) -> SessionError {
        SessionError::Unexpected {
            protocol: self.protocol,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cbor::ScanError, server::Places};

    fn channel<'a>(inbox: &'a Inbox, place: &'a Place) -> Channel<'a> {
        Channel::new(5, inbox, mpsc::channel(1).0, place)
    }

    #[tokio::test]
    async fn messages_arrive_whole_however_they_were_cut() {
        let inbox = Inbox::default();
        let place = Places::new(1).take().await;
        let mut channel = channel(&inbox, &place);
        for byte in [0x82, 0x01, 0x41, 0xaa, 0x81] {
            inbox.push(5, &[byte]).expect("fits");
        }
        assert_eq!(
            channel.receive().await.expect("a message"),
            [0x82, 0x01, 0x41, 0xaa][..]
        );
        inbox.push(5, &[0x00]).expect("fits");
        assert_eq!(
            channel.receive().await.expect("a message"),
            [0x81, 0x00][..]
        );
    }

    #[tokio::test]
    async fn garbage_is_refused() {
        let inbox = Inbox::default();
        inbox.push(5, &[0xff]).expect("fits");
        let place = Places::new(1).take().await;
        let error = channel(&inbox, &place).receive().await;
        let error = error.expect_err("is refused");
        let expected = SessionError::Garbage {
            protocol: 5,
            error: ScanError::Malformed { offset: 0 },
        };
        assert_eq!(error.to_string(), expected.to_string());
    }

    #[test]
    fn a_flood_is_refused_before_it_fills_memory() {
        let inbox = Inbox::default();
        let payload = vec![0; 65_535];
        let pushed = (0..100)
            .take_while(|_| inbox.push(5, &payload).is_ok())
            .count();
        assert_eq!(pushed, MESSAGE_BYTES_MAX / payload.len());
    }
}
