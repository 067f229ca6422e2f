//! The authenticated tree: a Jellyfish Merkle tree (crate `jmt`) over blake2b-256, whose root is that of the canonical
//! compact sparse Merkle tree and whose proofs a Plutus script can check.

use std::collections::BTreeMap;

use blake2::{Blake2b, digest::consts::U32};
use jmt::{
    JellyfishMerkleTree, KeyHash,
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
    let values = changes
        .iter()
        .map(|(key, value)| (KeyHash(key.0), value.clone()));
    let tree = JellyfishMerkleTree::<'_, _, Blake2b256>::new(reader);
    let (root, batch) = tree
        .put_value_set(values, version)
        .map_err(|e| BlockError::Tree(e.to_string()))?;
    Ok(Some(TreeUpdate {
        version,
        root: Hash(root.0),
        batch,
    }))
}
