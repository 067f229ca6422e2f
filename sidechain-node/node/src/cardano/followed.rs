//! A view of Cardano over the chain follower: this node's own connection to a node that its operator trusts.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use minicbor::bytes::ByteVec;
use nupeer_cardano_client::{
    Follower, Node,
    follower::{FollowerConfig, FollowerError, FollowerStatus, Location, Retention},
};
use nupeer_observe::{
    Portion,
    portion::{BYTES_MAX, OBSERVATIONS_MAX},
};
use nupeer_primitives::{CardanoPoint, Numbered, Slot, cbor};
use nupeer_runtime::genesis::CardanoSettings;

use super::{CardanoView, ObservationError, RolledBack};

/// Most Cardano blocks that one block of this chain observes, so that none takes long to judge ([`Portion`]).
pub use nupeer_observe::portion::BLOCKS_MAX;

/// Cardano blocks whose observations are read at a time: what one of them makes may be large.
const STEP_BLOCKS: u64 = 10;

/// What of a Cardano block this chain observes: its observations, each in its canonical encoding, or why the block cannot be read (one of
/// an era to come). A pure function of the block.
pub type Observe = dyn Fn(&[u8]) -> Result<Vec<Vec<u8>>, String> + Send + Sync;

/// Cardano as a follower sees it. Copies share the follower.
#[derive(Clone)]
pub struct FollowedCardano {
    follower: Follower,
    settings: CardanoSettings,
    observe: Arc<Observe>,
    /// Why following ended by itself.
    ended: Arc<OnceLock<String>>,
}

impl FollowedCardano {
    /// Opens the follower's store in `folder`. It remembers what this chain has not yet consumed, however old.
    ///
    /// # Errors
    /// The store fails, is another process', or was made for another network or beginning.
    pub fn open(
        folder: &Path,
        node: Node,
        settings: CardanoSettings,
        observe: Arc<Observe>,
    ) -> Result<Self, FollowerError> {
        Self::keeping(
            Retention::WindowAndConsumed,
            folder,
            node,
            settings,
            observe,
        )
    }

    /// As [`FollowedCardano::open`], for a chain that consumes nothing: no more is remembered than may be rolled back.
    ///
    /// # Errors
    /// As [`FollowedCardano::open`].
    pub fn watch(
        folder: &Path,
        node: Node,
        settings: CardanoSettings,
    ) -> Result<Self, FollowerError> {
        let nothing: Arc<Observe> = Arc::new(|_| Ok(Vec::new()));
        Self::keeping(Retention::Window, folder, node, settings, nothing)
    }

    fn keeping(
        retention: Retention,
        folder: &Path,
        node: Node,
        settings: CardanoSettings,
        observe: Arc<Observe>,
    ) -> Result<Self, FollowerError> {
        let config = FollowerConfig {
            node,
            from: Some(settings.from),
            retention,
        };
        let first = observe.clone();
        let rows = move |block: &[u8]| pack(first(block), block);
        let follower = Follower::open(folder, config, rows)?;
        let ended = Arc::default();
        Ok(FollowedCardano {
            follower,
            settings,
            observe,
            ended,
        })
    }

    /// Says, aloud once, why this node takes no part in bridge actions any more; the first reason stays.
    pub(crate) fn halt(&self, reason: String) {
        if self.ended.set(reason).is_ok() {
            let reason = self.ended.get();
            tracing::error!(
                ?reason,
                "bridge actions halt on this node until its operator has looked"
            );
        }
    }

    /// The follower, to run it and to ask how it does.
    pub fn follower(&self) -> &Follower {
        &self.follower
    }

    /// How deep a block must lie to be named, in blocks.
    fn depth_min(&self) -> u64 {
        self.settings.security_parameter.into()
    }

    /// The newest point that is deep enough and whose blocks after `parent` fit into one block of this chain; `None` where nothing can be
    /// told.
    fn newest(&self, parent: CardanoPoint) -> Result<Option<CardanoPoint>, FollowerError> {
        let Location::At {
            depth: Some(behind),
            ..
        } = self.follower.locate(parent)?
        else {
            return Ok(None);
        };
        let depth = self.depth_min().max(behind.saturating_sub(BLOCKS_MAX));
        if behind <= depth {
            return Ok(None);
        }
        let deep = self.follower.point_at_depth(depth)?;
        let deep = deep.map(|tip| tip.point);
        match deep.filter(|point| point.slot > parent.slot) {
            Some(deep) => self.portion_end(parent, deep),
            None => Ok(None),
        }
    }

    /// Where the portion of Cardano after `parent` ends, at `deep` at the latest.
    fn portion_end(
        &self,
        parent: CardanoPoint,
        deep: CardanoPoint,
    ) -> Result<Option<CardanoPoint>, FollowerError> {
        let (mut portion, mut end) = (Portion::default(), None);
        self.walk(parent, deep, &mut |block, seen| {
            match seen {
                Ok(seen) if portion.takes(&seen) => end = Some(block),
                Ok(_) => return false,
                Err(reason) => {
                    // What comes before it goes in first.
                    if end.is_none() {
                        self.halt(unreadable(block, &reason).to_string());
                    }
                    return false;
                }
            }
            true
        })?;
        Ok(end)
    }

    fn between(
        &self,
        parent: CardanoPoint,
        point: CardanoPoint,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        match self.located(point)? {
            Some(depth) if depth >= self.depth_min() => {}
            _ => return Err(ObservationError::NotReached(point)),
        }
        let (mut portion, mut all, mut refused) = (Portion::default(), Vec::new(), None);
        let walked = self.walk(parent, point, &mut |block, seen| {
            match seen {
                Ok(seen) if portion.takes(&seen) => all.extend(seen),
                Ok(_) => refused = Some(impossible(point, too_much(parent))),
                Err(reason) => {
                    let error = unreadable(block, &reason);
                    self.halt(error.to_string());
                    refused = Some(error);
                }
            }
            refused.is_none()
        });
        match (walked, refused) {
            (Ok(()), None) => Ok(all),
            (Ok(()), Some(error)) => Err(error),
            (Err(FollowerError::Ahead { .. } | FollowerError::NotOnChain { .. }), _) => {
                Err(ObservationError::NotReached(point))
            }
            (Err(error), _) => Err(impossible(point, error.to_string())),
        }
    }

    /// Goes through the blocks after `parent` up to `point`, in their order, for as long as `wants` says so.
    fn walk(
        &self,
        parent: CardanoPoint,
        point: CardanoPoint,
        wants: &mut dyn FnMut(CardanoPoint, Result<Vec<Vec<u8>>, String>) -> bool,
    ) -> Result<(), FollowerError> {
        let mut from = parent;
        while from != point {
            let to = self.step(from, point)?;
            // Fails if `from` lies on another fork by now, so that all steps are of one chain.
            for block in self.follower.observations(Some(from), to)? {
                if !wants(block.point, unpack(&block.observations, &*self.observe)) {
                    return Ok(());
                }
            }
            from = to;
        }
        Ok(())
    }

    /// The depth of the first block after `parent` with an observation that `wanted` knows. A view that is far behind looks at no more blocks than
    /// lie between a point that is deep and the tip.
    fn find(
        &self,
        parent: CardanoPoint,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Option<u64>, FollowerError> {
        let Some(tip) = self.follower.status().tip else {
            return Ok(None);
        };
        let (mut left, mut found) = (self.depth_min().saturating_add(BLOCKS_MAX), None);
        self.walk(parent, tip.point, &mut |block, seen| {
            let holds = seen.is_ok_and(|seen| seen.iter().any(|one| wanted(one)));
            found = holds.then_some(block);
            left = left.saturating_sub(1);
            found.is_none() && left > 0
        })?;
        match found.map(|block| self.follower.locate(block)).transpose()? {
            Some(Location::At { depth, .. }) => Ok(depth),
            _ => Ok(None),
        }
    }

    /// Where the next step from `from` to `point` ends.
    fn step(&self, from: CardanoPoint, point: CardanoPoint) -> Result<CardanoPoint, FollowerError> {
        let Location::At {
            depth: Some(depth), ..
        } = self.follower.locate(from)?
        else {
            return Ok(point);
        };
        let to = match depth.checked_sub(STEP_BLOCKS) {
            Some(depth) => self.follower.point_at_depth(depth)?,
            None => None,
        };
        let to = to.map(|tip| tip.point);
        let between = |to: &CardanoPoint| to.slot > from.slot && to.slot < point.slot;
        Ok(to.filter(between).unwrap_or(point))
    }

    /// Tells of a rollback deeper than k as soon as it is seen. Never ends.
    pub(crate) async fn tell_of_rollbacks(&self) {
        let mut status = self.follower.subscribe();
        let mut told = None;
        loop {
            status.mark_unchanged();
            let seen = self.rolled_back();
            if let Some(rollback) = seen.filter(|_| seen != told) {
                tracing::error!(reason = %numbered(&rollback), "bridge actions halt on this node");
            }
            told = seen;
            if status.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The rollback deeper than k that is on record: until its operator has looked, this node proposes no observation and votes for none.
    fn rolled_back(&self) -> Option<RolledBack> {
        let k = self.depth_min();
        let rollback = self.follower.deep_rollback()?;
        Some(RolledBack {
            from: rollback.from,
            depth: rollback.depth,
            k,
        })
    }

    /// Takes the rollback off the record: an operator looked into it. Tells which it was.
    ///
    /// # Errors
    /// The follower's store fails.
    pub fn acknowledge_rollback(&self) -> Result<Option<RolledBack>, FollowerError> {
        let rollback = self.rolled_back();
        if rollback.is_some() {
            self.follower.acknowledge_deep_rollback()?;
        }
        Ok(rollback)
    }

    /// The depth of a point; `None` while it is not known.
    fn located(&self, point: CardanoPoint) -> Result<Option<u64>, ObservationError> {
        match self.follower.locate(point) {
            Ok(Location::At { depth, .. }) => Ok(depth),
            // On a fork that this node sees: the other node may be right yet.
            Ok(Location::Ahead | Location::Forked) => Ok(None),
            Ok(Location::Forgotten) => Err(impossible(point, "a point that is remembered".into())),
            Err(error) => Err(impossible(point, error.to_string())),
        }
    }
}

impl std::fmt::Debug for FollowedCardano {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowedCardano")
            .field("follower", &self.follower)
            .field("settings", &self.settings)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl CardanoView for FollowedCardano {
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint> {
        let parent = parent?;
        if self.rolled_back().is_some() {
            return Some(parent);
        }
        let newest = self.newest(parent).unwrap_or_else(|error| {
            tracing::warn!(%error, "the view of Cardano cannot be read");
            None
        });
        Some(newest.unwrap_or(parent))
    }

    fn observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        let newer = point.filter(|_| point != parent);
        match newer.zip(self.rolled_back()) {
            Some((point, reason)) => Err(ObservationError::Halted { point, reason }),
            None => self.decided_observations(parent, point),
        }
    }

    fn decided_observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        match (parent, point) {
            (Some(parent), Some(point)) if parent == point => Ok(Vec::new()),
            (Some(parent), Some(point)) => self.between(parent, point),
            (_, provided) => Err(ObservationError::Impossible {
                provided,
                expected: "this chain follows Cardano, each block names a point".into(),
            }),
        }
    }

    fn depth_of(
        &self,
        parent: Option<CardanoPoint>,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<u64> {
        // What cannot be read just now, a fork being followed, is there again with the next question.
        self.find(parent?, wanted).ok().flatten()
    }

    fn consumed(&self, point: CardanoPoint) {
        // What is not forgotten today is forgotten with the next block.
        if let Err(error) = self.follower.consumed_up_to(point) {
            tracing::warn!(%error, "observations that are consumed stay stored");
        }
    }

    fn health(&self) -> CardanoHealth {
        let FollowerStatus {
            tip,
            node_tip,
            connected,
            error,
            deep_rollback: _,
        } = self.follower.status();
        CardanoHealth {
            tip: tip.map(|tip| tip.point),
            node_tip_slot: node_tip.map(|tip| tip.point.slot),
            connected,
            error,
            halted: self
                .rolled_back()
                .map(|rollback| numbered(&rollback))
                .or_else(|| self.ended.get().cloned()),
        }
    }
}

/// How a node's view of Cardano is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardanoHealth {
    /// The last block followed.
    pub tip: Option<CardanoPoint>,
    /// Slot of the last block that the Cardano node has.
    pub node_tip_slot: Option<Slot>,
    /// Whether the Cardano node answers.
    pub connected: bool,
    /// What last broke the connection.
    pub error: Option<String>,
    /// Why this node takes no part in bridge actions, if it does not.
    pub halted: Option<String>,
}

/// An error with its number, for logs and for the status.
fn numbered(error: &dyn Numbered) -> String {
    format!("{}: {error}", error.code())
}

fn impossible(provided: CardanoPoint, expected: String) -> ObservationError {
    ObservationError::Impossible {
        provided: Some(provided),
        expected,
    }
}

/// Who cannot read a block must not vote on what is in it: its operator needs a newer version.
fn unreadable(block: CardanoPoint, reason: &str) -> ObservationError {
    impossible(
        block,
        format!("a block that can be read, which this one cannot: {reason}"),
    )
}

fn too_much(parent: CardanoPoint) -> String {
    format!(
        "one block after {parent}, or at most {BLOCKS_MAX} with {OBSERVATIONS_MAX} observations of {BYTES_MAX} bytes"
    )
}

/// A list of observations; or why there is none, and the block itself, for a newer version to read.
fn pack(observations: Result<Vec<Vec<u8>>, String>, block: &[u8]) -> Vec<u8> {
    match observations {
        Ok(list) => cbor::encode(&list.into_iter().map(ByteVec::from).collect::<Vec<_>>()),
        Err(reason) => cbor::encode(&(reason, ByteVec::from(block.to_vec()))),
    }
}

/// The observations of a row. A block that could not be read when it came is observed again: this version may know it.
fn unpack(row: &[u8], observe: &Observe) -> Result<Vec<Vec<u8>>, String> {
    if let Ok((_, block)) = minicbor::decode::<(&str, ByteVec)>(row) {
        return observe(&block);
    }
    let packed = minicbor::decode::<Vec<ByteVec>>(row);
    let packed = packed.map_err(|error| format!("its row holds no observations: {error}"))?;
    Ok(packed.into_iter().map(Vec::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_today(block: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        Ok(vec![block.to_vec(), vec![9]])
    }

    #[test]
    fn what_was_observed_comes_back_as_it_was() {
        for seen in [vec![], vec![vec![]], vec![vec![1, 2], vec![3]]] {
            assert_eq!(unpack(&pack(Ok(seen.clone()), &[5]), &of_today), Ok(seen));
        }
    }

    #[test]
    fn a_block_that_cannot_be_read_is_never_taken_for_an_empty_one() {
        let row = pack(Err("another era".into()), &[5]);
        let of_old = |_: &[u8]| Err("still another era".to_owned());
        assert_eq!(unpack(&row, &of_old), Err("still another era".into()));
        // A row that no version wrote.
        for row in [&[][..], &[0x61, b'x'], &[0x82, 1, 2]] {
            assert!(unpack(row, &of_today).is_err(), "{row:?}");
        }
    }

    #[test]
    fn a_block_that_could_not_be_read_is_observed_again_by_a_version_that_can() {
        let row = pack(Err("another era".into()), &[5, 6]);
        assert_eq!(unpack(&row, &of_today), of_today(&[5, 6]));
    }

    #[test]
    fn rows_are_pinned() {
        let seen = pack(Ok(vec![vec![1, 2], vec![]]), &[5]);
        assert_eq!(hex::encode(seen), "8242010240");
        let unreadable = pack(Err("era".into()), &[5, 6]);
        assert_eq!(
            hex::encode(unreadable),
            "826365726142 0506".replace(' ', "")
        );
    }
}
