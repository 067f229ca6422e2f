//! Older versions of the state tree that open anchors name: kept, so that a leaf can be proven under an anchor's state root until
//! a newer anchor has taken its place.
//!
//! A node that a block makes stale goes with that block, unless a kept version has it: then it is noted in `stale`, and the value of a leaf
//! in `old`. What no kept version has any more is swept, a bounded part of it with each block.

use jmt::storage::{Node, StaleNodeIndex};
use minicbor::{Decode, Encode};
use nupeer_primitives::{Hash, Height, cbor};
use nupeer_runtime::{Executed, Tip};
use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::{Column, Store, StoreError, codec};

/// Notes of kept nodes that one block looks at, to delete those that nobody needs. Few in tests, so that a sweep there takes several blocks, too.
const SWEEP_MAX: usize = if cfg!(test) { 5 } else { 4_096 };

/// A version of the tree that is kept beside the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    /// The block after which the state was this.
    #[n(0)]
    pub height: Height,
    /// The tree's version.
    #[n(1)]
    pub version: u64,
    /// The journal, the other half of the state root.
    #[n(2)]
    pub journal: Hash,
}

/// Whether a kept version has a node that was made in version `own` and is stale since version `since`.
fn is_needed(kept: &[Kept], own: u64, since: u64) -> bool {
    kept.iter()
        .any(|kept| own <= kept.version && kept.version < since)
}

impl Store {
    /// The versions that are kept, by height.
    pub fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        let bytes = self.get(Column::Meta, codec::KEPT_KEY)?;
        bytes.map_or(Ok(Vec::new()), |bytes| codec::cbor("kept versions", &bytes))
    }

    /// Writes which versions are kept after a block on `parent`, and deletes a part of what they do not need.
    pub(super) fn put_kept(
        &self,
        batch: &mut WriteBatch,
        parent: &Tip,
        executed: &Executed,
    ) -> Result<Vec<Kept>, StoreError> {
        let before = self.kept()?;
        let of_parent = parent.tree_version.map(|version| Kept {
            height: parent.height,
            version,
            journal: parent.journal,
        });
        // An anchor names the state of its block's parent, so that each is met here first.
        let find = |height: &Height| {
            let known = before.iter().chain(&of_parent);
            known.copied().find(|kept| kept.height == *height)
        };
        let kept: Vec<Kept> = executed.anchored.iter().filter_map(find).collect();
        if kept != before {
            let meta = self.column(Column::Meta)?;
            batch.put_cf(meta, codec::KEPT_KEY, cbor::encode(&kept));
        }
        if before.iter().any(|old| !kept.contains(old)) {
            *self.sweep() = Some(Vec::new());
        }
        self.sweep_stale(batch, &kept)?;
        Ok(kept)
    }

    /// Deletes a node that a block made stale, or keeps it with the value of its leaf as it was before that block.
    pub(super) fn put_stale(
        &self,
        batch: &mut WriteBatch,
        stale: &StaleNodeIndex,
        kept: &[Kept],
    ) -> Result<(), StoreError> {
        let (key, nodes) = (
            codec::node_key(&stale.node_key)?,
            self.column(Column::Nodes)?,
        );
        let (own, since) = (stale.node_key.version(), stale.stale_since_version);
        if !is_needed(kept, own, since) {
            batch.delete_cf(nodes, key);
            return Ok(());
        }
        let node = self.get(Column::Nodes, &key)?;
        let node = codec::node(&node.ok_or(StoreError::Corrupt { what: "tree node" })?)?;
        let note = codec::stale_key(stale)?;
        let Node::Leaf(leaf) = node else {
            batch.put_cf(self.column(Column::Stale)?, note, b"");
            return Ok(());
        };
        let leaf = leaf.key_hash().0;
        let value = self.get(Column::Proven, &leaf)?;
        let value = value.ok_or(StoreError::Corrupt { what: "leaf" })?;
        let old = codec::old_key(&leaf, since);
        batch.put_cf(self.column(Column::Old)?, old, value);
        batch.put_cf(self.column(Column::Stale)?, note, leaf);
        Ok(())
    }

    /// Looks at the next notes where a sweep is under way.
    fn sweep_stale(&self, batch: &mut WriteBatch, kept: &[Kept]) -> Result<(), StoreError> {
        let mut sweep = self.sweep();
        let Some(from) = sweep.take() else {
            return Ok(());
        };
        let (notes, nodes, old) = (
            self.column(Column::Stale)?,
            self.column(Column::Nodes)?,
            self.column(Column::Old)?,
        );
        let mode = IteratorMode::From(&from, Direction::Forward);
        for (place, note) in self.db.iterator_cf(notes, mode).enumerate() {
            let (key, leaf) = note?;
            if place == SWEEP_MAX {
                *sweep = Some(key.into_vec());
                break;
            }
            let (since, own, node) = codec::stale(&key)?;
            if is_needed(kept, own, since) {
                continue;
            }
            batch.delete_cf(nodes, node);
            if let Ok(leaf) = leaf[..].try_into() {
                batch.delete_cf(old, codec::old_key(leaf, since));
            }
            batch.delete_cf(notes, &key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::Purse;
    use nupeer_primitives::{Amount, AssetId};

    use super::*;
    use crate::{
        store::tests::{commit, grow, lovelace, open, propose},
        testing,
    };

    /// Decides a block after which open anchors name these heights.
    fn decide(store: &Store, anchored: &[u64]) {
        let mut proposal = propose(store);
        proposal.executed.anchored = anchored.iter().copied().map(Height).collect();
        commit(store, &proposal).unwrap();
    }

    type Entries = Vec<(Box<[u8]>, Box<[u8]>)>;

    fn all(store: &Store, column: Column) -> Entries {
        let column = store.column(column).unwrap();
        let entries = store.db.iterator_cf(column, IteratorMode::Start);
        entries.map(Result::unwrap).collect()
    }

    fn account() -> Hash {
        Purse::Account(testing::account(0)).key(&AssetId::Ada)
    }

    #[test]
    fn a_state_that_an_open_anchor_names_can_be_proven_under_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        grow(&store, 2);
        let named = store.tip().unwrap();
        let before: Amount = lovelace(&store.view().unwrap(), 0);
        // The third block's anchor names the state after the second.
        (0..4).for_each(|_| decide(&store, &[2]));
        drop(store);
        let store = open(folder.path());
        decide(&store, &[2]);
        let view = store.view().unwrap();
        assert_ne!(lovelace(&view, 0), before);
        let (value, proof) = view.prove_at(Height(2), &account()).unwrap().unwrap();
        assert_eq!(value, Some(before.to_be_bytes().to_vec()));
        let root = named.state_root();
        assert_eq!(proof.verify(&root, &account(), value.as_deref()), Ok(()));
        let nobody = Hash([3; 32]);
        let (value, proof) = view.prove_at(Height(2), &nobody).unwrap().unwrap();
        assert_eq!(value, None);
        assert_eq!(proof.verify(&root, &nobody, None), Ok(()));
        for height in [1, 3, 7] {
            let proven = view.prove_at(Height(height), &account()).unwrap();
            assert_eq!(proven, None, "height {height}");
        }
    }

    #[test]
    fn of_two_open_anchors_each_has_its_own_state() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut truth = Vec::new();
        for (height, anchored) in [
            (1, &[][..]),
            (2, &[1]),
            (3, &[1]),
            (4, &[1, 3]),
            (5, &[1, 3]),
        ] {
            decide(&store, anchored);
            let balance = lovelace(&store.view().unwrap(), 0);
            truth.push((height, balance, store.tip().unwrap().state_root()));
        }
        let view = store.view().unwrap();
        for (height, balance, root) in [truth[0], truth[2]] {
            let (value, proof) = view.prove_at(Height(height), &account()).unwrap().unwrap();
            let expected = balance.to_be_bytes();
            assert_eq!(value.as_deref(), Some(&expected[..]), "height {height}");
            assert_eq!(proof.verify(&root, &account(), Some(&expected)), Ok(()));
        }
    }

    #[test]
    fn what_no_open_anchor_names_any_more_goes_little_by_little_and_leaves_nothing() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, plain) = (open(one.path()), open(other.path()));
        for anchored in [&[][..], &[1], &[1, 2], &[1, 2], &[4]] {
            decide(&store, anchored);
        }
        assert_eq!(store.kept().unwrap().len(), 1);
        assert!(all(&store, Column::Stale).len() > SWEEP_MAX);
        assert!(!all(&store, Column::Old).is_empty());
        let mut blocks = 0;
        while !all(&store, Column::Stale).is_empty() {
            decide(&store, &[]);
            blocks += 1;
            assert!(blocks < 100, "it never ends");
        }
        assert!(blocks > 1, "all in one block");
        assert!(all(&store, Column::Old).is_empty());
        assert_eq!(store.kept().unwrap(), []);
        grow(&plain, 5 + blocks);
        assert_eq!(all(&store, Column::Nodes), all(&plain, Column::Nodes));
    }

    #[test]
    fn kept_versions_are_pinned() {
        let kept = Kept {
            height: Height(258),
            version: 7,
            journal: Hash([5; 32]),
        };
        let pinned = format!("81831901020758 20{}", "05".repeat(32));
        assert_eq!(
            hex::encode(cbor::encode(&vec![kept])),
            pinned.replace(' ', "")
        );
    }
}
