//! The authenticated tree in memory: for tests, simulation and the genesis.

use std::collections::BTreeMap;

use jmt::{
    KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader},
};
use nupeer_ledger::{StateRead, memory::MemoryState};
use nupeer_primitives::Hash;

use crate::{execute::Executed, tree::TreeUpdate};

/// Nodes and newest values of one tree.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    nodes: BTreeMap<NodeKey, Node>,
    values: BTreeMap<[u8; 32], OwnedValue>,
}

impl MemoryTree {
    /// Writes a new version and drops the nodes that only older ones needed; returns the root.
    pub fn commit(&mut self, update: TreeUpdate) -> Hash {
        self.nodes.extend(
            update
                .batch
                .node_batch
                .nodes()
                .iter()
                .map(|(key, node)| (key.clone(), node.clone())),
        );
        for ((_, key), value) in update.batch.node_batch.values() {
            match value {
                Some(value) => self.values.insert(key.0, value.clone()),
                None => self.values.remove(&key.0),
            };
        }
        update
            .batch
            .stale_node_index_batch
            .iter()
            .for_each(|stale| {
                self.nodes.remove(&stale.node_key);
            });
        update.root
    }
}

// The crate's interface names anyhow; nothing in memory fails.
impl TreeReader for MemoryTree {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, _: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.get(&key.0).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only asked for when a tree is restored, which this one never is")
    }
}

/// A whole state in memory: both key spaces and the tree.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    state: MemoryState,
    tree: MemoryTree,
}

impl MemoryStore {
    /// Writes what a block changed.
    pub fn commit(&mut self, executed: Executed) {
        self.state.commit(executed.changes);
        if let Some(update) = executed.tree {
            self.tree.commit(update);
        }
    }
}

impl StateRead for MemoryStore {
    fn proven(&self, key: &Hash) -> Option<Vec<u8>> {
        self.state.proven(key)
    }

    fn plain(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.state.plain(key)
    }

    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.state.plain_range(from, to, limit)
    }
}

impl TreeReader for MemoryStore {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        self.tree.get_node_option(key)
    }

    fn get_value_option(
        &self,
        version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        self.tree.get_value_option(version, key)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        self.tree.get_rightmost_leaf()
    }
}
