//! What a node must know of Cardano to build and judge blocks.

mod followed;
mod watched;

use nupeer_primitives::{CardanoPoint, Code, Numbered};

pub use followed::{BLOCKS_MAX, CardanoHealth, FollowedCardano, Observe};
pub use watched::WatchedCardano;

/// Why observations cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObservationError {
    /// This node has not seen that much of Cardano yet, or not deep enough. It may have soon.
    #[error("the Cardano point {0} is not reached yet")]
    NotReached(CardanoPoint),
    /// This node takes no part in bridge actions until its operator has looked.
    #[error("the Cardano point {point} is not observed here: {reason}")]
    Halted {
        /// The point named.
        point: CardanoPoint,
        /// What the operator has to look into.
        reason: RolledBack,
    },
    /// No honest node names this point after that one.
    #[error("the Cardano point is {provided:?}; {expected}")]
    Impossible {
        /// The point named.
        provided: Option<CardanoPoint>,
        /// What it should be.
        expected: String,
    },
}

/// Why a node takes no part in bridge actions: what it held for final on Cardano was given up. On its record until the operator takes it off
/// ([`crate::acknowledge_rollback`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Cardano was rolled back by {depth} blocks from {from}, deeper than {k}: no bridge actions here until the operator has looked and run nupeer node --acknowledge-rollback"
)]
pub struct RolledBack {
    /// The last block before.
    pub from: CardanoPoint,
    /// Blocks that were given up.
    pub depth: u64,
    /// Blocks under which a block counts as final.
    pub k: u64,
}

impl Numbered for RolledBack {
    fn code(&self) -> Code {
        Code(6077)
    }
}

/// This node's own view of Cardano. Points are those in headers: `None` on a chain that follows no Cardano.
pub trait CardanoView: Send + Sync + 'static {
    /// The point to name in a block built now, at or after `parent`.
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint>;

    /// What Cardano's blocks after `parent` up to and including `point` contain, each observation in its canonical encoding:
    /// a pure function of those blocks. This is what a node builds blocks by and votes by.
    fn observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError>;

    /// As [`CardanoView::observations`], of a block that more than two thirds decided. It holds for a node that takes no part in bridge actions,
    /// too: the chain is theirs, and its state would be another one without.
    fn decided_observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        self.observations(parent, point)
    }

    /// A decided block names `point`, and it is stored: what came before need not be remembered.
    fn consumed(&self, point: CardanoPoint) {
        let _ = point;
    }

    /// How deep the first block after `parent` lies, in blocks, that holds an observation that `wanted` knows; `None` where none of the blocks that
    /// may still be observed does, as far as this view sees.
    fn depth_of(
        &self,
        parent: Option<CardanoPoint>,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<u64> {
        let _ = (parent, wanted);
        None
    }

    /// How this view is.
    fn health(&self) -> CardanoHealth {
        CardanoHealth::default()
    }
}

/// For a chain whose genesis names no Cardano to follow: its headers name no point, and there is nothing to observe.
#[derive(Clone, Copy, Debug)]
pub struct NoCardano;

impl CardanoView for NoCardano {
    fn point(&self, _: Option<CardanoPoint>) -> Option<CardanoPoint> {
        None
    }

    fn observations(
        &self,
        _: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        match point {
            None => Ok(Vec::new()),
            provided => {
                let expected = "this chain follows no Cardano".into();
                Err(ObservationError::Impossible { provided, expected })
            }
        }
    }
}
