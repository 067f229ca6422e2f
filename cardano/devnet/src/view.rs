//! The chain as its followers see it: shared, read by every connection, written by the one thread that owns the chain.
//!
//! A follower remembers how many blocks it has and how many reorganisations it knows of; where it must roll back to is
//! then the lowest point that any later reorganisation went back to. No orphaned block needs to be kept for that.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use pallas_crypto::hash::Hash;
use tokio::sync::watch;

/// A block of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number; in a chain that begins at its beginning also how many blocks come before it.
    pub block_number: u64,
    /// Its slot.
    pub slot: u64,
    /// Its hash.
    pub hash: Hash<32>,
    /// Its era-tagged bytes.
    pub raw: Arc<[u8]>,
}

/// A place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the first block.
    Origin,
    /// At a block.
    Block {
        /// Its slot.
        slot: u64,
        /// Its hash.
        hash: Hash<32>,
    },
}

/// The last block: its place and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewTip {
    /// Its place.
    pub point: Point,
    /// Its number; 0 at the origin, as the protocol has it.
    pub block_number: u64,
    /// How many blocks there are.
    pub height: u64,
}

/// How far a follower has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    height: u64,
    reorganisations: usize,
    rollback_due: bool,
}

/// What a follower is to be told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another block.
    Forward(Block),
    /// To forget what comes after a point.
    Backward(Point),
    /// Nothing yet.
    AtTip,
}

#[derive(Debug, Default)]
struct Inner {
    blocks: Vec<Block>,
    /// How many blocks come before each.
    by_hash: HashMap<Hash<32>, u64>,
    /// The height that each reorganisation went back to, in their order.
    reorganised_to: Vec<u64>,
}

/// The shared chain.
#[derive(Clone, Debug)]
pub struct ChainView {
    inner: Arc<RwLock<Inner>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Default for ChainView {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl ChainView {
    /// Cuts the chain to `keep` blocks and appends `blocks`; followers are told.
    pub(crate) fn replace(&self, keep: u64, blocks: Vec<Block>) {
        {
            let mut inner = self.write();
            let keep_blocks = index(keep).min(inner.blocks.len());
            let cut = inner.blocks.split_off(keep_blocks);
            if !cut.is_empty() {
                inner.reorganised_to.push(keep);
            }
            for block in &cut {
                inner.by_hash.remove(&block.hash);
            }
            for block in blocks {
                let position = inner.blocks.len() as u64;
                inner.by_hash.insert(block.hash, position);
                inner.blocks.push(block);
            }
        }
        self.changed
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Tells whenever the chain changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The last block.
    pub fn tip(&self) -> ViewTip {
        self.read().tip()
    }

    /// The block with this number.
    pub fn block(&self, block_number: u64) -> Option<Block> {
        let inner = self.read();
        let first = inner.blocks.first()?.block_number;
        let position = block_number.checked_sub(first)?;
        inner.blocks.get(index(position)).cloned()
    }

    /// The point after so many blocks; the origin if there are not as many.
    pub fn point_at(&self, height: u64) -> Point {
        self.read().point_at(height)
    }

    /// The number of blocks up to and with `point`, if it lies on the chain.
    pub fn height_of(&self, point: &Point) -> Option<u64> {
        self.read().height_of(point)
    }

    /// The first of `points` that lies on the chain, with a cursor there.
    pub fn intersect(&self, points: &[Point]) -> Option<(Point, Cursor)> {
        let inner = self.read();
        let (point, height) = points
            .iter()
            .find_map(|point| Some((*point, inner.height_of(point)?)))?;
        Some((
            point,
            Cursor {
                height,
                reorganisations: inner.reorganised_to.len(),
                rollback_due: true,
            },
        ))
    }

    /// A cursor at the origin, for a follower that names no point.
    pub fn origin(&self) -> Cursor {
        Cursor {
            height: 0,
            reorganisations: self.read().reorganised_to.len(),
            rollback_due: true,
        }
    }

    /// What the follower at `cursor` is to be told, and the tip at that moment; the cursor moves on.
    pub fn next(&self, cursor: &mut Cursor) -> (Next, ViewTip) {
        let inner = self.read();
        let next = inner.advance(cursor);
        (next, inner.tip())
    }

    // A poisoned lock means that a writer panicked between two assignments to memory; what it wrote is still a chain.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    fn tip(&self) -> ViewTip {
        let height = self.blocks.len() as u64;
        ViewTip {
            point: self.point_at(height),
            block_number: self.blocks.last().map_or(0, |block| block.block_number),
            height,
        }
    }

    /// The point after `height` blocks.
    fn point_at(&self, height: u64) -> Point {
        match height
            .checked_sub(1)
            .and_then(|number| self.blocks.get(index(number)))
        {
            Some(block) => Point::Block {
                slot: block.slot,
                hash: block.hash,
            },
            None => Point::Origin,
        }
    }

    fn height_of(&self, point: &Point) -> Option<u64> {
        let Point::Block { slot, hash } = point else {
            return Some(0);
        };
        let position = *self.by_hash.get(hash)?;
        let block = self.blocks.get(index(position))?;
        (block.slot == *slot).then_some(position + 1)
    }

    fn advance(&self, cursor: &mut Cursor) -> Next {
        let lowest = self
            .reorganised_to
            .iter()
            .skip(cursor.reorganisations)
            .min()
            .copied();
        cursor.reorganisations = self.reorganised_to.len();
        if let Some(lowest) = lowest.filter(|lowest| *lowest < cursor.height) {
            cursor.height = lowest;
            cursor.rollback_due = true;
        }
        if std::mem::take(&mut cursor.rollback_due) {
            return Next::Backward(self.point_at(cursor.height));
        }
        match self.blocks.get(index(cursor.height)) {
            Some(block) => {
                cursor.height += 1;
                Next::Forward(block.clone())
            }
            None => Next::AtTip,
        }
    }
}

/// A height as an index into memory, where it cannot exceed what memory holds.
fn index(height: u64) -> usize {
    usize::try_from(height).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(numbers: std::ops::Range<u64>, branch: u8) -> Vec<Block> {
        let block = |number: u64| Block {
            block_number: number,
            slot: number,
            hash: Hash::new(std::array::from_fn(|at| {
                if at == 0 { branch } else { number as u8 }
            })),
            raw: Arc::from(vec![branch, number as u8]),
        };
        numbers.map(block).collect()
    }

    fn point(block: &Block) -> Point {
        Point::Block {
            slot: block.slot,
            hash: block.hash,
        }
    }

    #[test]
    fn the_first_answer_after_an_intersection_is_a_rollback_to_it() {
        let view = ChainView::default();
        view.replace(0, blocks(0..3, 0));
        let wanted = point(&blocks(1..2, 0)[0]);
        let (found, mut cursor) = view
            .intersect(&[point(&blocks(1..2, 1)[0]), wanted, Point::Origin])
            .expect("is found");
        assert_eq!(found, wanted);
        assert_eq!(view.next(&mut cursor).0, Next::Backward(wanted));
        assert_eq!(
            view.next(&mut cursor).0,
            Next::Forward(blocks(2..3, 0)[0].clone())
        );
        assert_eq!(view.next(&mut cursor).0, Next::AtTip);
    }

    #[test]
    fn a_point_with_the_wrong_slot_is_not_on_the_chain() {
        let view = ChainView::default();
        view.replace(0, blocks(0..3, 0));
        let block = &blocks(1..2, 0)[0];
        assert_eq!(
            view.height_of(&Point::Block {
                slot: block.slot + 1,
                hash: block.hash
            }),
            None
        );
    }

    #[test]
    fn a_chain_may_begin_in_the_middle_of_another() {
        let view = ChainView::default();
        view.replace(0, blocks(100..103, 0));
        assert_eq!((view.tip().block_number, view.tip().height), (102, 3));
        assert_eq!(view.block(101), Some(blocks(101..102, 0)[0].clone()));
        assert_eq!((view.block(99), view.block(103)), (None, None));
        assert_eq!(view.height_of(&point(&blocks(101..102, 0)[0])), Some(2));
    }

    #[test]
    fn a_follower_behind_the_fork_is_not_rolled_back() {
        let view = ChainView::default();
        view.replace(0, blocks(0..5, 0));
        let (_, mut cursor) = view.intersect(&[Point::Origin]).expect("is found");
        let _ = view.next(&mut cursor);
        view.replace(3, blocks(3..7, 1));
        assert_eq!(
            view.next(&mut cursor).0,
            Next::Forward(blocks(0..1, 0)[0].clone())
        );
    }

    proptest! {
        /// Whatever forks happen while it follows, a follower ends with the chain.
        #[test]
        fn a_follower_ends_on_the_chain(
            steps in proptest::collection::vec((0u64..6, 0u64..8, 0usize..12), 1..12),
        ) {
            let view = ChainView::default();
            let mut cursor = view.origin();
            let mut followed: Vec<Block> = Vec::new();
            for (branch, (depth, more, reads)) in (1u8..).zip(steps) {
                let height = view.tip().height;
                let keep = height.saturating_sub(depth);
                view.replace(keep, blocks(keep..keep + more, branch));
                for _ in 0..reads {
                    follow(&view, &mut cursor, &mut followed);
                }
            }
            while follow(&view, &mut cursor, &mut followed) {}
            let chain: Vec<_> = (0..view.tip().height).filter_map(|number| view.block(number)).collect();
            prop_assert_eq!(followed, chain);
        }
    }

    fn follow(view: &ChainView, cursor: &mut Cursor, followed: &mut Vec<Block>) -> bool {
        match view.next(cursor).0 {
            Next::Forward(block) => followed.push(block),
            Next::Backward(to) => {
                let keep = followed
                    .iter()
                    .position(|block| point(block) == to)
                    .map_or(0, |at| at + 1);
                followed.truncate(keep);
            }
            Next::AtTip => return false,
        }
        true
    }
}
