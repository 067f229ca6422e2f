//! One connection: segments in, segments out, and the mini-protocols between. Everything of it lives in one task and ends with it.

use std::{io, time::Duration};

use pallas_network::{
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC as CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE as HANDSHAKE,
        PROTOCOL_N2C_STATE_QUERY as STATE_QUERY, PROTOCOL_N2C_TX_SUBMISSION as TX_SUBMISSION,
    },
    multiplexer::Header,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    chain_sync,
    channel::{Channel, Inbox, Segment},
    error::SessionError,
    handshake::{self, Outcome},
    places::Place,
    state_query, submission,
};
use crate::{owner::Owner, view::ChainView};

/// How long a client has for its handshake, as with a cardano-node.
const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// How long a client may leave an answer unread.
pub(crate) const STALL_TIMEOUT_MS: u64 = 120_000;
/// Segments that wait to be written, each at most 64 KiB.
const OUTBOX_SEGMENTS: usize = 8;
const SEGMENT_HEADER_BYTES: usize = 8;

/// What a connection serves.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) network_magic: u64,
    pub(crate) security_parameter: u64,
    pub(crate) view: ChainView,
    pub(crate) owner: Owner,
}

/// The inboxes of the mini-protocols.
#[derive(Debug, Default)]
struct Inboxes {
    handshake: Inbox,
    chain_sync: Inbox,
    tx_submission: Inbox,
    state_query: Inbox,
}

impl Inboxes {
    fn of(&self, protocol: u16) -> Result<&Inbox, SessionError> {
        match protocol {
            HANDSHAKE => Ok(&self.handshake),
            CHAIN_SYNC => Ok(&self.chain_sync),
            TX_SUBMISSION => Ok(&self.tx_submission),
            STATE_QUERY => Ok(&self.state_query),
            _ => Err(SessionError::UnknownProtocol { protocol }),
        }
    }
}

/// Serves a client until it goes away, breaks a protocol or must make room for another.
pub(crate) async fn serve(
    stream: UnixStream,
    served: &Served,
    place: &Place,
) -> Result<(), SessionError> {
    let (read, write) = stream.into_split();
    let inboxes = Inboxes::default();
    let (outbox, outgoing) = mpsc::channel(OUTBOX_SEGMENTS);
    let writer = write_segments(write, outgoing, place);
    tokio::pin!(writer);
    tokio::select! {
        ended = read_segments(BufReader::new(read), &inboxes) => ended,
        ended = &mut writer => ended,
        // The outbox is gone when the protocols end, so that the writer ends once all is written.
        ended = protocols(&inboxes, outbox, served, place) => match ended {
            Ok(()) => writer.await,
            Err(error) => Err(error),
        },
        idle_ms = place.displaced() => Err(SessionError::Displaced { places: place.of(), idle_ms }),
    }
}

async fn protocols(
    inboxes: &Inboxes,
    outbox: mpsc::Sender<Segment>,
    served: &Served,
    place: &Place,
) -> Result<(), SessionError> {
    let channel = Channel::new(HANDSHAKE, &inboxes.handshake, outbox.clone(), place);
    let handshake = handshake::serve(channel, served.network_magic);
    let outcome = timeout(Duration::from_millis(HANDSHAKE_TIMEOUT_MS), handshake).await;
    let outcome = outcome.map_err(|_| SessionError::HandshakeTimeout {
        timeout_ms: HANDSHAKE_TIMEOUT_MS,
    })??;
    let Outcome::Accepted(version) = outcome else {
        return Ok(());
    };
    tracing::debug!(version, "a client is connected");
    place.greeted();
    let channel = |protocol, inbox| Channel::new(protocol, inbox, outbox.clone(), place);
    tokio::try_join!(
        chain_sync::serve(channel(CHAIN_SYNC, &inboxes.chain_sync), &served.view),
        submission::serve(
            channel(TX_SUBMISSION, &inboxes.tx_submission),
            &served.owner
        ),
        state_query::serve(
            channel(STATE_QUERY, &inboxes.state_query),
            &served.view,
            &served.owner,
            served.security_parameter
        ),
    )?;
    Ok(())
}

async fn read_segments(
    mut read: impl AsyncRead + Unpin,
    inboxes: &Inboxes,
) -> Result<(), SessionError> {
    let mut payload = Vec::new();
    loop {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        read.read_exact(&mut header).await.map_err(closed_at_end)?;
        let header = Header::from(header.as_slice());
        let inbox = inboxes.of(header.protocol)?;
        payload.resize(usize::from(header.payload_len), 0);
        read.read_exact(&mut payload).await.map_err(closed_at_end)?;
        inbox.push(header.protocol, &payload)?;
    }
}

fn closed_at_end(error: io::Error) -> SessionError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => SessionError::Closed,
        _ => SessionError::Io(error),
    }
}

async fn write_segments(
    mut write: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Segment>,
    place: &Place,
) -> Result<(), SessionError> {
    let started = Instant::now();
    while let Some((protocol, payload)) = outgoing.recv().await {
        let header = Header {
            protocol,
            // The segment's header has the lower 32 bits of a clock in microseconds.
            timestamp: started.elapsed().as_micros() as u32,
            payload_len: payload.len() as u16,
        };
        let segment = [
            <[u8; SEGMENT_HEADER_BYTES]>::from(header).as_slice(),
            &payload,
        ]
        .concat();
        place.writing(true);
        let written = timeout(
            Duration::from_millis(STALL_TIMEOUT_MS),
            write.write_all(&segment),
        )
        .await;
        written
            .map_err(|_| SessionError::Stalled {
                timeout_ms: STALL_TIMEOUT_MS,
            })?
            .map_err(closed_by_reader)?;
        place.writing(false);
    }
    Ok(())
}

fn closed_by_reader(error: io::Error) -> SessionError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => SessionError::Closed,
        _ => SessionError::Io(error),
    }
}
