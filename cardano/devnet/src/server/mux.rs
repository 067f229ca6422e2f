//! The multiplexer: segments in, segments out, and the mini-protocols between, for local clients and for peers alike. Everything of a
//! connection lives in one task and ends with it.

use std::{collections::BTreeMap, io, time::Duration};

use pallas_network::multiplexer::Header;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    channel::{Channel, Inbox, Segment},
    error::SessionError,
    places::Place,
};

/// How long a client may leave an answer unread.
pub(crate) const STALL_TIMEOUT_MS: u64 = 120_000;
/// Segments that wait to be written, each at most 64 KiB.
const OUTBOX_SEGMENTS: usize = 8;
const SEGMENT_HEADER_BYTES: usize = 8;

/// The inboxes of the mini-protocols that a connection serves.
#[derive(Debug)]
pub(crate) struct Inboxes(BTreeMap<u16, Inbox>);

impl Inboxes {
    /// One for each of `protocols`.
    pub(crate) fn new(protocols: &[u16]) -> Self {
        let inboxes = protocols
            .iter()
            .map(|protocol| (*protocol, Inbox::default()));
        Self(inboxes.collect())
    }

    /// One for each of `protocols`, and how many bytes may wait in it.
    pub(crate) fn holding(protocols: &[(u16, usize)]) -> Self {
        let inboxes = protocols
            .iter()
            .map(|(protocol, bytes_max)| (*protocol, Inbox::holding(*bytes_max)));
        Self(inboxes.collect())
    }

    fn of(&self, protocol: u16) -> Result<&Inbox, SessionError> {
        let inbox = self.0.get(&protocol);
        inbox.ok_or(SessionError::UnknownProtocol { protocol })
    }
}

/// A connection as its mini-protocols see it.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    inboxes: &'a Inboxes,
    outbox: mpsc::Sender<Segment>,
    place: &'a Place,
}

impl<'a> Link<'a> {
    /// The channel of a mini-protocol; it must be one of the inboxes'.
    pub(crate) fn channel(&self, protocol: u16) -> Result<Channel<'a>, SessionError> {
        let inbox = self.inboxes.of(protocol)?;
        Ok(Channel::new(
            protocol,
            inbox,
            self.outbox.clone(),
            self.place,
        ))
    }

    /// The other side's place here.
    pub(crate) fn place(&self) -> &'a Place {
        self.place
    }
}

/// Serves `protocols` until the other side goes away, breaks one or must make room for another.
pub(crate) async fn run<'a, F>(
    (read, write): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    inboxes: &'a Inboxes,
    place: &'a Place,
    protocols: impl FnOnce(Link<'a>) -> F,
) -> Result<(), SessionError>
where
    F: Future<Output = Result<(), SessionError>>,
{
    let (outbox, outgoing) = mpsc::channel(OUTBOX_SEGMENTS);
    let link = Link {
        inboxes,
        outbox,
        place,
    };
    let writer = write_segments(write, outgoing, place);
    tokio::pin!(writer);
    tokio::select! {
        ended = read_segments(BufReader::new(read), inboxes) => ended,
        ended = &mut writer => ended,
        // The outbox is gone when the protocols end, so that the writer ends once all is written.
        ended = protocols(link) => match ended {
            Ok(()) => writer.await,
            Err(error) => Err(error),
        },
        idle_ms = place.displaced() => Err(SessionError::Displaced { places: place.of(), idle_ms }),
    }
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
