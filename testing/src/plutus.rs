//! Plutus data of every shape, for property tests of what writes and reads it.

use std::fmt::Debug;

use proptest::prelude::*;

/// How the kinds of Plutus data are made. This crate knows no type of ours: whoever asks says how.
#[derive(Debug)]
pub struct Kinds<T> {
    /// An integer.
    pub int: fn(i128) -> T,
    /// A byte string.
    pub bytes: fn(Vec<u8>) -> T,
    /// A list.
    pub list: fn(Vec<T>) -> T,
    /// A constructor's number and its fields.
    pub constr: fn(u64, Vec<T>) -> T,
    /// Pairs.
    pub map: fn(Vec<(T, T)>) -> T,
}

/// Values of all kinds, nested up to four deep: integers of up to 127 bits and a sign, byte strings beyond two chunks of 64, constructors of all
/// three ways of writing their number.
pub fn data<T: Clone + Debug + 'static>(kinds: Kinds<T>) -> impl Strategy<Value = T> {
    let Kinds {
        int,
        bytes,
        list,
        constr,
        map,
    } = kinds;
    let leaf = prop_oneof![
        any::<i128>().prop_map(move |i| int(i >> 1)),
        any::<i64>().prop_map(move |i| int(i.into())),
        prop::collection::vec(any::<u8>(), 0..140).prop_map(bytes),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let some = prop::collection::vec(inner.clone(), 0..5);
        let pairs = prop::collection::vec((inner.clone(), inner), 0..4);
        prop_oneof![
            some.clone().prop_map(list),
            (0u64..200, some).prop_map(move |(number, fields)| constr(number, fields)),
            pairs.prop_map(map),
        ]
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    use super::*;

    /// Which kinds a value has in it, each by its letter.
    #[derive(Clone, Debug)]
    struct Found(BTreeSet<char>);

    fn found(letter: char, inside: impl IntoIterator<Item = Found>) -> Found {
        let inside = inside.into_iter().flat_map(|found| found.0);
        Found(inside.chain([letter]).collect())
    }

    const KINDS: Kinds<Found> = Kinds {
        int: |_| found('i', []),
        bytes: |_| found('b', []),
        list: |items| found('l', items),
        constr: |_, fields| found('c', fields),
        map: |pairs| found('m', pairs.into_iter().flat_map(|(key, value)| [key, value])),
    };

    #[test]
    fn every_kind_comes_up_and_within_every_other() {
        let runner = RefCell::new(TestRunner::deterministic());
        let strategy = data(KINDS);
        let value = |_| {
            let tree = strategy.new_tree(&mut runner.borrow_mut());
            tree.expect("a value").current().0
        };
        let seen: BTreeSet<char> = (0..500).flat_map(value).collect();
        assert_eq!(seen, BTreeSet::from(['b', 'c', 'i', 'l', 'm']));
        let nested = (0..500).map(value).filter(|kinds| kinds.len() == 5).count();
        assert!(nested > 0, "no value has all kinds in it");
    }
}
