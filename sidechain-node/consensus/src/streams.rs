//! Puts proposed blocks together from their parts, within bounds that no peer can move.
//!
//! Parts travel each on a substream of its own and may overtake one another. A proposer's signed announcement
//! says how many bytes come; before it has been seen, next to nothing is kept of a stream. What is kept is bounded
//! per stream, per peer and over all; where the whole bound is reached, the peer that holds most loses the
//! stream that has been idle longest, so that many small offenders cannot crowd out an honest one.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use malachitebft_app::types::PeerId;
use nupeer_primitives::Height;

use crate::context::{Announcement, Part};

/// Bytes of a block in one part; the last may be shorter.
pub(crate) const CHUNK_BYTES: usize = 128 << 10;
/// Streams of one peer kept at a time.
const STREAMS_PER_PEER_MAX: usize = 4;
/// Parts kept of a stream whose announcement has not come yet.
const EARLY_PARTS_MAX: usize = 8;
/// Blocks' worth of bytes kept over all.
const BLOCKS_MAX: usize = 16;
/// What a stream counts for beside its bytes: its own bookkeeping.
const STREAM_OVERHEAD_BYTES: usize = 1 << 10;

/// A proposed block, whole, as its proposer announced it. Its bytes need not be what the announcement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assembled {
    pub(crate) announcement: Announcement,
    pub(crate) bytes: Bytes,
}

/// Why a part was thrown away, and its stream with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("part {sequence} of at most {maximum}")]
    Sequence { sequence: u64, maximum: u64 },
    #[error("a part of the wrong kind or length")]
    Shape,
    #[error("a second announcement in one stream")]
    Announced,
    #[error("{provided} bytes announced, at most {maximum} are taken")]
    Length { provided: u64, maximum: u64 },
    #[error("too many parts before the announcement")]
    Early,
    #[error("height {provided}, while {current} is being decided")]
    Height { provided: Height, current: Height },
    #[error("round {provided}, while {current} is under way")]
    Round { provided: u32, current: u32 },
    #[error("announced by another than the proposer")]
    NotProposer,
    #[error("the announcement's signature does not verify")]
    Signature,
    #[error("known already")]
    Known,
}

struct Stream {
    id: Bytes,
    /// The height being decided when it began.
    began: Height,
    announcement: Option<Announcement>,
    chunks: BTreeMap<u64, Bytes>,
    held: usize,
    /// Keeps nothing and takes nothing more.
    refused: bool,
}

impl Stream {
    fn new(id: Bytes, began: Height) -> Self {
        let chunks = BTreeMap::new();
        Stream {
            id,
            began,
            announcement: None,
            chunks,
            held: STREAM_OVERHEAD_BYTES,
            refused: false,
        }
    }

    fn refuse(&mut self) {
        self.chunks.clear();
        self.announcement = None;
        self.held = STREAM_OVERHEAD_BYTES;
        self.refused = true;
    }

    /// Whether all chunks that are there have the length that the announcement implies.
    fn fits(&self) -> bool {
        let Some(announcement) = &self.announcement else {
            return true;
        };
        self.chunks
            .iter()
            .all(|(at, chunk)| chunk_length(announcement.length, *at) == chunk.len())
    }

    fn is_complete(&self) -> bool {
        let chunks = self.chunks.len() as u64;
        self.announcement
            .as_ref()
            .is_some_and(|a| chunk_count(a.length) == chunks)
    }

    fn into_block(self) -> Option<Assembled> {
        let mut bytes = BytesMut::with_capacity(self.chunks.values().map(Bytes::len).sum());
        self.chunks
            .values()
            .for_each(|chunk| bytes.extend_from_slice(chunk));
        Some(Assembled {
            announcement: self.announcement?,
            bytes: bytes.freeze(),
        })
    }
}

fn chunk_count(length: u64) -> u64 {
    length.div_ceil(CHUNK_BYTES as u64)
}

/// The length of the chunk at `at` (counted from 1) of a block of `length` bytes; 0 where there is none.
fn chunk_length(length: u64, at: u64) -> usize {
    let before = at.saturating_sub(1).saturating_mul(CHUNK_BYTES as u64);
    length.saturating_sub(before).min(CHUNK_BYTES as u64) as usize
}

/// The parts of a block, in the order in which they are sent: part 0 announces, the others carry bytes.
pub(crate) fn cut(announcement: Announcement, bytes: &Bytes) -> impl Iterator<Item = Part> {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(CHUNK_BYTES);
    let chunks = starts.map(move |at| bytes.slice(at..bytes.len().min(at + CHUNK_BYTES)));
    std::iter::once(Part::Announcement(announcement)).chain(chunks.map(Part::Bytes))
}

/// All streams that are under way.
pub(crate) struct Streams {
    block_bytes_max: usize,
    held: usize,
    peers: BTreeMap<PeerId, VecDeque<Stream>>,
}

impl Streams {
    pub(crate) fn new(block_bytes_max: usize) -> Self {
        Streams {
            block_bytes_max,
            held: 0,
            peers: BTreeMap::new(),
        }
    }

    /// Takes one part. Gives the block that it completes. `admit` decides about an announcement; `current` is the
    /// height being decided. After a refusal the rest of the stream is ignored.
    pub(crate) fn insert(
        &mut self,
        peer: PeerId,
        (id, sequence): (Bytes, u64),
        part: Part,
        current: Height,
        admit: impl FnOnce(&Announcement) -> Result<(), Refusal>,
    ) -> Result<Option<Assembled>, Refusal> {
        let maximum = chunk_count(self.block_bytes_max as u64);
        let mut stream = self.take(peer, id, current);
        if stream.refused {
            self.put(peer, stream);
            return Ok(None);
        }
        let outcome = match part {
            _ if sequence > maximum => Err(Refusal::Sequence { sequence, maximum }),
            Part::Announcement(announcement) => {
                self.announce(&mut stream, sequence, announcement, admit)
            }
            Part::Bytes(chunk) => add(&mut stream, sequence, chunk),
        };
        if let Err(refusal) = outcome {
            stream.refuse();
            self.put(peer, stream);
            return Err(refusal);
        }
        if stream.is_complete() {
            self.peers.retain(|_, streams| !streams.is_empty());
            return Ok(stream.into_block());
        }
        self.put(peer, stream);
        Ok(None)
    }

    /// Drops what belongs to heights below `height`, and streams that began below the height before it.
    pub(crate) fn prune(&mut self, height: Height) {
        for streams in self.peers.values_mut() {
            streams.retain(|stream| match &stream.announcement {
                Some(announcement) => announcement.height >= height,
                None => stream.began.next() >= height,
            });
        }
        self.peers.retain(|_, streams| !streams.is_empty());
        self.held = self
            .peers
            .values()
            .flatten()
            .map(|stream| stream.held)
            .sum();
    }

    fn announce(
        &self,
        stream: &mut Stream,
        sequence: u64,
        announcement: Announcement,
        admit: impl FnOnce(&Announcement) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let (provided, maximum) = (announcement.length, self.block_bytes_max as u64);
        if sequence != 0 {
            return Err(Refusal::Shape);
        }
        if stream.announcement.is_some() {
            return Err(Refusal::Announced);
        }
        if provided == 0 || provided > maximum {
            return Err(Refusal::Length { provided, maximum });
        }
        admit(&announcement)?;
        stream.announcement = Some(announcement);
        if stream.fits() {
            Ok(())
        } else {
            Err(Refusal::Shape)
        }
    }

    /// The stream of that id, taken out, or a new one.
    fn take(&mut self, peer: PeerId, id: Bytes, current: Height) -> Stream {
        let streams = self.peers.entry(peer).or_default();
        let known = streams
            .iter()
            .position(|stream| stream.id == id)
            .and_then(|at| streams.remove(at));
        if let Some(stream) = known {
            self.held -= stream.held;
            return stream;
        }
        while streams.len() >= STREAMS_PER_PEER_MAX {
            self.held -= streams.pop_front().map_or(0, |oldest| oldest.held);
        }
        Stream::new(id, current)
    }

    fn put(&mut self, peer: PeerId, stream: Stream) {
        self.held += stream.held;
        self.peers.entry(peer).or_default().push_back(stream);
        while self.held > self.block_bytes_max.saturating_mul(BLOCKS_MAX) && self.drop_heaviest() {}
    }

    /// Drops the longest idle stream of the peer that holds most.
    fn drop_heaviest(&mut self) -> bool {
        let weight = |streams: &VecDeque<Stream>| streams.iter().map(|s| s.held).sum::<usize>();
        let heaviest = self.peers.iter().max_by_key(|(_, streams)| weight(streams));
        let Some(peer) = heaviest.map(|(peer, _)| *peer) else {
            return false;
        };
        let Some(streams) = self.peers.get_mut(&peer) else {
            return false;
        };
        let dropped = streams.pop_front().map_or(0, |stream| stream.held);
        if streams.is_empty() {
            self.peers.remove(&peer);
        }
        self.held -= dropped;
        dropped > 0
    }
}

fn add(stream: &mut Stream, sequence: u64, chunk: Bytes) -> Result<(), Refusal> {
    let expected = match &stream.announcement {
        Some(announcement) => chunk_length(announcement.length, sequence) == chunk.len(),
        None => chunk.len() <= CHUNK_BYTES,
    };
    if sequence == 0 || chunk.is_empty() || !expected {
        return Err(Refusal::Shape);
    }
    if stream.announcement.is_none() && stream.chunks.len() >= EARLY_PARTS_MAX {
        return Err(Refusal::Early);
    }
    stream.held += chunk.len();
    stream.held -= stream
        .chunks
        .insert(sequence, chunk)
        .map_or(0, |old| old.len());
    Ok(())
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
