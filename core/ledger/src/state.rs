//! Access to the state: two key spaces, overlays over them, and the changes that an overlay gathered.
//!
//! **Proven** entries are leaves of the authenticated tree: anybody can be shown that one stands under a state root, a Plutus
//! script included. Their keys are hashes. **Plain** entries are ordered byte strings that need no proof of their own: what
//! they change is hashed into the journal that the state root also commits to (`docs/decisions/001`). Touching the tree costs
//! some fifty hashes a key, so what nobody needs proven stays plain.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included},
};

use nupeer_primitives::Hash;

/// Reading the state. Total: a store that fails to read says `None` and refuses every later commit, so that rules need no
/// error for a broken disk.
pub trait StateRead {
    /// The value of a leaf of the authenticated tree.
    fn proven(&self, key: &Hash) -> Option<Vec<u8>>;

    /// The value of a plain entry.
    fn plain(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// Plain entries with `from <= key < to`, in ascending order, at most `limit` of them.
    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Plain entries whose key starts with `prefix`, in ascending order, at most `limit` of them.
    fn plain_prefix(&self, prefix: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.plain_range(prefix, &after_prefix(prefix), limit)
    }
}

/// Writing the state; `None` removes.
pub trait StateWrite: StateRead {
    /// Sets or removes a leaf of the authenticated tree.
    fn set_proven(&mut self, key: Hash, value: Option<Vec<u8>>);

    /// Sets or removes a plain entry.
    fn set_plain(&mut self, key: Vec<u8>, value: Option<Vec<u8>>);
}

/// The first key after all those that start with `prefix`. A prefix of nothing but 255s has no such key; ours start with
/// letters.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// What was written, latest value of each key; `None` is a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Leaves of the authenticated tree.
    pub proven: BTreeMap<Hash, Option<Vec<u8>>>,
    /// Plain entries.
    pub plain: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Changes {
    /// Puts `later` on top.
    pub fn merge(&mut self, later: Changes) {
        self.proven.extend(later.proven);
        self.plain.extend(later.plain);
    }

    /// Writes all of it to `state`.
    pub fn write_to(self, state: &mut dyn StateWrite) {
        for (key, value) in self.proven {
            state.set_proven(key, value);
        }
        for (key, value) in self.plain {
            state.set_plain(key, value);
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.proven.is_empty() && self.plain.is_empty()
    }
}

/// Runs `step` on a fork of `state` and keeps its writes only if it succeeds.
pub fn atomically<T, E>(
    state: &mut dyn StateWrite,
    step: impl FnOnce(&mut Overlay<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut fork = Overlay::new(state);
    let done = step(&mut fork)?;
    let changes = fork.into_changes();
    changes.write_to(state);
    Ok(done)
}

/// A fork of the state: reads fall through to `base`, writes stay here.
pub struct Overlay<'a> {
    base: &'a dyn StateRead,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    /// A fork of `base` without a write.
    pub fn new(base: &'a dyn StateRead) -> Self {
        Overlay {
            base,
            changes: Changes::default(),
        }
    }

    /// A fork of `base` that starts with `changes`.
    pub fn with_changes(base: &'a dyn StateRead, changes: Changes) -> Self {
        Overlay { base, changes }
    }

    /// What was written here.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// Runs `step` on a fork of this fork and keeps its writes only if it succeeds.
    pub fn atomically<T, E>(
        &mut self,
        step: impl FnOnce(&mut Overlay<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        atomically(self, step)
    }
}

impl StateRead for Overlay<'_> {
    fn proven(&self, key: &Hash) -> Option<Vec<u8>> {
        match self.changes.proven.get(key) {
            Some(value) => value.clone(),
            None => self.base.proven(key),
        }
    }

    fn plain(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.changes.plain.get(key) {
            Some(value) => value.clone(),
            None => self.base.plain(key),
        }
    }

    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= to {
            return Vec::new();
        }
        let ours: Vec<_> = self
            .changes
            .plain
            .range::<[u8], _>((Included(from), Excluded(to)))
            .collect();
        // Each removal here may hide one entry below, so that many more are asked for.
        let hidden = ours.iter().filter(|(_, value)| value.is_none()).count();
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = self
            .base
            .plain_range(from, to, limit.saturating_add(hidden))
            .into_iter()
            .collect();
        for (key, value) in ours {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        merged.into_iter().take(limit).collect()
    }
}

impl StateWrite for Overlay<'_> {
    fn set_proven(&mut self, key: Hash, value: Option<Vec<u8>>) {
        self.changes.proven.insert(key, value);
    }

    fn set_plain(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.plain.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::MemoryState;

    #[test]
    fn a_failed_step_leaves_nothing_behind() {
        let base = MemoryState::default();
        let mut fork = Overlay::new(&base);
        let failed: Result<(), &str> = fork.atomically(|child| {
            child.set_plain(b"a".to_vec(), Some(vec![1]));
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert!(fork.into_changes().is_empty());
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_its_keys() {
        for (prefix, end) in [(&b"ab"[..], &b"ac"[..]), (&[1, 255], &[2]), (&[255], &[])] {
            assert_eq!(after_prefix(prefix), end);
        }
    }

    type Write = (u8, Option<u8>);

    fn apply(state: &mut impl StateWrite, writes: &[Write]) {
        for (key, value) in writes {
            state.set_plain(vec![*key], value.map(|v| vec![v]));
        }
    }

    proptest! {
        /// However writes are spread over base, fork and fork of the fork, a range reads as if all were in one.
        #[test]
        fn a_range_over_forks_is_the_range_of_the_merged_state(
            below in prop::collection::vec(any::<Write>(), 0..40),
            middle in prop::collection::vec(any::<Write>(), 0..40),
            above in prop::collection::vec(any::<Write>(), 0..40),
            from: u8, to: u8, limit in 0usize..20,
        ) {
            let mut base = MemoryState::default();
            apply(&mut base, &below);
            let mut whole = base.clone();
            apply(&mut whole, &middle);
            apply(&mut whole, &above);
            let mut fork = Overlay::new(&base);
            apply(&mut fork, &middle);
            let mut child = Overlay::new(&fork);
            apply(&mut child, &above);
            prop_assert_eq!(child.plain_range(&[from], &[to], limit), whole.plain_range(&[from], &[to], limit));
        }
    }
}
