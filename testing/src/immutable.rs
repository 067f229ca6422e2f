//! Chunks of a cardano-node's immutable database: the blocks, and the two indices that tell where each lies
//! (ouroboros-consensus, `cddl/disk/immutable/{primary,secondary}.ksy`).

use std::{ops::Range, path::Path};

/// The only version of the primary index.
const PRIMARY_VERSION: u8 = 1;
/// An entry of the secondary index, in bytes.
const ENTRY_BYTES: usize = 56;

/// A block as it is stored, with what the index says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Its slot; the epoch's number for an epoch's boundary block of Byron.
    pub slot_or_epoch: u64,
    /// The slot, counted from the chunk's first, under which the primary index has it: 0 for a boundary block, 1 for the chunk's first slot.
    pub relative_slot: usize,
    /// Its header's hash.
    pub hash: [u8; 32],
    /// Where in `raw` the header lies.
    pub header: Range<usize>,
    /// `[era, block]`.
    pub raw: Vec<u8>,
}

/// Why three files are no chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkError {
    /// The primary index has another version.
    Version {
        /// The version that it says, if it says one.
        provided: Option<u8>,
        /// The only one.
        expected: u8,
    },
    /// An offset in the primary index is no entry's, or goes back.
    PrimaryOffset {
        /// Its place in the index.
        index: usize,
        /// What stands there.
        provided: u32,
    },
    /// The secondary index has bytes or entries that the primary one does not know.
    SecondarySize {
        /// Its size in bytes.
        provided: usize,
        /// What the primary index's entries take, in bytes.
        expected: usize,
    },
    /// An entry's block or header lies elsewhere than between its neighbours.
    BlockOffset {
        /// Which entry, from 0.
        entry: usize,
    },
    /// A block's checksum is another.
    Checksum {
        /// Which entry, from 0.
        entry: usize,
        /// The block's checksum.
        provided: u32,
        /// The index's.
        expected: u32,
    },
}

/// The blocks of a chunk, from the paths of its three files but for their endings.
///
/// # Panics
/// Where a file is absent or they are no chunk.
pub fn stored_blocks(chunk: &Path) -> Vec<StoredBlock> {
    let read = |ending| {
        let path = chunk.with_extension(ending);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    blocks(&read("chunk"), &read("primary"), &read("secondary"))
        .unwrap_or_else(|error| panic!("{}: {error:?}", chunk.display()))
}

/// The blocks of a chunk, from the contents of its three files.
pub fn blocks(
    chunk: &[u8],
    primary: &[u8],
    secondary: &[u8],
) -> Result<Vec<StoredBlock>, ChunkError> {
    let slots = filled_slots(primary, secondary.len())?;
    let entries: Vec<&[u8]> = secondary.chunks(ENTRY_BYTES).collect();
    let mut blocks = Vec::with_capacity(slots.len());
    for (index, relative_slot) in slots.into_iter().enumerate() {
        let entry = Entry(entries[index]);
        let end = entries
            .get(index + 1)
            .map_or(chunk.len(), |next| Entry(next).offset());
        let raw = chunk
            .get(entry.offset()..end)
            .filter(|_| index > 0 || entry.offset() == 0)
            .filter(|raw| entry.header().end <= raw.len())
            .ok_or(ChunkError::BlockOffset { entry: index })?;
        let (provided, expected) = (crc32(raw), entry.checksum());
        if provided != expected {
            return Err(ChunkError::Checksum {
                entry: index,
                provided,
                expected,
            });
        }
        blocks.push(StoredBlock {
            slot_or_epoch: u64::from_be_bytes(entry.array(48)),
            relative_slot,
            hash: entry.array(16),
            header: entry.header(),
            raw: raw.to_vec(),
        });
    }
    Ok(blocks)
}

/// The slots that have a block, one for each entry of the secondary index.
fn filled_slots(primary: &[u8], secondary_bytes: usize) -> Result<Vec<usize>, ChunkError> {
    let (version, offsets) = match primary.split_first() {
        Some((version, offsets)) => (Some(*version), offsets),
        None => (None, primary),
    };
    if version != Some(PRIMARY_VERSION) {
        return Err(ChunkError::Version {
            provided: version,
            expected: PRIMARY_VERSION,
        });
    }
    let offsets: Vec<u32> = offsets
        .chunks_exact(4)
        .map(|bytes| u32::from_be_bytes(take(bytes, 0)))
        .collect();
    let (mut filled, mut last) = (Vec::new(), 0);
    for (index, provided) in offsets.into_iter().enumerate() {
        match (index, provided.checked_sub(last)) {
            (0, Some(0)) | (1.., Some(0)) => {}
            (1.., Some(more)) if more as usize == ENTRY_BYTES => filled.push(index - 1),
            _ => return Err(ChunkError::PrimaryOffset { index, provided }),
        }
        last = provided;
    }
    let expected = filled.len() * ENTRY_BYTES;
    if secondary_bytes != expected {
        return Err(ChunkError::SecondarySize {
            provided: secondary_bytes,
            expected,
        });
    }
    Ok(filled)
}

/// An entry of the secondary index: offset of the block (8 bytes), of the header in it (2), the header's length (2), the block's
/// checksum (4), the header's hash (32), the slot or epoch (8); big-endian.
struct Entry<'a>(&'a [u8]);

impl Entry<'_> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        take(self.0, at)
    }

    fn offset(&self) -> usize {
        usize::try_from(u64::from_be_bytes(self.array(0))).unwrap_or(usize::MAX)
    }

    fn header(&self) -> Range<usize> {
        let [start, length] = [8, 10].map(|at| usize::from(u16::from_be_bytes(self.array(at))));
        start..start + length
    }

    fn checksum(&self) -> u32 {
        u32::from_be_bytes(self.array(12))
    }
}

/// The bytes at `at`, which whoever asks knows to be there.
fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

/// CRC-32 as in ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contents of a chunk's three files.
    type Files = (Vec<u8>, Vec<u8>, Vec<u8>);

    /// Two blocks of three and two bytes, in the chunk's slots 0 and 2 of four.
    fn files() -> Files {
        let chunk = b"onetw".to_vec();
        let mut primary = vec![PRIMARY_VERSION];
        for offset in [0u32, 0, 56, 56, 112, 112] {
            primary.extend(offset.to_be_bytes());
        }
        let entry = |offset: u64, raw: &[u8], slot: u64| {
            [
                offset.to_be_bytes().as_slice(),
                &[0, 1, 0, 1],
                &crc32(raw).to_be_bytes(),
                &[slot as u8; 32],
                &slot.to_be_bytes(),
            ]
            .concat()
        };
        let secondary = [entry(0, b"one", 100), entry(3, b"tw", 102)].concat();
        (chunk, primary, secondary)
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_indices_tell_where_the_blocks_lie() {
        let (chunk, primary, secondary) = files();
        let found = blocks(&chunk, &primary, &secondary).expect("a chunk");
        let expected =
            [(100, 1, "one"), (102, 3, "tw")].map(|(slot, relative_slot, raw)| StoredBlock {
                slot_or_epoch: slot,
                relative_slot,
                hash: [slot as u8; 32],
                header: 1..2,
                raw: raw.into(),
            });
        assert_eq!(found, expected);
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let broken = |damage: fn(&mut Files)| {
            let mut files = files();
            damage(&mut files);
            blocks(&files.0, &files.1, &files.2).expect_err("is refused")
        };
        let version = |provided| ChunkError::Version {
            provided,
            expected: 1,
        };
        assert_eq!(broken(|files| files.1[0] = 2), version(Some(2)));
        assert_eq!(broken(|files| files.1.clear()), version(None));
        let offset = ChunkError::PrimaryOffset {
            index: 2,
            provided: 57,
        };
        assert_eq!(broken(|files| files.1[12] = 57), offset);
        let size = |provided| ChunkError::SecondarySize {
            provided,
            expected: 112,
        };
        assert_eq!(broken(|files| files.2.truncate(56)), size(56));
        assert_eq!(
            broken(|files| files.2[7] = 1),
            ChunkError::BlockOffset { entry: 0 }
        );
        assert_eq!(
            broken(|files| files.2[11] = 9),
            ChunkError::BlockOffset { entry: 0 }
        );
        let checksum = ChunkError::Checksum {
            entry: 1,
            provided: crc32(b"tW"),
            expected: crc32(b"tw"),
        };
        assert_eq!(broken(|files| files.0[4] = b'W'), checksum);
    }
}
