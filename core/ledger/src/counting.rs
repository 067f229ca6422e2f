//! A state in memory that counts what is read of it, for tests: what is said to take constant time must not read more of a larger state.
//!
//! Public, since tests of the crates above need it, and behind no feature: everything is built with one set of features
//! (docs/decisions/002-one-build-profile.md), so that one for tests would be in every program all the same, or this crate and all above it
//! would be compiled twice. No rule calls it.

use std::cell::Cell;

use nupeer_primitives::Hash;

use crate::{
    memory::MemoryState,
    state::{StateRead, StateWrite},
};

/// A [`MemoryState`] that counts what is read of it.
pub struct Counting {
    state: MemoryState,
    reads: Cell<usize>,
}

impl Counting {
    /// Of which nothing was read yet.
    pub fn new(state: MemoryState) -> Self {
        let reads = Cell::new(0);
        Counting { state, reads }
    }

    /// Entries read so far.
    pub fn reads(&self) -> usize {
        self.reads.get()
    }

    fn count(&self, more: usize) {
        self.reads.set(self.reads.get() + more);
    }
}

impl StateRead for Counting {
    fn proven(&self, key: &Hash) -> Option<Vec<u8>> {
        self.count(1);
        self.state.proven(key)
    }

    fn plain(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.count(1);
        self.state.plain(key)
    }

    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let found = self.state.plain_range(from, to, limit);
        self.count(1 + found.len());
        found
    }
}

impl StateWrite for Counting {
    fn set_proven(&mut self, key: Hash, value: Option<Vec<u8>>) {
        self.state.set_proven(key, value);
    }

    fn set_plain(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.state.set_plain(key, value);
    }
}
