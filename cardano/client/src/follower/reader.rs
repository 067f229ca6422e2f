//! Questions about the chain, each answered from one state of it.

use nupeer_primitives::CardanoPoint;
use rocksdb::{DB, IteratorMode, SnapshotWithThreadMode};

use super::{
    FollowerError, FollowerStatus,
    block::Place,
    row::{self, Row},
    store::Store,
};
use crate::chain::Tip;

/// What was observed in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockObservations {
    /// The block.
    pub point: CardanoPoint,
    /// Its number.
    pub block_number: u64,
    /// What the owner's function made of it.
    pub observations: Vec<u8>,
}

/// Where a point is, seen from the chain that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// On the chain.
    At {
        /// Its number; unknown for a beginning before the first block followed.
        block_number: Option<u64>,
        /// How many blocks lie on it; unknown before the first block followed.
        depth: Option<u64>,
    },
    /// Above the tip: it may yet come.
    Ahead,
    /// Another block, or none, is where it would be.
    Forked,
    /// Before everything that is remembered: it was or was not on the chain.
    Forgotten,
}

/// One state of the chain.
pub(super) struct Reader<'a> {
    store: &'a Store,
    snapshot: SnapshotWithThreadMode<'a, DB>,
    base: Place,
    /// Numbers of the first and last rows.
    ends: Option<(u64, u64)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Store) -> Result<Self, FollowerError> {
        let snapshot = store.db.snapshot();
        let base = snapshot.get_cf(store.meta_family()?, Store::base_key())?;
        let base = base.ok_or_else(|| FollowerError::Damaged("no base".into()))?;
        let (point, number) = minicbor::decode(&base)?;
        let mut reader = Reader {
            store,
            snapshot,
            base: Place { point, number },
            ends: None,
        };
        reader.ends = reader
            .end(IteratorMode::Start)?
            .zip(reader.end(IteratorMode::End)?);
        Ok(reader)
    }

    fn end(&self, mode: IteratorMode<'_>) -> Result<Option<u64>, FollowerError> {
        let mut rows = self.snapshot.iterator_cf(self.store.blocks()?, mode);
        rows.next()
            .transpose()?
            .map(|(key, _)| row::number(&key))
            .transpose()
    }

    /// The place before the first row, with its number if it can be told.
    pub(super) fn base(&self) -> Place {
        let number = self.base.number.or_else(|| self.ends?.0.checked_sub(1));
        Place {
            number: self.base.point.and(number),
            ..self.base
        }
    }

    pub(super) fn first_number(&self) -> Option<u64> {
        self.ends.map(|(first, _)| first)
    }

    pub(super) fn tip(&self) -> Result<Option<Tip>, FollowerError> {
        self.ends.map(|(_, last)| self.tip_at(last)).transpose()
    }

    /// The last block followed, or the beginning.
    pub(super) fn head(&self) -> Result<Place, FollowerError> {
        Ok(self.tip()?.map_or_else(|| self.base(), Place::from))
    }

    pub(super) fn status(&self) -> FollowerStatus {
        FollowerStatus {
            tip: self.tip().ok().flatten(),
            ..FollowerStatus::default()
        }
    }

    pub(super) fn row(&self, number: u64) -> Result<Row, FollowerError> {
        let bytes = self
            .snapshot
            .get_pinned_cf(self.store.blocks()?, row::key(number))?;
        let bytes = bytes.ok_or_else(|| FollowerError::Damaged(format!("no block {number}")))?;
        Row::from_bytes(&bytes)
    }

    fn tip_at(&self, number: u64) -> Result<Tip, FollowerError> {
        Ok(Tip {
            point: self.row(number)?.point(),
            block_number: number,
        })
    }

    pub(super) fn at_depth(&self, depth: u64) -> Result<Option<Tip>, FollowerError> {
        let Some((first, last)) = self.ends else {
            return Ok(None);
        };
        let base = self.base();
        match last.checked_sub(depth) {
            Some(number) if number >= first => self.tip_at(number).map(Some),
            number if number.is_some() && number == base.number => Ok(base
                .point
                .zip(base.number)
                .map(|(point, block_number)| Tip {
                    point,
                    block_number,
                })),
            _ => Ok(None),
        }
    }

    pub(super) fn locate(&self, point: CardanoPoint) -> Result<Location, FollowerError> {
        let base = self.base();
        if base.point == Some(point) {
            let depth = self.ends.map(|(first, last)| last - first + 1);
            return Ok(Location::At {
                block_number: base.number,
                depth,
            });
        }
        if base.point.is_some_and(|base| point.slot <= base.slot) {
            return Ok(Location::Forgotten);
        }
        let Some(tip) = self.tip()? else {
            return Ok(Location::Ahead);
        };
        if point.slot > tip.point.slot {
            return Ok(Location::Ahead);
        }
        Ok(match self.number_of(point)? {
            Some(number) => Location::At {
                block_number: Some(number),
                depth: Some(tip.block_number - number),
            },
            None => Location::Forked,
        })
    }

    /// Slots ascend with numbers, and numbers have no gaps.
    fn number_of(&self, point: CardanoPoint) -> Result<Option<u64>, FollowerError> {
        let Some((mut low, mut high)) = self.ends else {
            return Ok(None);
        };
        while low <= high {
            let middle = low + (high - low) / 2;
            let found = self.row(middle)?.point();
            if found == point {
                return Ok(Some(middle));
            }
            if found.slot < point.slot {
                low = middle + 1;
            } else if middle == 0 {
                break;
            } else {
                high = middle - 1;
            }
        }
        Ok(None)
    }

    pub(super) fn observations(
        &self,
        from_exclusive: Option<CardanoPoint>,
        to_inclusive: CardanoPoint,
    ) -> Result<Vec<BlockObservations>, FollowerError> {
        let to = self.required(to_inclusive)?;
        let from = match from_exclusive.or(self.base.point) {
            Some(from) => self.required(from)?,
            None => None,
        };
        if let (Some(from_point), true) = (from_exclusive, from > to) {
            return Err(FollowerError::Order {
                from: from_point,
                to: to_inclusive,
            });
        }
        let (Some(to), Some((first, _))) = (to, self.ends) else {
            return Ok(vec![]);
        };
        let after = from.map_or(first, |from| from.saturating_add(1)).max(first);
        (after..=to).map(|number| self.observed(number)).collect()
    }

    fn observed(&self, block_number: u64) -> Result<BlockObservations, FollowerError> {
        let row = self.row(block_number)?;
        Ok(BlockObservations {
            point: row.point(),
            block_number,
            observations: row.into_observations(),
        })
    }

    /// The number of a block that must be on the chain.
    fn required(&self, point: CardanoPoint) -> Result<Option<u64>, FollowerError> {
        match self.locate(point)? {
            Location::At { block_number, .. } => Ok(block_number),
            Location::Ahead => Err(FollowerError::Ahead { point }),
            Location::Forked => Err(FollowerError::NotOnChain { point }),
            Location::Forgotten => Err(FollowerError::Forgotten { point }),
        }
    }

    /// Points to offer a node, newest first: dense near the tip, sparse below, the oldest at last.
    pub(super) fn intersection_points(&self) -> Result<Vec<Option<CardanoPoint>>, FollowerError> {
        let mut points = Vec::new();
        if let Some((first, last)) = self.ends {
            let mut back = 0u64;
            while let Some(number) = last.checked_sub(back).filter(|number| *number >= first) {
                points.push(Some(self.row(number)?.point()));
                back = if back == 0 { 1 } else { back.saturating_mul(2) };
            }
        }
        points.push(self.base.point);
        Ok(points)
    }
}
