//! Changes to a map that know both what was and what will be: made, read through before they are made, and taken back.

use std::collections::BTreeMap;

/// Entries before and after; an absent one is not in the map.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change<V> {
    before: Option<V>,
    after: Option<V>,
}

/// The changes of some entries of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delta<K, V>(BTreeMap<K, Change<V>>);

impl<K, V> Default for Delta<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Copy + Ord, V: Clone + PartialEq> Delta<K, V> {
    /// An entry of the map as it will be.
    pub(crate) fn get<'a>(&'a self, map: &'a BTreeMap<K, V>, key: &K) -> Option<&'a V> {
        match self.0.get(key) {
            Some(change) => change.after.as_ref(),
            None => map.get(key),
        }
    }

    /// Sets or (with nothing) removes an entry of the map as it will be.
    pub(crate) fn set(&mut self, map: &BTreeMap<K, V>, key: K, after: Option<V>) {
        let change = self.0.entry(key).or_insert_with(|| Change {
            before: map.get(&key).cloned(),
            after: None,
        });
        change.after = after;
    }

    /// The keys of the entries that change.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// Whether the map is, where it changes, as it was when the changes were thought out.
    pub(crate) fn fits(&self, map: &BTreeMap<K, V>) -> bool {
        self.0
            .iter()
            .all(|(key, change)| map.get(key) == change.before.as_ref())
    }

    /// Makes the changes.
    pub(crate) fn make(&self, map: &mut BTreeMap<K, V>) {
        for (key, change) in &self.0 {
            put(map, *key, change.after.clone());
        }
    }

    /// Takes the changes back.
    pub(crate) fn take_back(self, map: &mut BTreeMap<K, V>) {
        for (key, change) in self.0 {
            put(map, key, change.before);
        }
    }

    /// These changes and then others, as one.
    pub(crate) fn then(mut self, later: Self) -> Self {
        for (key, change) in later.0 {
            match self.0.get_mut(&key) {
                Some(earlier) => earlier.after = change.after,
                None => {
                    self.0.insert(key, change);
                }
            }
        }
        self
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_seen_before_it_is_made() {
        let map = BTreeMap::from([(1, 'a'), (2, 'b')]);
        let mut delta = Delta::default();
        delta.set(&map, 1, None);
        delta.set(&map, 3, Some('c'));
        let seen: Vec<_> = (1..4).map(|key| delta.get(&map, &key).copied()).collect();
        assert_eq!(seen, [None, Some('b'), Some('c')]);
    }

    #[test]
    fn changes_fit_only_what_they_were_thought_out_for() {
        let map = BTreeMap::from([(1, 'a'), (2, 'b')]);
        let mut delta = Delta::default();
        delta.set(&map, 1, None);
        delta.set(&map, 3, Some('c'));
        assert!(delta.fits(&map));
        assert!(delta.fits(&BTreeMap::from([(1, 'a')])));
        assert!(!delta.fits(&BTreeMap::from([(1, 'x'), (2, 'b')])));
        assert!(!delta.fits(&BTreeMap::from([(1, 'a'), (3, 'x')])));
    }

    type Edits = Vec<(u8, Option<u8>)>;

    fn edits() -> impl Strategy<Value = Edits> {
        proptest::collection::vec((0_u8..6, proptest::option::of(any::<u8>())), 0..8)
    }

    fn delta(map: &BTreeMap<u8, u8>, edits: Edits) -> Delta<u8, u8> {
        let mut delta = Delta::default();
        for (key, value) in edits {
            delta.set(map, key, value);
        }
        delta
    }

    proptest! {
        #[test]
        fn what_was_made_can_be_taken_back_one_by_one_and_as_one(
            start in proptest::collection::btree_map(0_u8..6, any::<u8>(), 0..6), first in edits(), second in edits(),
        ) {
            let mut map = start.clone();
            let one = delta(&map, first);
            one.make(&mut map);
            let middle = map.clone();
            let two = delta(&map, second);
            two.make(&mut map);
            let end = map.clone();
            two.clone().take_back(&mut map);
            prop_assert_eq!(&map, &middle);
            one.clone().take_back(&mut map);
            prop_assert_eq!(&map, &start);
            let both = one.then(two);
            both.make(&mut map);
            prop_assert_eq!(&map, &end);
            both.take_back(&mut map);
            prop_assert_eq!(&map, &start);
        }
    }
}
