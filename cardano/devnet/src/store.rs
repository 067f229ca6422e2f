//! The chain on disk: one append-only file, from which a devnet starts again with the chain it had.
//!
//! Each record says how many blocks of the chain before it stay and which blocks follow them, so an append, a rollback
//! and a whole fork are one record each: after a crash the chain is the one before or the one after, never one between.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use nupeer_primitives::{Code, Hash, Numbered, blake2b_256};
use pallas_codec::minicbor::{self, Decoder, Encoder};
use thiserror::Error;

const MAGIC: [u8; 8] = *b"NPDEVCH1";
const HEADER_BYTES: usize = 8 + Hash::LEN;
const CHECKSUM_BYTES: usize = 8;
const RECORD_HEAD_BYTES: usize = 4 + CHECKSUM_BYTES;

/// Why the chain's file cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("the chain's file: {0}")]
    Io(#[from] io::Error),
    /// Not a chain's file, or of another version.
    #[error("not a devnet's chain: it does not begin with {MAGIC:?}")]
    NotAChain,
    /// The chain of another genesis.
    #[error("this folder holds the chain of genesis {provided}, expected {expected}")]
    OtherGenesis {
        /// The genesis the file names.
        provided: Hash,
        /// The genesis asked for.
        expected: Hash,
    },
    /// A record in the middle of the file is damaged: no crash of ours does that.
    #[error("the chain's file is damaged at byte {offset}; remove the folder to begin a new chain")]
    Damaged {
        /// Where the damaged record begins.
        offset: u64,
    },
    /// The blocks of one record would not fit.
    #[error("a record of {provided} bytes, at most {maximum} fit")]
    TooLarge {
        /// The record's size in bytes.
        provided: usize,
        /// The greatest size in bytes.
        maximum: usize,
    },
}

impl Numbered for StoreError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Io(_) => 7120,
            Self::NotAChain => 7121,
            Self::OtherGenesis { .. } => 7122,
            Self::Damaged { .. } => 7123,
            Self::TooLarge { .. } => 7124,
        })
    }
}

/// The chain's file, open for appending.
#[derive(Debug)]
pub struct ChainFile {
    file: File,
    end: u64,
}

/// What a chain's file held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The blocks of the chain, era-tagged, from the first on.
    pub blocks: Vec<Vec<u8>>,
    /// How many records cut the chain.
    pub rollbacks: u64,
    /// Bytes of an unfinished record that were cut off the end.
    pub torn_bytes: u64,
}

impl ChainFile {
    /// Opens or creates the file of the chain with this genesis, reads it, and cuts off what a crash left unfinished.
    pub fn open(path: &Path, genesis: Hash) -> Result<(Self, Stored), StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A header is unfinished only if the very first write was torn, before any block.
        if bytes.len() < HEADER_BYTES {
            fail::fail_point!("devnet-chain-before-header");
            file.set_len(0)?;
            bytes = [MAGIC.as_slice(), genesis.as_bytes()].concat();
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fail::fail_point!("devnet-chain-after-header");
        }
        check_header(&bytes, genesis)?;
        let stored = replay(&bytes)?;
        let end = bytes.len() as u64 - stored.torn_bytes;
        if stored.torn_bytes > 0 {
            fail::fail_point!("devnet-chain-before-cut");
            file.set_len(end)?;
            file.sync_all()?;
            fail::fail_point!("devnet-chain-after-cut");
        }
        Ok((Self { file, end }, stored))
    }

    /// Records that of the chain's blocks the first `keep` stay and `blocks` follow; on disk when this returns.
    pub fn append(&mut self, keep: u64, blocks: &[&[u8]]) -> Result<(), StoreError> {
        let payload = encode(keep, blocks);
        let too_large = StoreError::TooLarge {
            provided: payload.len(),
            maximum: u32::MAX as usize,
        };
        let len = u32::try_from(payload.len()).map_err(|_| too_large)?;
        let checksum = blake2b_256(&[&payload]);
        let record = [&len.to_be_bytes(), &checksum.0[..CHECKSUM_BYTES], &payload].concat();
        self.file.seek(SeekFrom::Start(self.end))?;
        fail::fail_point!("devnet-chain-before-record");
        self.write(&record)?;
        self.file.sync_data()?;
        fail::fail_point!("devnet-chain-after-record");
        self.end += record.len() as u64;
        Ok(())
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        // A crash may tear a write anywhere; the tests tear it in the middle.
        let (first, second) = record.split_at(record.len() / 2);
        self.file.write_all(first)?;
        fail::fail_point!("devnet-chain-half-a-record");
        self.file.write_all(second)
    }
}

fn check_header(bytes: &[u8], expected: Hash) -> Result<(), StoreError> {
    let (magic, rest) = bytes.split_at(MAGIC.len());
    let provided = Hash::try_from(&rest[..Hash::LEN]).map_err(|_| StoreError::NotAChain)?;
    if magic != MAGIC {
        return Err(StoreError::NotAChain);
    }
    if provided != expected {
        return Err(StoreError::OtherGenesis { provided, expected });
    }
    Ok(())
}

/// The chain that the records lead to.
fn replay(bytes: &[u8]) -> Result<Stored, StoreError> {
    let mut stored = Stored::default();
    let mut offset = HEADER_BYTES;
    while offset < bytes.len() {
        let damaged = StoreError::Damaged {
            offset: offset as u64,
        };
        let Some((payload, end)) = record_at(bytes, offset) else {
            stored.torn_bytes = (bytes.len() - offset) as u64;
            return if is_torn(bytes, offset) {
                Ok(stored)
            } else {
                Err(damaged)
            };
        };
        let (keep, new) = decode(payload)
            .filter(|(keep, _)| *keep <= stored.blocks.len())
            .ok_or(damaged)?;
        stored.rollbacks += u64::from(keep < stored.blocks.len());
        stored.blocks.truncate(keep);
        stored.blocks.extend(new);
        offset = end;
    }
    Ok(stored)
}

/// The whole record at `offset`, with its end, if its checksum holds.
fn record_at(bytes: &[u8], offset: usize) -> Option<(&[u8], usize)> {
    let end = record_end(bytes, offset)?;
    let checksum = bytes.get(offset + 4..offset + RECORD_HEAD_BYTES)?;
    let payload = bytes.get(offset + RECORD_HEAD_BYTES..end)?;
    (blake2b_256(&[payload]).0[..CHECKSUM_BYTES] == *checksum).then_some((payload, end))
}

fn record_end(bytes: &[u8], offset: usize) -> Option<usize> {
    let len: [u8; 4] = bytes.get(offset..offset + 4)?.try_into().ok()?;
    offset
        .checked_add(RECORD_HEAD_BYTES)?
        .checked_add(u32::from_be_bytes(len) as usize)
}

/// A crash damages the last record alone: it reaches the file's end or past it, or was never written but as zeros.
fn is_torn(bytes: &[u8], offset: usize) -> bool {
    let reaches_end = record_end(bytes, offset).is_none_or(|end| end >= bytes.len());
    reaches_end || bytes[offset..].iter().all(|byte| *byte == 0)
}

fn encode(keep: u64, blocks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    // Writing to memory cannot fail.
    drop(
        e.array(2)
            .and_then(|e| e.u64(keep))
            .and_then(|e| e.array(blocks.len() as u64))
            .map(|_| ()),
    );
    for block in blocks {
        drop(e.bytes(block).map(|_| ()));
    }
    bytes
}

fn decode(payload: &[u8]) -> Option<(usize, Vec<Vec<u8>>)> {
    let mut d = Decoder::new(payload);
    let parse = |d: &mut Decoder<'_>| -> Result<(u64, Vec<Vec<u8>>), minicbor::decode::Error> {
        d.array()?;
        let keep = d.u64()?;
        let count = d.array()?.unwrap_or(0);
        let blocks = (0..count)
            .map(|_| d.bytes().map(<[u8]>::to_vec))
            .collect::<Result<_, _>>()?;
        Ok((keep, blocks))
    };
    let (keep, blocks) = parse(&mut d).ok()?;
    Some((usize::try_from(keep).ok()?, blocks))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: Hash = Hash([9; 32]);

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn write(path: &Path) -> Vec<u64> {
        let (mut file, _) = ChainFile::open(path, GENESIS).expect("opens");
        let mut ends = vec![file.end];
        for (keep, blocks) in [
            (0, vec![&b"a"[..], b"b"]),
            (2, vec![b"c"]),
            (1, vec![b"d", b"e", b"f"]),
        ] {
            file.append(keep, &blocks).expect("appends");
            ends.push(file.end);
        }
        ends
    }

    fn blocks(path: &Path) -> Vec<Vec<u8>> {
        ChainFile::open(path, GENESIS).expect("opens").1.blocks
    }

    #[test]
    fn a_record_has_these_bytes() {
        assert_eq!(hex::encode(encode(2, &[b"ab", b""])), "82028242616240");
    }

    #[test]
    fn the_chain_is_read_back_after_appends_and_a_fork() {
        let folder = folder();
        let path = folder.path().join("chain");
        write(&path);
        let (_, stored) = ChainFile::open(&path, GENESIS).expect("opens");
        assert_eq!(stored.blocks, [b"a", b"d", b"e", b"f"]);
        assert_eq!((stored.rollbacks, stored.torn_bytes), (1, 0));
    }

    #[test]
    fn a_file_torn_at_any_byte_gives_a_chain_that_once_was() {
        let folder = folder();
        let path = folder.path().join("chain");
        let ends = write(&path);
        let whole = std::fs::read(&path).expect("reads");
        let chains: [&[&[u8]]; 4] = [
            &[],
            &[b"a", b"b"],
            &[b"a", b"b", b"c"],
            &[b"a", b"d", b"e", b"f"],
        ];
        for len in 0..=whole.len() {
            std::fs::write(&path, &whole[..len]).expect("writes");
            let records = ends.iter().filter(|end| **end <= len as u64).count();
            assert_eq!(
                blocks(&path),
                chains[records.saturating_sub(1)],
                "{len} bytes"
            );
            let (mut file, _) = ChainFile::open(&path, GENESIS).expect("opens again");
            file.append(0, &[b"z"]).expect("appends");
            assert_eq!(blocks(&path), [b"z"], "{len} bytes");
        }
    }

    #[test]
    fn a_tail_of_zeros_is_torn() {
        let folder = folder();
        let path = folder.path().join("chain");
        write(&path);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes.extend([0; 100]);
        std::fs::write(&path, &bytes).expect("writes");
        let (_, stored) = ChainFile::open(&path, GENESIS).expect("opens");
        assert_eq!((stored.blocks.len(), stored.torn_bytes), (4, 100));
    }

    #[test]
    fn a_flipped_byte_in_the_middle_is_damage_and_not_a_torn_end() {
        let folder = folder();
        let path = folder.path().join("chain");
        let ends = write(&path);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[ends[1] as usize - 1] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        let error = ChainFile::open(&path, GENESIS).expect_err("is refused");
        assert!(
            matches!(error, StoreError::Damaged { offset } if offset == ends[0]),
            "{error}"
        );
    }

    #[test]
    fn the_chain_of_another_genesis_is_refused() {
        let folder = folder();
        let path = folder.path().join("chain");
        write(&path);
        let error = ChainFile::open(&path, Hash([8; 32])).expect_err("is refused");
        assert!(
            matches!(
                error,
                StoreError::OtherGenesis {
                    provided: GENESIS,
                    ..
                }
            ),
            "{error}"
        );
    }
}
