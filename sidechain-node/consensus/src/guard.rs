//! What this validator signed last, in a file that stands beside its key ([`crate::Config::last_signed`]) and not with its other data: a store or
//! a crash log that was lost, or put back as it once was, cannot make it sign two things for one height, round and step.
//!
//! The record is on disk before a signature leaves this process. It says for one height and round what was signed at each step, and a later
//! height or round takes the place of an earlier one, for which nothing is signed any more.
//!
//! Where store and crash log still know the record's height, the log is believed about votes: Malachite syncs it before it sends one, so that what is
//! noted here and not there was seen by nobody. Where they do not, nothing is signed at that height any more, in this process or a later one: what
//! binds this validator there, such as a lock on a block, the log alone knew.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use minicbor::{Decode, Encode};
use nupeer_primitives::{Hash, blake2b_256, cbor};

use crate::ConsensusError;

/// The file: one sector, so that it is written at once. A checksum over chain and record (32 bytes), the record's length (2 bytes, big-endian),
/// the record in canonical CBOR, zeros.
const FILE_BYTES: usize = 512;
/// Checksum and length.
const HEAD_BYTES: usize = 34;
/// First bytes of what the checksum is over.
const DOMAIN: &[u8] = b"nupeer/last-signed/1";

/// The steps of a round at which a validator signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Announcement,
    Proposal,
    Prevote,
    Precommit,
}

/// Something to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) step: Step,
    /// What must be the same the next time: of a vote the block, or zeros for none; else the hash of all that the signature covers.
    pub(crate) value: Hash,
}

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Withheld {
    #[error("another {step:?} was signed at height {height} in round {round}")]
    Signed { height: u64, round: u32, step: Step },
    #[error(
        "height {height} and round {round} are over: what was signed last is of height {last_height} and round {last_round}"
    )]
    Passed {
        height: u64,
        round: u32,
        last_height: u64,
        last_round: u32,
    },
    #[error("what is known of height {height}, at which something was signed, was lost: nothing is signed before height {}", height + 1)]
    Lost { height: u64 },
    #[error("{}: {reason}", path.display())]
    Unwritten { path: PathBuf, reason: String },
}

/// What was signed last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Record {
    #[n(0)]
    height: u64,
    #[n(1)]
    round: u32,
    #[n(2)]
    announcement: Option<Hash>,
    #[n(3)]
    proposal: Option<Hash>,
    #[n(4)]
    prevote: Option<Hash>,
    #[n(5)]
    precommit: Option<Hash>,
    /// Whether store or crash log were found not to know of this height any more.
    #[n(6)]
    lost: bool,
}

impl Record {
    /// Notes a statement, or says why it must not be made.
    fn take(&mut self, wanted: &Statement) -> Result<(), Withheld> {
        let Statement {
            height,
            round,
            step,
            value,
        } = *wanted;
        if self.lost && height <= self.height {
            let height = self.height;
            return Err(Withheld::Lost { height });
        }
        if (height, round) < (self.height, self.round) {
            return Err(Withheld::Passed {
                height,
                round,
                last_height: self.height,
                last_round: self.round,
            });
        }
        if (height, round) > (self.height, self.round) {
            *self = Record {
                height,
                round,
                ..Record::default()
            };
        }
        let noted = match step {
            Step::Announcement => &mut self.announcement,
            Step::Proposal => &mut self.proposal,
            Step::Prevote => &mut self.prevote,
            Step::Precommit => &mut self.precommit,
        };
        if *noted.get_or_insert(value) != value {
            return Err(Withheld::Signed {
                height,
                round,
                step,
            });
        }
        Ok(())
    }

    /// After a start: what is believed, where `known` is the last height of which store and crash log know.
    fn resumed(self, known: u64) -> Record {
        match self.lost || known < self.height {
            true => Record { lost: true, ..self },
            false => Record {
                prevote: None,
                precommit: None,
                ..self
            },
        }
    }

    fn to_file(&self, network: &Hash) -> [u8; FILE_BYTES] {
        let record = cbor::encode(self);
        let mut out = [0; FILE_BYTES];
        // Seven small fields: far below the sector's end.
        let length = record.len().min(FILE_BYTES - HEAD_BYTES);
        out[HEAD_BYTES..HEAD_BYTES + length].copy_from_slice(&record[..length]);
        out[32..HEAD_BYTES].copy_from_slice(&(length as u16).to_be_bytes());
        let sum = blake2b_256(&[DOMAIN, &network.0, &out[32..]]);
        out[..32].copy_from_slice(&sum.0);
        out
    }

    /// The record in a file's bytes; a file without any is one that was made and not yet written to.
    fn from_file(bytes: &[u8], network: &Hash) -> Result<Record, &'static str> {
        if bytes.is_empty() {
            return Ok(Record::default());
        }
        if bytes.len() != FILE_BYTES {
            return Err("it is not as long as it should be");
        }
        let (checksum, rest) = bytes.split_at(32);
        if blake2b_256(&[DOMAIN, &network.0, rest]).0 != checksum {
            return Err("it is damaged, or another chain's");
        }
        let (length, rest) = rest.split_at(2);
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let record = rest
            .get(..length)
            .and_then(|bytes| cbor::decode(bytes).ok());
        record.ok_or("it is of another version")
    }
}

struct Inner {
    last: Record,
    /// Made with the first signature: who never signs needs none.
    file: Option<File>,
}

/// Keeps this validator from contradicting itself.
pub(crate) struct Guard {
    path: PathBuf,
    network: Hash,
    inner: Mutex<Inner>,
    /// What went wrong in writing; nothing is signed after that.
    failed: OnceLock<String>,
}

impl Guard {
    /// Reads what was signed last. `known` is the last height of which both store and crash log know; a loss is noted for good.
    pub(crate) fn open(path: &Path, network: Hash, known: u64) -> Result<Guard, ConsensusError> {
        let file = match open(path, false) {
            Ok(file) => Some(file),
            Err(OpenError::Io(error)) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into_consensus(path)),
        };
        let mut bytes = Vec::new();
        if let Some(file) = file.as_ref() {
            let read = file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes);
            read.map_err(|error| OpenError::Io(error).into_consensus(path))?;
        }
        let refused = |reason: String| ConsensusError::LastSigned {
            path: path.to_owned(),
            reason,
        };
        let read = Record::from_file(&bytes, &network).map_err(|reason| refused(reason.into()))?;
        let (was_lost, last) = (read.lost, read.resumed(known));
        let is_news = last.lost && !was_lost;
        let guard = Guard {
            path: path.to_owned(),
            network,
            inner: Mutex::new(Inner { last, file }),
            failed: OnceLock::new(),
        };
        if is_news {
            let mut inner = guard.lock();
            let lost = inner.last.clone();
            tracing::warn!(
                height = lost.height,
                "store or crash log know nothing of what was signed last: nothing is signed at that height again"
            );
            guard.write(&mut inner, &lost).map_err(refused)?;
        }
        Ok(guard)
    }

    /// Notes on disk that these statements are signed, or says why they must not be. Blocks for as long as a disk takes; what was signed before in
    /// the same words costs nothing.
    pub(crate) fn admit(&self, wanted: &[Statement]) -> Result<(), Withheld> {
        let mut inner = self.lock();
        if let Some(reason) = self.failed.get() {
            return Err(self.unwritten(reason.clone()));
        }
        let mut next = inner.last.clone();
        for statement in wanted {
            next.take(statement)?;
        }
        if next != inner.last {
            if let Err(reason) = self.write(&mut inner, &next) {
                let _ = self.failed.set(reason.clone());
                return Err(self.unwritten(reason));
            }
            inner.last = next;
        }
        Ok(())
    }

    /// Why it could not note what was to be signed, if so.
    pub(crate) fn failure(&self) -> Option<ConsensusError> {
        let reason = self.failed.get()?.clone();
        let path = self.path.clone();
        Some(ConsensusError::LastSigned { path, reason })
    }

    fn unwritten(&self, reason: String) -> Withheld {
        let path = self.path.clone();
        Withheld::Unwritten { path, reason }
    }

    fn write(&self, inner: &mut Inner, record: &Record) -> Result<(), String> {
        let bytes = record.to_file(&self.network);
        let mut written = || -> std::io::Result<()> {
            let file = match inner.file.take() {
                Some(file) => file,
                None => create(&self.path)?,
            };
            let file = inner.file.insert(file);
            file.write_all_at(&bytes, 0)?;
            file.sync_data()
        };
        written().map_err(|error| error.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The record changes as a whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum OpenError {
    Locked,
    Io(std::io::Error),
}

impl OpenError {
    fn into_consensus(self, path: &Path) -> ConsensusError {
        let path = path.to_owned();
        match self {
            OpenError::Locked => ConsensusError::Locked { home: path },
            OpenError::Io(source) => ConsensusError::Io { path, source },
        }
    }
}

/// Two processes that sign with one key on one machine are the commonest way to contradict oneself: the file is held.
fn open(path: &Path, create: bool) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    let opened = options.create(create).open(path);
    let file = opened.map_err(OpenError::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => Err(OpenError::Io(error)),
    }
}

/// Makes the file, and its entry in its folder, so that a power cut leaves both or neither.
fn create(path: &Path) -> std::io::Result<File> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let opened = open(path, true).map_err(|error| match error {
        OpenError::Locked => std::io::Error::other("another process holds it"),
        OpenError::Io(error) => error,
    })?;
    File::open(folder)?.sync_all()?;
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Hash = Hash([9; 32]);

    fn at(height: u64, round: u32, step: Step, block: u8) -> Statement {
        Statement {
            height,
            round,
            step,
            value: Hash([block; 32]),
        }
    }

    fn guard(folder: &tempfile::TempDir, known: u64) -> Guard {
        Guard::open(&folder.path().join("keys/last-signed"), NETWORK, known).unwrap()
    }

    fn why(refused: Result<(), Withheld>) -> &'static str {
        match refused {
            Ok(()) => "signed",
            Err(Withheld::Signed { .. }) => "another",
            Err(Withheld::Passed { .. }) => "passed",
            Err(Withheld::Lost { .. }) => "lost",
            Err(Withheld::Unwritten { .. }) => "unwritten",
        }
    }

    #[test]
    fn one_thing_is_signed_at_each_height_round_and_step() {
        use Step::{Announcement, Precommit, Prevote, Proposal};
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(&folder, 0);
        for (height, round, step, block, expected) in [
            (7, 1, Prevote, 3, "signed"),
            (7, 1, Prevote, 3, "signed"),
            (7, 1, Prevote, 4, "another"),
            (7, 1, Prevote, 0, "another"),
            (7, 1, Announcement, 4, "signed"),
            (7, 1, Proposal, 4, "signed"),
            (7, 1, Proposal, 5, "another"),
            (7, 1, Announcement, 5, "another"),
            (7, 1, Precommit, 0, "signed"),
            (7, 1, Precommit, 3, "another"),
            (7, 0, Prevote, 3, "passed"),
            (6, 9, Prevote, 3, "passed"),
            (7, 2, Prevote, 4, "signed"),
            (7, 1, Prevote, 3, "passed"),
            (8, 0, Prevote, 0, "signed"),
            (7, 3, Prevote, 3, "passed"),
            (8, 0, Prevote, 0, "signed"),
        ] {
            let refused = guard.admit(&[at(height, round, step, block)]);
            assert_eq!(why(refused), expected, "{height} {round} {step:?} {block}");
        }
    }

    /// What a vote was noted for and the log does not have was sent to nobody; parts of a proposed block go out before the log has it.
    #[test]
    fn who_kept_store_and_log_votes_by_the_log_and_proposes_nothing_else() {
        use Step::{Announcement, Precommit, Prevote};
        let folder = tempfile::tempdir().unwrap();
        for step in [Announcement, Prevote, Precommit] {
            guard(&folder, 7).admit(&[at(7, 1, step, 3)]).unwrap();
        }
        for (known, step, expected) in [
            (7, Announcement, "another"),
            (7, Prevote, "signed"),
            (7, Precommit, "signed"),
            (9, Prevote, "signed"),
        ] {
            let copy = copy_of(&folder);
            let refused = guard(&copy, known).admit(&[at(7, 1, step, 4)]);
            assert_eq!(why(refused), expected, "{known} {step:?}");
            let earlier = guard(&copy, known).admit(&[at(7, 0, step, 3)]);
            assert_eq!(why(earlier), "passed");
        }
    }

    #[test]
    fn who_lost_store_or_log_signs_nothing_at_that_height_again_however_often_it_starts() {
        use Step::{Announcement, Precommit, Prevote};
        let folder = tempfile::tempdir().unwrap();
        guard(&folder, 6).admit(&[at(7, 1, Precommit, 3)]).unwrap();
        for known in [0, 6, 7, 8, 7] {
            let guard = guard(&folder, known);
            for (height, round, step, block) in [
                (7, 1, Precommit, 3),
                (7, 2, Prevote, 0),
                (7, 2, Prevote, 4),
                (7, 9, Announcement, 4),
                (6, 0, Prevote, 4),
            ] {
                let refused = guard.admit(&[at(height, round, step, block)]);
                assert_eq!(why(refused), "lost", "{known} {height} {round}");
            }
        }
        // The next height is as any other, and what was lost does not come back with it.
        let after = guard(&folder, 8);
        after.admit(&[at(8, 0, Prevote, 4)]).unwrap();
        drop(after);
        let again = guard(&folder, 8).admit(&[at(8, 1, Prevote, 5)]);
        assert_eq!(why(again), "signed");
    }

    fn copy_of(folder: &tempfile::TempDir) -> tempfile::TempDir {
        let (copy, file) = (tempfile::tempdir().unwrap(), "keys/last-signed");
        std::fs::create_dir(copy.path().join("keys")).unwrap();
        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        copy
    }

    #[test]
    fn of_several_statements_all_are_noted_or_none() {
        use Step::{Announcement, Proposal};
        let folder = tempfile::tempdir().unwrap();
        let both = |block| [at(7, 0, Announcement, block), at(7, 0, Proposal, block)];
        guard(&folder, 7).admit(&[at(7, 0, Proposal, 4)]).unwrap();
        assert_eq!(why(guard(&folder, 7).admit(&both(3))), "another");
        assert_eq!(why(guard(&folder, 7).admit(&both(4))), "signed");
    }

    #[test]
    fn a_damaged_record_another_chains_and_one_in_use_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/last-signed");
        let open = |network| Guard::open(&path, network, 7).map(drop);
        let held = guard(&folder, 7);
        held.admit(&[at(7, 0, Step::Prevote, 3)]).unwrap();
        let refused = open(NETWORK);
        assert!(matches!(refused, Err(ConsensusError::Locked { home }) if home == path));
        drop(held);
        let refused = open(Hash([8; 32]));
        assert!(matches!(refused, Err(ConsensusError::LastSigned { .. })));
        assert!(open(NETWORK).is_ok());
        let good = std::fs::read(&path).unwrap();
        for damage in 0..good.len() {
            let mut bytes = good.clone();
            bytes[damage] ^= 1;
            assert!(
                Record::from_file(&bytes, &NETWORK).is_err(),
                "byte {damage}"
            );
        }
        std::fs::write(&path, &good[..511]).unwrap();
        assert!(matches!(
            open(NETWORK),
            Err(ConsensusError::LastSigned { .. })
        ));
    }

    #[test]
    fn what_cannot_be_noted_is_not_signed_and_nothing_is_after_it() {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder should be.
        std::fs::write(folder.path().join("keys"), "").unwrap();
        let path = folder.path().join("keys/last-signed");
        let Err(ConsensusError::Io { .. }) = Guard::open(&path, NETWORK, 7) else {
            panic!("a file is no folder");
        };
        std::fs::remove_file(folder.path().join("keys")).unwrap();
        let guard = guard(&folder, 7);
        std::fs::write(folder.path().join("keys"), "").unwrap();
        let prevote = [at(7, 0, Step::Prevote, 3)];
        assert_eq!(why(guard.admit(&prevote)), "unwritten");
        std::fs::remove_file(folder.path().join("keys")).unwrap();
        assert_eq!(why(guard.admit(&prevote)), "unwritten");
        assert!(matches!(
            guard.failure(),
            Some(ConsensusError::LastSigned { .. })
        ));
    }

    #[test]
    fn the_file_is_pinned() {
        let hash = |n: u8| Some(Hash([n; 32]));
        let record = Record {
            height: u64::MAX,
            round: u32::MAX,
            announcement: hash(1),
            proposal: hash(2),
            prevote: hash(3),
            precommit: None,
            lost: true,
        };
        let file = record.to_file(&NETWORK);
        assert_eq!(Record::from_file(&file, &NETWORK).unwrap(), record);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let wide = |n: &str| format!("5820{}", n.repeat(32));
        let (one, two, three) = (wide("01"), wide("02"), wide("03"));
        let cbor = format!("871bffffffffffffffff1affffffff{one}{two}{three}f6f5");
        assert_eq!(hex(&file[HEAD_BYTES..HEAD_BYTES + cbor.len() / 2]), cbor);
        assert_eq!(
            usize::from(u16::from_be_bytes([file[32], file[33]])),
            cbor.len() / 2
        );
        // All of its fields fit.
        let full = Record {
            precommit: hash(4),
            ..record
        };
        assert!(cbor::encode(&full).len() + HEAD_BYTES <= FILE_BYTES);
    }
}
