//! How far the chain is known to be, by its validators' signatures, kept on disk: after a restart, too, a node that lags behind is not believed
//! about what is gone.

use std::path::{Path, PathBuf};

use nupeer_primitives::{Hash, Height};

use crate::chain::Certified;
use crate::files;
use crate::records::{RecordError, write};

const SEEN: &str = "seen";
/// Blocks that may go by until the height is written down again where nothing new was learnt at it: a node this little behind does no harm.
const WRITE_EVERY: u64 = 20;

/// Rounds without a new block after which another node is asked.
const ROUNDS_STILL: u32 = 10;

/// Rounds for which a machine with nothing to do goes by the header that it has. Less than [`ROUNDS_STILL`], so that new blocks are seen before
/// a node is taken to stand still.
const ROUNDS_IDLE: u32 = 4;

/// The highest height that was seen of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    folder: PathBuf,
    chain: Hash,
    height: Height,
    written: Height,
    /// Rounds in a row that brought no new block.
    still: u32,
    /// The newest block that the validators' signatures showed since the start.
    certified: Option<Certified>,
    /// Rounds in a row that went by it although a newer one was told of.
    idle: u32,
}

impl Seen {
    /// What is written in `folder` about the chain with this genesis id; nothing where it is about another chain.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written: whoever takes it for nothing believes any node that lags behind.
    pub fn read(folder: &Path, chain: &Hash) -> Result<Self, RecordError> {
        let path = folder.join(SEEN);
        let height = match files::read(&path) {
            Ok(None) => Height(0),
            Err(source) => return Err(RecordError::Io { path, source }),
            Ok(Some(bytes)) => match parse(&bytes) {
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
            certified: None,
            idle: 0,
        })
    }

    /// Notes a block that the validators' signatures showed.
    pub fn certify(&mut self, shown: Certified) {
        if self
            .certified
            .is_none_or(|known| known.height < shown.height)
        {
            self.certified = Some(shown);
        }
    }

    /// The block to go by for an answer of the height `told`, where no other need be asked for: one that is as new as the answer claims to be; or,
    /// where `nothing` hangs on the time, any for some rounds. Who claims no new blocks is taken to stand still sooner or later
    /// ([`Seen::stands_still_since`]).
    pub fn suffices(&mut self, told: Height, nothing: bool) -> Option<Certified> {
        let known = self.certified?;
        if known.height >= told {
            return Some(known);
        }
        self.idle = match nothing && self.idle < ROUNDS_IDLE {
            true => self.idle + 1,
            false => 0,
        };
        (self.idle > 0).then_some(known)
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
    use std::fs;

    use nupeer_primitives::TimeMs;

    use super::*;

    const CHAIN: Hash = Hash([1; 32]);

    #[test]
    fn a_header_serves_for_its_height_and_below_and_some_rounds_longer_where_nothing_hangs_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::read(folder.path(), &CHAIN).unwrap();
        let block = |height| Certified {
            height: Height(height),
            time: TimeMs(height * 1_000),
        };
        assert_eq!(seen.suffices(Height(0), true), None);
        seen.certify(block(5));
        seen.certify(block(4));
        for told in [4, 5] {
            assert_eq!(seen.suffices(Height(told), false), Some(block(5)));
        }
        assert_eq!(seen.suffices(Height(6), false), None);
        let asked: Vec<usize> = (0..15)
            .filter(|_| seen.suffices(Height(6), true).is_none())
            .collect();
        assert_eq!(asked, [4, 9, 14]);
    }

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
