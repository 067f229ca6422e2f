//! How far the chain is known to be, by its validators' signatures, kept on disk: after a restart, too, a node that lags behind is not believed
//! about what is gone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nupeer_primitives::{Hash, Height};

use crate::records::{RecordError, write};

const SEEN: &str = "seen";
/// Blocks that may go by until the height is written down again where nothing new was learnt at it: a node this little behind does no harm.
const WRITE_EVERY: u64 = 20;

/// Rounds without a new block after which another node is asked.
const ROUNDS_STILL: u32 = 10;

/// The highest height that was seen of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    folder: PathBuf,
    chain: Hash,
    height: Height,
    written: Height,
    /// Rounds in a row that brought no new block.
    still: u32,
}

impl Seen {
    /// What is written in `folder` about the chain with this genesis id; nothing where it is about another chain.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written: whoever takes it for nothing believes any node that lags behind.
    pub fn read(folder: &Path, chain: &Hash) -> Result<Self, RecordError> {
        let path = folder.join(SEEN);
        let height = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Height(0),
            Err(source) => return Err(RecordError::Io { path, source }),
            Ok(bytes) => match parse(&bytes) {
                Some((id, height)) if id == *chain => height,
                Some(_) => Height(0),
                None => {
                    let reason = "no genesis id and height".into();
                    return Err(RecordError::Damaged { path, reason });
                }
            },
        };
        Ok(Seen {
            folder: folder.into(),
            chain: *chain,
            height,
            written: height,
            still: 0,
        })
    }

    /// The highest height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Counts a round that began at the height `before`; whether it is one too many without a new block.
    pub fn stands_still_since(&mut self, before: Height) -> bool {
        self.still = match self.height > before {
            true => 0,
            false => self.still.saturating_add(1),
        };
        self.still > 0 && self.still.is_multiple_of(ROUNDS_STILL)
    }

    /// The chain is as far as `height`; `at_once`: write that down now.
    ///
    /// # Errors
    /// It cannot be written down where that is due.
    pub fn raise(&mut self, height: Height, at_once: bool) -> Result<(), RecordError> {
        self.height = self.height.max(height);
        let is_due = self.height.0 >= self.written.0.saturating_add(WRITE_EVERY);
        if is_due || (at_once && self.height > self.written) {
            let text = format!("{} {}", self.chain, self.height);
            write(&self.folder, SEEN, text.as_bytes())?;
            self.written = self.height;
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Option<(Hash, Height)> {
    let (id, digits) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    Some((id.parse().ok()?, Height(digits.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: Hash = Hash([1; 32]);

    #[test]
    fn some_rounds_without_a_block_are_too_many_and_a_block_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::read(folder.path(), &CHAIN).unwrap();
        let mut round = |height| {
            let before = seen.height();
            seen.raise(Height(height), false).unwrap();
            seen.stands_still_since(before)
        };
        let heights = [vec![5; 10], vec![6; 30]].concat();
        let told: Vec<usize> = (0..40).filter(|n| round(heights[*n])).collect();
        assert_eq!(told, [20, 30]);
    }

    #[test]
    fn a_height_outlives_a_restart_and_belongs_to_its_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::read(folder.path(), &CHAIN).unwrap();
        assert_eq!(seen.height(), Height(0));
        for height in [5, 40, 7] {
            seen.raise(Height(height), false).unwrap();
        }
        assert_eq!(seen.height(), Height(40));
        seen.raise(Height(41), false).unwrap();
        let of = |chain| Seen::read(folder.path(), chain).unwrap().height();
        let read = || of(&CHAIN);
        assert_eq!(read(), Height(40), "a block more is no reason to write");
        seen.raise(Height(42), true).unwrap();
        assert_eq!(read(), Height(42));
        assert_eq!(of(&Hash::ZERO), Height(0));
    }

    #[test]
    fn what_was_never_written_there_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let whole = format!("{CHAIN} 42");
        for damaged in ["", "42", &whole[..60], &whole[..65], "\u{fffd}"] {
            fs::write(folder.path().join(SEEN), damaged).unwrap();
            let read = Seen::read(folder.path(), &CHAIN);
            assert!(
                matches!(read, Err(RecordError::Damaged { .. })),
                "{damaged:?}"
            );
        }
    }
}
