//! The tree of credited deposits, kept node by node, so that a credit touches its own path alone. Its root is that of
//! [`nupeer_outbox::credited`], which the vault's script reads.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_outbox::{OutputReference, credited, shard::EMPTY_SPARSE_ROOT};
use nupeer_primitives::{Hash, cbor};

use crate::store::node_key;

/// A subtree that is not empty: of one leaf, or two subtrees by their hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
enum Node {
    #[n(0)]
    Leaf(#[n(0)] Hash),
    #[n(1)]
    Inner(#[n(0)] Hash, #[n(1)] Hash),
}

impl Node {
    fn hash(&self) -> Hash {
        match self {
            Node::Leaf(key) => credited::leaf(key),
            Node::Inner(left, right) => credited::node(&left.0, &right.0),
        }
    }
}

fn node(state: &dyn StateRead, key: &Hash, depth: u16) -> Option<Node> {
    cbor::decode(&state.plain(&node_key(key, depth))?).ok()
}

/// The root over all credited deposits.
pub fn root(state: &dyn StateRead) -> Hash {
    let top = node(state, &Hash::ZERO, 0);
    top.map_or(EMPTY_SPARSE_ROOT, |node| node.hash())
}

/// Whether a deposit is in the tree.
pub(crate) fn contains(state: &dyn StateRead, deposit: &OutputReference) -> bool {
    let key = credited::key(deposit);
    for depth in 0..=256 {
        match node(state, &key, depth) {
            Some(Node::Leaf(leaf)) => return leaf == key,
            Some(Node::Inner(..)) => {}
            None => return false,
        }
    }
    false
}

/// Adds a deposit; one that is there stays.
pub(crate) fn insert(state: &mut dyn StateWrite, deposit: &OutputReference) {
    insert_below(state, &credited::key(deposit), 0);
}

/// Adds a key to the subtree at `depth` on its path and returns that subtree's hash. Two keys differ in one of 256 bits, so that
/// this goes no deeper.
fn insert_below(state: &mut dyn StateWrite, key: &Hash, depth: u16) -> Hash {
    let children = match node(state, key, depth) {
        Some(Node::Inner(left, right)) => (left, right),
        Some(Node::Leaf(other)) if other != *key && depth < 256 => {
            // The one that was alone here moves down by a level.
            set(state, &other, depth + 1, Node::Leaf(other));
            let hash = credited::leaf(&other);
            match credited::bit_at(&other, depth.into()) {
                false => (hash, EMPTY_SPARSE_ROOT),
                true => (EMPTY_SPARSE_ROOT, hash),
            }
        }
        _ => return set(state, key, depth, Node::Leaf(*key)),
    };
    let below = insert_below(state, key, depth + 1);
    let inner = match credited::bit_at(key, depth.into()) {
        false => Node::Inner(below, children.1),
        true => Node::Inner(children.0, below),
    };
    set(state, key, depth, inner)
}

fn set(state: &mut dyn StateWrite, key: &Hash, depth: u16, node: Node) -> Hash {
    state.set_plain(node_key(key, depth), Some(cbor::encode(&node)));
    node.hash()
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::memory::MemoryState;
    use nupeer_outbox::credited::CreditedTree;
    use proptest::prelude::*;

    use super::*;

    fn output(n: u32) -> OutputReference {
        OutputReference {
            transaction_id: Hash([n as u8; 32]),
            index: n,
        }
    }

    #[test]
    fn without_a_deposit_it_is_the_empty_tree() {
        assert_eq!(root(&MemoryState::default()), CreditedTree::new([]).root());
    }

    proptest! {
        #[test]
        fn after_each_deposit_the_root_is_that_of_the_whole_tree(numbers in prop::collection::vec(0u32..500, 1..120)) {
            let (mut state, mut all) = (MemoryState::default(), Vec::new());
            for number in numbers {
                insert(&mut state, &output(number));
                all.push(output(number));
                prop_assert_eq!(root(&state), CreditedTree::new(&all).root());
            }
        }
    }

    #[test]
    fn keys_that_share_many_bits_part_where_they_differ() {
        // Among 20,000 keys some share far more bits than the mean of 14.
        let (mut state, mut all) = (MemoryState::default(), Vec::new());
        for number in 0..20_000 {
            insert(&mut state, &output(number));
            all.push(output(number));
        }
        assert_eq!(root(&state), CreditedTree::new(&all).root());
    }
}
