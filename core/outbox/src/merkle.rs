//! Binary blake2b-256 Merkle trees of leaves: leaf = `H(00 ‖ preimage)`, node = `H(01 ‖ lesser ‖ greater)`.
//!
//! The children of a node are hashed in byte order, so a proof is its siblings alone, packed into one byte string,
//! bottom first: the cheapest form on chain (`cardano/contracts/lib/nupeer/merkle.ak`). What stands at which
//! position is not proven; a leaf carries its own shard and sequence number. A node without a sibling moves up
//! unhashed, so no leaf is ever counted twice.

use nupeer_primitives::{Hash, blake2b_256};

/// Root of a tree without leaves. Nobody knows a preimage of it, so nothing is under it.
pub const EMPTY_ROOT: Hash = Hash::ZERO;

/// Hash of a leaf's preimage.
pub fn leaf_hash(preimage: &[u8]) -> Hash {
    blake2b_256(&[&[0], preimage])
}

fn parent(a: &[u8], b: &[u8]) -> Hash {
    let (lesser, greater) = if a < b { (a, b) } else { (b, a) };
    blake2b_256(&[&[1], lesser, greater])
}

/// A tree with all its levels, the leaves first.
#[derive(Clone, Debug)]
pub struct Tree(Vec<Vec<Hash>>);

impl Tree {
    /// The tree over these leaf hashes, in their order.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level.chunks(2).map(|pair| match pair {
                [a, b] => parent(&a.0, &b.0),
                alone => alone[0],
            });
            let above = above.collect();
            levels.push(above);
        }
        Tree(levels)
    }

    /// Its root; [`EMPTY_ROOT`] without leaves.
    pub fn root(&self) -> Hash {
        self.0
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or(EMPTY_ROOT)
    }

    /// The packed siblings of the leaf at `index`, bottom first; `None` past the last.
    pub fn proof(&self, index: usize) -> Option<Vec<u8>> {
        self.0.first()?.get(index)?;
        let siblings = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(height, level)| level.get((index >> height) ^ 1));
        Some(siblings.flat_map(|hash| hash.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The root above `leaf` along `path`, as the scripts climb.
    fn root_above(leaf: Hash, path: &[u8]) -> Hash {
        path.chunks(Hash::LEN)
            .fold(leaf, |hash, sibling| parent(&hash.0, sibling))
    }

    proptest! {
        #[test]
        fn every_leaf_proves_the_root_and_no_other_does(count in 1u32..70, stranger: [u8; 32]) {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone());
            for (index, leaf) in leaves.iter().enumerate() {
                let path = tree.proof(index).expect("within the tree");
                prop_assert_eq!(root_above(*leaf, &path), tree.root());
                prop_assert_ne!(root_above(Hash(stranger), &path), tree.root());
            }
        }
    }

    #[test]
    fn an_empty_tree_proves_nothing() {
        let tree = Tree::new(vec![]);
        assert_eq!(tree.root(), EMPTY_ROOT);
        assert_eq!(tree.proof(0), None);
    }

    #[test]
    fn a_single_leaf_is_the_root() {
        let tree = Tree::new(leaves(1));
        assert_eq!((tree.root(), tree.proof(0)), (leaves(1)[0], Some(vec![])));
        assert_eq!(tree.proof(1), None);
    }

    #[test]
    fn a_node_is_no_leaf() {
        let pair = leaves(2);
        let root = Tree::new(pair.clone()).root();
        let (a, b) = if pair[0] < pair[1] {
            (pair[0], pair[1])
        } else {
            (pair[1], pair[0])
        };
        assert_ne!(leaf_hash(&[a.0, b.0].concat()), root);
        assert_ne!(leaf_hash(&[&[1][..], &a.0, &b.0].concat()), root);
    }

    #[test]
    fn the_order_of_an_odd_leaf_matters_but_not_the_order_within_a_pair() {
        let three = leaves(3);
        let swapped = vec![three[1], three[0], three[2]];
        let moved = vec![three[2], three[1], three[0]];
        assert_eq!(Tree::new(three.clone()).root(), Tree::new(swapped).root());
        assert_ne!(Tree::new(three).root(), Tree::new(moved).root());
    }
}
