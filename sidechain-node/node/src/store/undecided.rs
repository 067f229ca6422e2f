//! Blocks that may be decided: stored before this node votes for them, since the crash log of consensus holds their ids
//! alone.

use nupeer_consensus::Undecided;
use nupeer_primitives::Height;
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use super::{Column, Store, StoreError, codec};

impl Store {
    /// Stores a block that may be decided; when this returns it survives a power cut.
    pub fn put_undecided(&self, undecided: &Undecided) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let column = self.column(Column::Undecided)?;
        batch.put_cf(
            column,
            codec::undecided_key(undecided),
            codec::undecided_bytes(undecided),
        );
        self.write(batch)
    }

    /// All that is undecided at `height`, by round.
    pub fn undecided(&self, height: Height) -> Result<Vec<Undecided>, StoreError> {
        let entries = self.undecided_entries(height)?;
        entries
            .iter()
            .map(|(key, value)| codec::undecided(key, value))
            .collect()
    }

    /// Decided heights have nothing undecided: each is cleaned up when it is decided.
    pub(super) fn delete_undecided(
        &self,
        batch: &mut WriteBatch,
        height: Height,
    ) -> Result<(), StoreError> {
        let column = self.column(Column::Undecided)?;
        for (key, _) in self.undecided_entries(height)? {
            batch.delete_cf(column, key);
        }
        Ok(())
    }

    fn undecided_entries(&self, height: Height) -> Result<Vec<Entry>, StoreError> {
        let from = codec::height_key(height);
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(codec::height_key(height.next()));
        let mode = IteratorMode::From(&from, Direction::Forward);
        let entries = self
            .db
            .iterator_cf_opt(self.column(Column::Undecided)?, options, mode);
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

type Entry = (Box<[u8]>, Box<[u8]>);
