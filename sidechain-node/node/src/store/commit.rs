//! Writing a decided block: everything that it changes, in one synced batch.

use jmt::storage::Node;
use nupeer_primitives::{Hash, Height, cbor, consensus::Certificate};
use nupeer_runtime::Executed;
use rocksdb::WriteBatch;

use super::{Column, Kept, Location, Store, StoreError, codec};

/// A decided block and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The block's bytes.
    pub block: &'a [u8],
    /// By which it was decided.
    pub certificate: &'a Certificate,
    /// The ids of its transactions, in their order.
    pub transactions: &'a [Hash],
    /// What it does.
    pub executed: &'a Executed,
}

impl Store {
    /// Writes a decided block and all its effects, and drops what was undecided at its height; when this returns, all
    /// of it survives a power cut, and if it does not return, none of it happened or all of it. Of the tree's older versions
    /// those stay that open anchors name ([`super::kept`]).
    pub fn commit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let (parent, height) = (self.tip()?, commit.executed.tip.height);
        let expected = parent.height.next();
        if height != expected {
            return Err(StoreError::NotNext {
                provided: height,
                expected,
            });
        }
        let mut batch = WriteBatch::default();
        self.put_block(&mut batch, commit)?;
        let kept = self.put_kept(&mut batch, &parent, commit.executed)?;
        self.put_executed(&mut batch, commit.executed, &kept)?;
        self.delete_undecided(&mut batch, height)?;
        self.write(batch)?;
        self.cache_nodes(commit.executed);
        Ok(())
    }

    fn put_block(&self, batch: &mut WriteBatch, commit: &Commit<'_>) -> Result<(), StoreError> {
        let height: Height = commit.executed.tip.height;
        let key = codec::height_key(height);
        batch.put_cf(self.column(Column::Blocks)?, key, commit.block);
        batch.put_cf(
            self.column(Column::Certificates)?,
            key,
            cbor::encode(commit.certificate),
        );
        if !commit.executed.events.is_empty() {
            batch.put_cf(
                self.column(Column::Events)?,
                key,
                codec::events_bytes(&commit.executed.events),
            );
        }
        self.put_transactions(batch, commit)
    }

    fn put_transactions(
        &self,
        batch: &mut WriteBatch,
        commit: &Commit<'_>,
    ) -> Result<(), StoreError> {
        let (height, fees) = (commit.executed.tip.height, &commit.executed.fees);
        let (ids, places) = (commit.transactions, codec::places(commit.block)?);
        if ids.len() != places.len() || ids.len() != fees.len() {
            return Err(StoreError::Corrupt { what: "block" });
        }
        let column = self.column(Column::Transactions)?;
        for (index, ((id, (first, length)), fee)) in (0u32..).zip(ids.iter().zip(places).zip(fees))
        {
            let location = Location {
                height,
                index,
                first,
                length,
                fee: *fee,
            };
            batch.put_cf(column, id.0, location.to_bytes());
        }
        Ok(())
    }

    pub(super) fn put_executed(
        &self,
        batch: &mut WriteBatch,
        executed: &Executed,
        kept: &[Kept],
    ) -> Result<(), StoreError> {
        let (proven, plain) = (self.column(Column::Proven)?, self.column(Column::Plain)?);
        for (key, value) in &executed.changes.proven {
            match value {
                Some(value) => batch.put_cf(proven, key.0, value),
                None => batch.delete_cf(proven, key.0),
            }
        }
        for (key, value) in &executed.changes.plain {
            match value {
                Some(value) => batch.put_cf(plain, key, value),
                None => batch.delete_cf(plain, key),
            }
        }
        batch.put_cf(
            self.column(Column::Meta)?,
            codec::TIP_KEY,
            cbor::encode(&executed.tip),
        );
        self.put_tree(batch, executed, kept)
    }

    fn put_tree(
        &self,
        batch: &mut WriteBatch,
        executed: &Executed,
        kept: &[Kept],
    ) -> Result<(), StoreError> {
        let Some(update) = &executed.tree else {
            return Ok(());
        };
        let nodes = self.column(Column::Nodes)?;
        for (key, node) in update.batch.node_batch.nodes() {
            batch.put_cf(nodes, codec::node_key(key)?, codec::node_bytes(node)?);
        }
        let mut stale = update.batch.stale_node_index_batch.iter();
        stale.try_for_each(|stale| self.put_stale(batch, stale, kept))
    }

    /// The new nodes are the first that the next block reads; the stale ones nobody reads again.
    pub(super) fn cache_nodes(&self, executed: &Executed) {
        let Some(update) = &executed.tree else { return };
        let mut cache = self.nodes();
        for stale in &update.batch.stale_node_index_batch {
            cache.remove(&stale.node_key);
        }
        for (key, node) in update.batch.node_batch.nodes() {
            cache.insert(key.clone(), node.clone(), node_weight(node));
        }
    }
}

/// Roughly what a node takes in memory with its key and its place in the cache, in bytes.
pub(super) fn node_weight(node: &Node) -> usize {
    match node {
        Node::Internal(_) => 1_150,
        Node::Leaf(_) | Node::Null => 250,
    }
}
