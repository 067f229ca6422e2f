//! What each of chain-sync's messages does to the stored chain.

use std::sync::Arc;

use nupeer_primitives::CardanoPoint;
use rocksdb::WriteBatch;

use super::{
    DeepRollback, FollowerError, Inner, Location, Observe, Retention,
    block::{self, Header, Place},
    reader::Reader,
    row::{self, Row},
    store::Store,
};
use crate::chain::Tip;

/// Stops here in tests, between two effects that outlive the process.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name, |_| Err(FollowerError::Failpoint($name)));
    };
}

/// Rows forgotten with one batch at most, so that no batch grows beyond measure.
const FORGOTTEN_MAX: usize = 4096;

/// The stored chain with what is not yet written. After an error it must be loaded anew.
pub(super) struct Chain {
    store: Arc<Store>,
    observe: Arc<Observe>,
    /// `k`.
    final_depth: u64,
    /// 6k/f.
    window_slots: u64,
    retention: Retention,
    /// The last block followed, written or not; or the beginning.
    head: Place,
    /// The highest block number ever held, written or not: what lies k below it was final, however far the chain fell back since. A
    /// rollback deeper than k is on record, and what comes after it counts from where it led.
    highest: Option<u64>,
    /// What the node last sent. Below the head after an intersection below it: as long as the node sends the blocks
    /// that are stored already, nothing was rolled back.
    cursor: Place,
    batch: WriteBatch,
    appended: usize,
    /// Recorded, and not yet told.
    recorded: Option<DeepRollback>,
}

impl Chain {
    pub(super) fn load(inner: &Inner) -> Result<Self, FollowerError> {
        let head = Reader::new(&inner.store)?.head()?;
        let network = &inner.config.node.network;
        Ok(Chain {
            observe: inner.observe.clone(),
            final_depth: network.security_parameter_blocks,
            window_slots: network.stability_window_slots().saturating_mul(2),
            retention: inner.config.retention,
            highest: inner.store.highest()?.max(head.number),
            head,
            cursor: head,
            batch: WriteBatch::default(),
            appended: 0,
            recorded: None,
            store: inner.store.clone(),
        })
    }

    /// The last block followed, written or not.
    pub(super) fn tip(&self) -> Option<Tip> {
        self.head
            .point
            .zip(self.head.number)
            .map(|(point, block_number)| Tip {
                point,
                block_number,
            })
    }

    /// A deep rollback that came on record since this was last asked for.
    pub(super) fn recorded(&mut self) -> Option<DeepRollback> {
        self.recorded.take()
    }

    /// Blocks that wait to be written.
    pub(super) fn pending(&self) -> usize {
        self.appended
    }

    /// The node goes on from `point`, one of those offered.
    pub(super) fn intersected(&mut self, point: Option<CardanoPoint>) -> Result<(), FollowerError> {
        self.cursor = self.find(point)?.ok_or_else(|| self.not_on_chain(point))?;
        Ok(())
    }

    /// The node's next block. What is stored already is passed over; what differs from it is a fork.
    pub(super) fn forward(&mut self, raw: &[u8]) -> Result<(), FollowerError> {
        let header = block::read(raw)?;
        block::check(&header, &self.cursor)?;
        if self.cursor != self.head {
            if self.is_stored(&header)? {
                self.cursor = header.tip.into();
                return Ok(());
            }
            self.roll_back(self.cursor)?;
        }
        self.append(&header, (self.observe)(raw))
    }

    /// The node goes back to `point`. The first such message after an intersection names that very point and does
    /// nothing.
    pub(super) fn backward(&mut self, point: Option<CardanoPoint>) -> Result<(), FollowerError> {
        if point == self.cursor.point {
            return Ok(());
        }
        self.write(true)?;
        match self.find(point)? {
            Some(place) => self.roll_back(place),
            None => self.beyond_undo(),
        }
    }

    /// Writes what waits, as one batch.
    pub(super) fn write(&mut self, synced: bool) -> Result<(), FollowerError> {
        if self.appended == 0 {
            return Ok(());
        }
        self.forget()?;
        self.store.put_highest(&mut self.batch, self.highest)?;
        failpoint!("follower-before-blocks");
        self.store.write(std::mem::take(&mut self.batch), synced)?;
        failpoint!("follower-after-blocks");
        self.appended = 0;
        Ok(())
    }

    fn append(&mut self, header: &Header, observations: Vec<u8>) -> Result<(), FollowerError> {
        let Tip {
            point,
            block_number,
        } = header.tip;
        let row = Row::new(point, observations).to_bytes();
        self.batch
            .put_cf(self.store.blocks()?, row::key(block_number), row);
        self.appended += 1;
        self.head = header.tip.into();
        self.cursor = self.head;
        self.highest = self.highest.max(Some(block_number));
        Ok(())
    }

    /// Whether the block after the cursor is this one.
    fn is_stored(&self, header: &Header) -> Result<bool, FollowerError> {
        let reader = Reader::new(&self.store)?;
        let number = header.tip.block_number;
        let next = match self.cursor.number {
            Some(cursor) => Some(cursor.saturating_add(1)),
            None => reader.first_number(),
        };
        Ok(next == Some(number) && reader.row(number)?.point() == header.tip.point)
    }

    /// Forgets all blocks after `place`, at once. Nothing may wait to be written.
    fn roll_back(&mut self, place: Place) -> Result<(), FollowerError> {
        let mut batch = WriteBatch::default();
        let first = self.first_after(place)?;
        let end = self
            .head
            .number
            .map_or(first, |last| last.saturating_add(1));
        for number in first..end {
            batch.delete_cf(self.store.blocks()?, row::key(number));
        }
        let depth = self.depth_of(first);
        if depth > self.final_depth {
            self.record_deep_rollback(&mut batch, place.point, depth)?;
            self.highest = first.checked_sub(1);
            self.store.put_highest(&mut batch, self.highest)?;
        }
        let blocks = end.saturating_sub(first);
        tracing::info!(to = ?place.point, blocks, depth, "the chain was rolled back");
        failpoint!("follower-before-rollback");
        self.store.write(batch, true)?;
        failpoint!("follower-after-rollback");
        self.head = place;
        self.cursor = place;
        Ok(())
    }

    /// Number of the first block after `place`.
    fn first_after(&self, place: Place) -> Result<u64, FollowerError> {
        Ok(match place.number {
            Some(number) => number.saturating_add(1),
            None => Reader::new(&self.store)?.first_number().unwrap_or_default(),
        })
    }

    /// How many blocks were on top of the one before `first` when the chain was longest.
    fn depth_of(&self, first: u64) -> u64 {
        let end = self.highest.map_or(first, |last| last.saturating_add(1));
        end.saturating_sub(first)
    }

    /// The record lives as long as nobody acknowledges it; the first is what everything after it follows from.
    fn record_deep_rollback(
        &mut self,
        batch: &mut WriteBatch,
        to: Option<CardanoPoint>,
        depth: u64,
    ) -> Result<(), FollowerError> {
        let Some(from) = self.head.point else {
            return Ok(());
        };
        tracing::error!(%from, ?to, depth, k = self.final_depth, "A ROLLBACK DEEPER THAN K: final blocks were given up");
        // Whoever acknowledged the last one did so in the store.
        if self.store.deep_rollback()?.is_none() {
            let rollback = DeepRollback { from, to, depth };
            self.store.put_deep_rollback(batch, &rollback)?;
            self.recorded = Some(rollback);
        }
        Ok(())
    }

    /// The chain went on below everything that is remembered: nothing here can follow it.
    pub(super) fn beyond_undo(&mut self) -> Result<(), FollowerError> {
        let Some(tip) = self.head.point else {
            return Ok(());
        };
        let mut batch = WriteBatch::default();
        let first = self.first_after(Reader::new(&self.store)?.base())?;
        let depth = self.depth_of(first);
        self.record_deep_rollback(&mut batch, None, depth)?;
        self.store.write(batch, true)?;
        Err(FollowerError::BeyondUndo { tip })
    }

    /// The place of a point that is remembered.
    fn find(&self, point: Option<CardanoPoint>) -> Result<Option<Place>, FollowerError> {
        let reader = Reader::new(&self.store)?;
        let base = reader.base();
        let Some(point) = point else {
            return Ok(base.point.is_none().then_some(base));
        };
        Ok(match reader.locate(point)? {
            Location::At { block_number, .. } => Some(Place {
                point: Some(point),
                number: block_number,
            }),
            Location::Ahead | Location::Forked | Location::Forgotten => None,
        })
    }

    fn not_on_chain(&self, point: Option<CardanoPoint>) -> FollowerError {
        match point {
            Some(point) => FollowerError::NotOnChain { point },
            None => FollowerError::NoIntersection {
                oldest: self.head.point,
            },
        }
    }

    /// Adds to the batch the forgetting of rows that nobody can need: see [`Retention`].
    fn forget(&mut self) -> Result<(), FollowerError> {
        let Some(tip) = self.tip() else { return Ok(()) };
        let horizon = tip.point.slot.0.saturating_sub(self.window_slots);
        let consumed = match self.retention {
            Retention::Window => Some(u64::MAX),
            Retention::WindowAndConsumed => self.store.consumed()?,
        };
        let mut base = None;
        for entry in self.store.oldest_first()?.take(FORGOTTEN_MAX) {
            let (number, row) = entry?;
            if row.point().slot.0 >= horizon || consumed.is_none_or(|consumed| number > consumed) {
                break;
            }
            self.batch.delete_cf(self.store.blocks()?, row::key(number));
            base = Some(Place {
                point: Some(row.point()),
                number: Some(number),
            });
        }
        match base {
            Some(base) => self.store.put_base(&mut self.batch, &base),
            None => Ok(()),
        }
    }
}
