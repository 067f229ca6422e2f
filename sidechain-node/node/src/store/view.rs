//! The state at one height.

use jmt::{
    KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader},
};
use nupeer_ledger::StateRead;
use nupeer_primitives::{Hash, Height};
use nupeer_runtime::{StateProof, Tip, proof::ProofError};
use rocksdb::{Direction, IteratorMode, ReadOptions, Snapshot};

use super::{Column, Kept, Store, StoreError, codec, commit::node_weight};

/// The whole state as it is after one block, whatever is written while it is looked at. It keeps the database from
/// dropping what it shows: hold one for a query or a block, not for longer.
pub struct View<'s> {
    store: &'s Store,
    snapshot: Snapshot<'s>,
    tip: Tip,
}

impl<'s> View<'s> {
    pub(super) fn new(store: &'s Store) -> Result<Self, StoreError> {
        store.healthy()?;
        let snapshot = store.db.snapshot();
        let bytes = snapshot.get_pinned_cf(store.column(Column::Meta)?, codec::TIP_KEY)?;
        let tip = codec::cbor("tip", &bytes.ok_or(StoreError::Corrupt { what: "tip" })?)?;
        Ok(View {
            store,
            snapshot,
            tip,
        })
    }

    /// The block after which this is the state.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Whether everything read so far was read; what rules made of a failed read means nothing.
    pub fn healthy(&self) -> Result<(), StoreError> {
        self.store.healthy()
    }

    /// The value of a leaf, and the proof of it (or of its absence) under the state root of [`View::tip`].
    pub fn prove(&self, key: &Hash) -> Result<Shown, ProofError> {
        let journal = self.tip.journal;
        let proof = match self.tip.tree_version {
            Some(version) => StateProof::of(self, version, key, journal)?,
            None => StateProof {
                leaf: None,
                siblings: Vec::new(),
                journal,
            },
        };
        Ok((self.proven(key), proof))
    }

    /// As [`View::prove`], as the state was after the block at `height`: under that block's state root. `None` where that version of the tree
    /// is not kept, because no open anchor names it ([`super::kept`]).
    pub fn prove_at(&self, height: Height, key: &Hash) -> Result<Option<Shown>, ProofError> {
        let failed = |error: StoreError| ProofError::Tree(error.to_string());
        let kept = self.kept().map_err(failed)?;
        let Some(kept) = kept.into_iter().find(|kept| kept.height == height) else {
            return Ok(None);
        };
        let proof = StateProof::of(self, kept.version, key, kept.journal)?;
        let value = match proof.leaf {
            Some((leaf, _)) if leaf == *key => {
                self.value_at(kept.version, &key.0).map_err(failed)?
            }
            _ => None,
        };
        Ok(Some((value, proof)))
    }

    fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        let bytes = self.get(Column::Meta, codec::KEPT_KEY)?;
        bytes.map_or(Ok(Vec::new()), |bytes| codec::cbor("kept versions", &bytes))
    }

    /// The value of a leaf that is in `version` of the tree: the one that it had until the first later version that changed it.
    fn value_at(&self, version: u64, leaf: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let newest = self.tip.tree_version.unwrap_or_default();
        if let Some(from) = version.checked_add(1).filter(|from| *from <= newest) {
            let mut options = ReadOptions::default();
            let end = [&codec::old_key(leaf, u64::MAX)[..], &[0]].concat();
            options.set_iterate_upper_bound(end);
            let from = codec::old_key(leaf, from);
            let mode = IteratorMode::From(&from, Direction::Forward);
            let column = self.store.column(Column::Old)?;
            let mut later = self.snapshot.iterator_cf_opt(column, options, mode);
            if let Some(old) = later.next() {
                return Ok(Some(old?.1.into_vec()));
            }
        }
        self.get(Column::Proven, leaf)
    }

    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.snapshot.get_cf(self.store.column(column)?, key)?)
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(to);
        let mode = IteratorMode::From(from, Direction::Forward);
        let column = self.store.column(Column::Plain)?;
        let entries = self.snapshot.iterator_cf_opt(column, options, mode);
        let owned = |entry: Result<RawEntry, _>| {
            entry.map(|(key, value)| (key.into_vec(), value.into_vec()))
        };
        Ok(entries.take(limit).map(owned).collect::<Result<_, _>>()?)
    }

    fn node(&self, key: &NodeKey) -> Result<Option<Node>, StoreError> {
        // A node never changes under its key, so that what is cached is right at every height.
        if let Some(node) = self.store.nodes().get(key) {
            return Ok(Some(node));
        }
        let Some(bytes) = self.get(Column::Nodes, &codec::node_key(key)?)? else {
            return Ok(None);
        };
        let node = codec::node(&bytes)?;
        self.store
            .nodes()
            .insert(key.clone(), node.clone(), node_weight(&node));
        Ok(Some(node))
    }

    /// What was read, or its absence and a store that takes nothing more.
    fn total<T>(&self, read: Result<T, StoreError>) -> Option<T> {
        read.inspect_err(|error| self.store.poison(error)).ok()
    }
}

/// The value of a leaf, if there is one, and the proof of that.
pub type Shown = (Option<Vec<u8>>, StateProof);

type Entry = (Vec<u8>, Vec<u8>);
/// As the database gives it.
type RawEntry = (Box<[u8]>, Box<[u8]>);

impl StateRead for View<'_> {
    fn proven(&self, key: &Hash) -> Option<Vec<u8>> {
        self.total(self.get(Column::Proven, &key.0)).flatten()
    }

    fn plain(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.total(self.get(Column::Plain, key)).flatten()
    }

    fn plain_range(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= to {
            return Vec::new();
        }
        self.total(self.range(from, to, limit)).unwrap_or_default()
    }
}

// The crate's interface names anyhow.
impl TreeReader for View<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self
            .node(key)
            .inspect_err(|error| self.store.poison(error))?)
    }

    fn get_value_option(
        &self,
        version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self
            .value_at(version, &key.0)
            .inspect_err(|error| self.store.poison(error))?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only asked for when a tree is restored, which this one never is")
    }
}
