//! The authenticated tree: a Jellyfish Merkle tree (crate `jmt`) over blake2b-256, whose root is that of the canonical
//! compact sparse Merkle tree and whose proofs a Plutus script can check.

use std::collections::BTreeMap;

use blake2::{Blake2b, digest::consts::U32};
use jmt::{
    JellyfishMerkleTree, KeyHash, RootHash,
    storage::{TreeReader, TreeUpdateBatch},
};
use nupeer_primitives::Hash;

use crate::error::BlockError;

/// Blake2b-256 as the tree's hash.
pub type Blake2b256 = Blake2b<U32>;

/// The root of a tree without leaves (`SPARSE_MERKLE_PLACEHOLDER_HASH` of the crate).
pub const EMPTY_ROOT: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// A new version of the tree, not yet written.
#[derive(Clone, Debug)]
pub struct TreeUpdate {
    /// The version; one more than the last.
    pub version: u64,
    /// Its root.
    pub root: Hash,
    /// Nodes to write and nodes that no later version needs.
    pub batch: TreeUpdateBatch,
}

/// The tree after `changes` on top of `version` (`None`: nothing was ever written). `None` if nothing changed.
pub fn update(
    reader: &impl TreeReader,
    version: Option<u64>,
    changes: &BTreeMap<Hash, Option<Vec<u8>>>,
) -> Result<Option<TreeUpdate>, BlockError> {
    if changes.is_empty() {
        return Ok(None);
    }
    let version = version.map_or(0, |last| last.saturating_add(1));
    let tree = JellyfishMerkleTree::<'_, _, Blake2b256>::new(reader);
    let (root, batch) = match written_only(changes) {
        Some(values) => put_at_once(&tree, values, version),
        None => put_one_by_one(&tree, changes, version),
    }
    .map_err(BlockError::Tree)?;
    Ok(Some(TreeUpdate {
        version,
        root: Hash(root.0),
        batch,
    }))
}

/// The changes, where none takes a leaf away.
fn written_only(changes: &BTreeMap<Hash, Option<Vec<u8>>>) -> Option<Vec<(KeyHash, Vec<u8>)>> {
    let written = |(key, value): (&Hash, &Option<Vec<u8>>)| Some((KeyHash(key.0), value.clone()?));
    changes.iter().map(written).collect()
}

type Put = Result<(RootHash, TreeUpdateBatch), String>;

/// Hashes each node above the leaves once, however many of them changed: most blocks. Leaves cannot be taken away by it.
fn put_at_once<R: TreeReader>(
    tree: &JellyfishMerkleTree<'_, R, Blake2b256>,
    values: Vec<(KeyHash, Vec<u8>)>,
    version: u64,
) -> Put {
    let put = tree.batch_put_value_sets(vec![values], None, version);
    let (roots, batch) = put.map_err(|error| error.to_string())?;
    let root = roots.first().copied();
    Ok((root.ok_or("a version without a root")?, batch))
}

/// Hashes the way from the root to it again for each leaf.
fn put_one_by_one<R: TreeReader>(
    tree: &JellyfishMerkleTree<'_, R, Blake2b256>,
    changes: &BTreeMap<Hash, Option<Vec<u8>>>,
    version: u64,
) -> Put {
    let values = changes
        .iter()
        .map(|(key, value)| (KeyHash(key.0), value.clone()));
    let put = tree.put_value_set(values, version);
    put.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jmt::storage::{LeafNode, Node, NodeKey};
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Nodes(HashMap<NodeKey, Node>);

    impl TreeReader for Nodes {
        fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
            Ok(self.0.get(key).cloned())
        }

        fn get_value_option(&self, _: u64, _: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
            Ok(None)
        }
    }

    /// Keys that share long beginnings, so that leaves are split and pushed down.
    fn key() -> impl Strategy<Value = Hash> {
        (prop::collection::vec(0u8..3, 3), 0usize..32).prop_map(|(few, at)| {
            let mut key = [0; 32];
            few.iter()
                .zip([0, at, 31])
                .for_each(|(byte, at)| key[at] = *byte);
            Hash(key)
        })
    }

    fn written() -> impl Strategy<Value = BTreeMap<Hash, Option<Vec<u8>>>> {
        let value = prop::collection::vec(any::<u8>(), 0..3);
        prop::collection::btree_map(key(), value.prop_map(Some), 1..40)
    }

    proptest! {
        #[test]
        fn at_once_and_one_by_one_make_the_same_version(versions in prop::collection::vec(written(), 1..8)) {
            let mut nodes = Nodes::default();
            for (version, changes) in (0..).zip(&versions) {
                let (root, batch) = {
                    let tree = JellyfishMerkleTree::<'_, _, Blake2b256>::new(&nodes);
                    let at_once = put_at_once(&tree, written_only(changes).unwrap(), version).unwrap();
                    let one_by_one = put_one_by_one(&tree, changes, version).unwrap();
                    prop_assert_eq!(&at_once, &one_by_one);
                    at_once
                };
                prop_assert_ne!(root, RootHash(EMPTY_ROOT.0));
                nodes.0.extend(batch.node_batch.nodes().clone());
                for stale in &batch.stale_node_index_batch {
                    nodes.0.remove(&stale.node_key);
                }
            }
        }
    }

    #[test]
    fn what_takes_a_leaf_away_goes_one_by_one_to_the_tree_without_it() {
        let nodes = Nodes::default();
        let [first, second] = [1, 2].map(|byte| Hash([byte; 32]));
        let written = BTreeMap::from([(first, Some(vec![1])), (second, Some(vec![2]))]);
        let both = update(&nodes, None, &written).unwrap().unwrap();
        let nodes = Nodes(both.batch.node_batch.nodes().clone().into_iter().collect());
        let taken = BTreeMap::from([(second, None)]);
        assert!(written_only(&taken).is_none());
        let left = update(&nodes, Some(0), &taken).unwrap().unwrap();
        let alone = BTreeMap::from([(first, Some(vec![1]))]);
        let alone = update(&Nodes::default(), None, &alone).unwrap().unwrap();
        assert_eq!(left.root, alone.root);
    }
}
