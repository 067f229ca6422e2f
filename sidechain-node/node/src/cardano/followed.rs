//! A view of Cardano over the chain follower: this node's own connection to a node that its operator trusts.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use minicbor::bytes::ByteVec;
use nupeer_cardano_client::{
    Follower, Node,
    follower::{
        BlockObservations, DeepRollback, FollowerConfig, FollowerError, FollowerStatus, Location,
        Retention,
    },
};
use nupeer_primitives::{CardanoPoint, Slot, cbor};
use nupeer_runtime::genesis::CardanoSettings;

use super::{CardanoView, ObservationError};

/// Most Cardano blocks that one block of this chain observes, so that none takes long to judge.
pub const BLOCKS_MAX: u64 = 100;

/// What of a Cardano block this chain observes: its observations, each in its canonical encoding, or why the block cannot be read (one of
/// an era to come). A pure function of the block.
pub type Observe = dyn Fn(&[u8]) -> Result<Vec<Vec<u8>>, String> + Send + Sync;

/// Cardano as a follower sees it. Copies share the follower.
#[derive(Clone, Debug)]
pub struct FollowedCardano {
    follower: Follower,
    settings: CardanoSettings,
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
        observe: Box<Observe>,
    ) -> Result<Self, FollowerError> {
        let config = FollowerConfig {
            node,
            from: Some(settings.from),
            retention: Retention::WindowAndConsumed,
        };
        let rows = move |block: &[u8]| pack(observe(block));
        let follower = Follower::open(folder, config, rows)?;
        let ended = Arc::default();
        Ok(FollowedCardano {
            follower,
            settings,
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

    /// The newest point that is deep enough and not too far from `parent`; `None` where nothing can be told.
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
        Ok(deep
            .map(|tip| tip.point)
            .filter(|point| point.slot > parent.slot))
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
        let blocks = match self.follower.observations(Some(parent), point) {
            Ok(blocks) => blocks,
            Err(FollowerError::Ahead { .. } | FollowerError::NotOnChain { .. }) => {
                return Err(ObservationError::NotReached(point));
            }
            Err(error) => return Err(impossible(point, error.to_string())),
        };
        let provided = blocks.len() as u64;
        if provided > BLOCKS_MAX {
            let expected = format!("at most {BLOCKS_MAX} blocks after {parent}, not {provided}");
            return Err(impossible(point, expected));
        }
        let seen: Result<Vec<_>, _> = blocks.iter().map(|block| unpack(block, point)).collect();
        if let Err(error) = &seen {
            self.halt(error.to_string());
        }
        Ok(seen?.concat())
    }

    /// Tells of a rollback deeper than k as soon as it is seen. Never ends.
    pub(crate) async fn tell_of_rollbacks(&self) {
        let mut status = self.follower.subscribe();
        let mut told = None;
        loop {
            let seen = status.borrow_and_update().deep_rollback;
            if let Some(rollback) = seen.filter(|_| seen != told) {
                tracing::error!(reason = %self.why_halted(&rollback), "bridge actions halt on this node");
            }
            told = seen;
            if status.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn why_halted(&self, rollback: &DeepRollback) -> String {
        let DeepRollback { from, depth, .. } = rollback;
        let k = self.depth_min();
        format!(
            "Cardano was rolled back by {depth} blocks from {from}, deeper than {k}: no bridge actions until an operator has looked"
        )
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

impl CardanoView for FollowedCardano {
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint> {
        let parent = parent?;
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
        match (parent, point) {
            (Some(parent), Some(point)) if parent == point => Ok(Vec::new()),
            (Some(parent), Some(point)) => self.between(parent, point),
            (_, provided) => Err(ObservationError::Impossible {
                provided,
                expected: "this chain follows Cardano, each block names a point".into(),
            }),
        }
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
            deep_rollback,
        } = self.follower.status();
        CardanoHealth {
            tip: tip.map(|tip| tip.point),
            node_tip_slot: node_tip.map(|tip| tip.point.slot),
            connected,
            error,
            halted: deep_rollback
                .map(|rollback| self.why_halted(&rollback))
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

fn impossible(provided: CardanoPoint, expected: String) -> ObservationError {
    ObservationError::Impossible {
        provided: Some(provided),
        expected,
    }
}

/// A list of observations, or the text that says why there is none.
fn pack(observations: Result<Vec<Vec<u8>>, String>) -> Vec<u8> {
    match observations {
        Ok(list) => cbor::encode(&list.into_iter().map(ByteVec::from).collect::<Vec<_>>()),
        Err(reason) => cbor::encode(&reason),
    }
}

/// Who cannot read a block must not vote on what is in it: its operator needs a newer version.
fn unpack(
    block: &BlockObservations,
    point: CardanoPoint,
) -> Result<Vec<Vec<u8>>, ObservationError> {
    if let Ok(reason) = minicbor::decode::<&str>(&block.observations) {
        let expected = format!(
            "nothing after {}, which cannot be read: {reason}",
            block.point
        );
        return Err(impossible(point, expected));
    }
    let packed: Vec<ByteVec> = minicbor::decode(&block.observations)
        .map_err(|error| impossible(point, format!("a readable row ({error})")))?;
    Ok(packed.into_iter().map(Vec::from).collect())
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash;

    use super::*;

    const POINT: CardanoPoint = CardanoPoint {
        slot: Slot(7),
        hash: Hash([7; 32]),
    };

    fn row(observations: Result<Vec<Vec<u8>>, String>) -> BlockObservations {
        BlockObservations {
            point: POINT,
            block_number: 3,
            observations: pack(observations),
        }
    }

    #[test]
    fn what_was_observed_comes_back_as_it_was() {
        for seen in [vec![], vec![vec![]], vec![vec![1, 2], vec![3]]] {
            assert_eq!(unpack(&row(Ok(seen.clone())), POINT), Ok(seen));
        }
    }

    #[test]
    fn a_block_that_cannot_be_read_is_never_taken_for_an_empty_one() {
        let refused = unpack(&row(Err("another era".into())), POINT).unwrap_err();
        assert!(
            matches!(refused, ObservationError::Impossible { expected, .. } if expected.contains("another era"))
        );
    }
}
