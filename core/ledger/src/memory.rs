//! A state in memory, for tests, for simulation and for computing the genesis state.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included},
};

use nupeer_primitives::Hash;

use crate::state::{Changes, StateRead, StateWrite};

/// All entries of both key spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    proven: BTreeMap<Hash, Vec<u8>>,
    plain: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryState {
    /// Writes what an overlay gathered.
    pub fn commit(&mut self, changes: Changes) {
        changes
            .proven
            .into_iter()
            .for_each(|(key, value)| self.set_proven(key, value));
        changes
            .plain
            .into_iter()
            .for_each(|(key, value)| self.set_plain(key, value));
    }
}

impl StateRead for MemoryState {
    fn proven(&self, key: &Hash) -> Option<Vec<u8>> {
        self.proven.get(key).cloned()
    }

    fn plain(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.plain.get(key).cloned()
    }

    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= to {
            return Vec::new();
        }
        let range = self.plain.range::<[u8], _>((Included(from), Excluded(to)));
        range
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl StateWrite for MemoryState {
    fn set_proven(&mut self, key: Hash, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.proven.insert(key, value),
            None => self.proven.remove(&key),
        };
    }

    fn set_plain(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.plain.insert(key, value),
            None => self.plain.remove(&key),
        };
    }
}
