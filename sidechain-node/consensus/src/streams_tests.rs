use bytes::Bytes;
use malachitebft_app::types::{Keypair, PeerId};
use nupeer_primitives::{Hash, Hash28, Signature};
use proptest::prelude::*;

use super::*;

const BLOCK_BYTES_MAX: usize = 4 * CHUNK_BYTES;
const NOW: Height = Height(7);

fn peer(seed: u8) -> PeerId {
    let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    PeerId::from_bytes(&keypair.public().to_peer_id().to_bytes()).unwrap()
}

fn stream(name: u8) -> Bytes {
    Bytes::from(vec![name; 16])
}

fn announcement(height: Height, length: usize) -> Announcement {
    Announcement {
        height,
        round: 0,
        valid_round: None,
        proposer: Hash28([1; 28]),
        block: Hash([2; 32]),
        length: length as u64,
        signature: Signature([3; 64]),
    }
}

fn block(length: usize) -> Bytes {
    (0..length)
        .map(|i| (i / 1000) as u8)
        .collect::<Vec<_>>()
        .into()
}

fn parts(length: usize) -> Vec<(u64, Part)> {
    (0..)
        .zip(cut(announcement(NOW, length), &block(length)))
        .collect()
}

fn streams() -> Streams {
    Streams::new(BLOCK_BYTES_MAX)
}

impl Streams {
    fn offer(
        &mut self,
        from: u8,
        name: u8,
        sequence: u64,
        part: Part,
    ) -> Result<Option<Assembled>, Refusal> {
        self.insert(peer(from), (stream(name), sequence), part, NOW, |_| Ok(()))
    }

    fn recount(&self) -> usize {
        self.peers
            .values()
            .flatten()
            .map(|stream| stream.held)
            .sum()
    }
}

proptest! {
    #[test]
    fn parts_in_any_order_and_twice_make_the_block_once(
        length in 1usize..BLOCK_BYTES_MAX + 1,
        order in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let mut streams = streams();
        let mut left = parts(length);
        let mut done = Vec::new();
        for pick in order {
            if left.is_empty() {
                break;
            }
            let (sequence, part) = left.remove(pick.index(left.len()));
            let again = !left.is_empty();
            done.extend(streams.offer(1, 1, sequence, part.clone()).unwrap());
            // The last part completes the stream, which is forgotten then.
            if again && matches!(part, Part::Bytes(_)) {
                done.extend(streams.offer(1, 1, sequence, part).unwrap());
            }
        }
        for (sequence, part) in left {
            done.extend(streams.offer(1, 1, sequence, part).unwrap());
        }
        prop_assert_eq!(done.len(), 1);
        prop_assert_eq!(&done[0].bytes, &block(length));
        prop_assert_eq!(streams.held, 0);
    }

    #[test]
    fn no_flood_grows_memory(
        flood in prop::collection::vec((0u8..12, 0u8..6, 0u64..6, 0usize..CHUNK_BYTES + 2), 0..200),
    ) {
        let mut streams = streams();
        for (from, name, sequence, length) in flood {
            let part = match sequence {
                0 => Part::Announcement(announcement(NOW, length * 4)),
                _ => Part::Bytes(block(length)),
            };
            let _ = streams.offer(from, name, sequence, part);
            prop_assert!(streams.held <= BLOCKS_MAX * BLOCK_BYTES_MAX);
            prop_assert_eq!(streams.held, streams.recount());
            prop_assert!(streams.peers.values().all(|s| s.len() <= STREAMS_PER_PEER_MAX));
        }
    }
}

#[test]
fn parts_out_of_bounds_are_refused_and_end_their_stream() {
    let long = BLOCK_BYTES_MAX + 1;
    let announce = |length| Part::Announcement(announcement(NOW, length));
    let bytes = |length| Part::Bytes(block(length));
    let maximum = BLOCK_BYTES_MAX as u64;
    let cases = [
        (
            vec![(5, bytes(1))],
            Refusal::Sequence {
                sequence: 5,
                maximum: 4,
            },
        ),
        (
            vec![(u64::MAX, bytes(1))],
            Refusal::Sequence {
                sequence: u64::MAX,
                maximum: 4,
            },
        ),
        (vec![(0, bytes(1))], Refusal::Shape),
        (vec![(1, bytes(0))], Refusal::Shape),
        (vec![(1, bytes(CHUNK_BYTES + 1))], Refusal::Shape),
        (vec![(1, announce(5))], Refusal::Shape),
        (
            vec![(0, announce(0))],
            Refusal::Length {
                provided: 0,
                maximum,
            },
        ),
        (
            vec![(0, announce(long))],
            Refusal::Length {
                provided: long as u64,
                maximum,
            },
        ),
        (vec![(0, announce(5)), (0, announce(5))], Refusal::Announced),
        (vec![(0, announce(5)), (1, bytes(4))], Refusal::Shape),
        (vec![(0, announce(5)), (2, bytes(1))], Refusal::Shape),
        (vec![(2, bytes(1)), (0, announce(5))], Refusal::Shape),
    ];
    for (offers, expected) in cases {
        let mut streams = streams();
        let mut last = Ok(None);
        for (sequence, part) in offers.clone() {
            last = streams.offer(1, 1, sequence, part);
        }
        assert_eq!(last, Err(expected), "{offers:?}");
        assert_eq!(streams.offer(1, 1, 1, bytes(5)), Ok(None), "{offers:?}");
        assert_eq!(streams.held, STREAM_OVERHEAD_BYTES, "{offers:?}");
    }
}

#[test]
fn before_its_announcement_a_stream_keeps_few_parts() {
    let mut streams = Streams::new(100 * CHUNK_BYTES);
    for sequence in 1..=EARLY_PARTS_MAX as u64 {
        assert_eq!(
            streams.offer(1, 1, sequence, Part::Bytes(block(1))),
            Ok(None)
        );
    }
    let next = EARLY_PARTS_MAX as u64 + 1;
    assert_eq!(
        streams.offer(1, 1, next, Part::Bytes(block(1))),
        Err(Refusal::Early)
    );
}

#[test]
fn a_refused_announcement_keeps_nothing() {
    let mut streams = streams();
    let (sequence, part) = parts(CHUNK_BYTES).remove(0);
    let at = (stream(1), sequence);
    let refused = streams.insert(peer(1), at, part, NOW, |_| Err(Refusal::Signature));
    assert_eq!(refused, Err(Refusal::Signature));
    assert_eq!(
        streams.offer(1, 1, 1, Part::Bytes(block(CHUNK_BYTES))),
        Ok(None)
    );
    assert_eq!(streams.held, STREAM_OVERHEAD_BYTES);
}

#[test]
fn a_stream_of_one_peer_is_not_mixed_with_that_of_another() {
    let mut streams = streams();
    let [(_, announce), (_, bytes)] = parts(5).try_into().unwrap();
    assert_eq!(streams.offer(1, 1, 0, announce.clone()), Ok(None));
    assert_eq!(
        streams.offer(2, 1, 1, Part::Bytes(Bytes::from_static(b"wrong"))),
        Ok(None)
    );
    let whole = streams.offer(1, 1, 1, bytes).unwrap().unwrap();
    assert_eq!(whole.bytes, block(5));
}

#[test]
fn the_peer_that_holds_most_gives_way() {
    let mut streams = streams();
    let [(_, announce), (_, bytes)] = parts(5).try_into().unwrap();
    streams.offer(0, 1, 0, announce).unwrap();
    for from in 1..20 {
        for name in 0..4 {
            for sequence in 1..=4 {
                streams
                    .offer(from, name, sequence, Part::Bytes(block(CHUNK_BYTES)))
                    .unwrap();
            }
        }
    }
    assert!(streams.held <= BLOCKS_MAX * BLOCK_BYTES_MAX);
    assert!(streams.offer(0, 1, 1, bytes).unwrap().is_some());
}

#[test]
fn what_belongs_to_past_heights_goes() {
    let mut streams = streams();
    for (name, height) in [(1, NOW), (2, NOW.next())] {
        let part = Part::Announcement(announcement(height, 5));
        assert_eq!(streams.offer(1, name, 0, part), Ok(None));
    }
    streams.offer(1, 3, 1, Part::Bytes(block(1))).unwrap();
    let left = |streams: &Streams| streams.peers.values().flatten().count();
    for (height, expected) in [(NOW, 3), (Height(8), 2), (Height(9), 0)] {
        streams.prune(height);
        assert_eq!(left(&streams), expected, "{height}");
    }
    assert_eq!(streams.held, 0);
}
