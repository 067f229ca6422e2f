//! How far any node told of the chain, kept on disk: after a restart, too, a node that lags behind is not believed about what is gone.

use std::fs;
use std::path::{Path, PathBuf};

use nupeer_primitives::{Hash, Height};

use crate::records::{RecordError, write};

const SEEN: &str = "seen";
/// Blocks that may go by until the height is written down again: a node this little behind does no harm, since what it lacks is asked for
/// by name as well.
const WRITE_EVERY: u64 = 20;

/// The highest height that was seen of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    folder: PathBuf,
    chain: Hash,
    height: Height,
    written: Height,
}

impl Seen {
    /// What is written in `folder` about the chain with this genesis id; nothing where it is about another chain.
    pub fn read(folder: &Path, chain: &Hash) -> Self {
        let text = fs::read_to_string(folder.join(SEEN)).unwrap_or_default();
        let height = text
            .split_once(' ')
            .filter(|(id, _)| *id == chain.to_string())
            .and_then(|(_, digits)| digits.parse().ok());
        let height = Height(height.unwrap_or(0));
        Seen {
            folder: folder.into(),
            chain: *chain,
            height,
            written: height,
        }
    }

    /// The highest height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// A node told of `height`.
    ///
    /// # Errors
    /// It cannot be written down where that is due.
    pub fn raise(&mut self, height: Height) -> Result<(), RecordError> {
        self.height = self.height.max(height);
        if self.height.0 >= self.written.0.saturating_add(WRITE_EVERY) {
            let text = format!("{} {}", self.chain, self.height);
            write(&self.folder, SEEN, text.as_bytes())?;
            self.written = self.height;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: Hash = Hash([1; 32]);

    #[test]
    fn a_height_outlives_a_restart_and_belongs_to_its_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::read(folder.path(), &CHAIN);
        assert_eq!(seen.height(), Height(0));
        for height in [5, 40, 7] {
            seen.raise(Height(height)).unwrap();
        }
        assert_eq!(seen.height(), Height(40));
        assert_eq!(Seen::read(folder.path(), &CHAIN).height(), Height(40));
        assert_eq!(Seen::read(folder.path(), &Hash::ZERO).height(), Height(0));
    }
}
