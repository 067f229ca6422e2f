//! Why the application cannot go on. None of these is a peer's fault; consensus stops.

use nupeer_primitives::{Code, Hash, Height, Numbered};
use nupeer_runtime::BlockError;

use crate::{cardano::ObservationError, store::StoreError};

/// A failure of this node.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state tree cannot be read, or the block that was to be built breaks a rule.
    #[error("cannot build a block: {0}")]
    Build(Box<BlockError>),
    /// More than two thirds decided a block that this node finds invalid: it has another state, or other rules.
    #[error("block {block}, decided at height {height}, is invalid here: {error}")]
    Diverged {
        /// The height.
        height: Height,
        /// The block.
        block: Hash,
        /// What is wrong with it here.
        error: Box<BlockError>,
    },
    /// More than two thirds decided a block whose Cardano point cannot be, as this node sees Cardano.
    #[error("block {block}, decided at height {height}: {error}")]
    Observation {
        /// The height.
        height: Height,
        /// The block.
        block: Hash,
        /// What is wrong.
        error: Box<ObservationError>,
    },
    /// Decided bytes that are no block.
    #[error("block {block}, decided at height {height}, cannot be decoded")]
    Undecodable {
        /// The height.
        height: Height,
        /// The block.
        block: Hash,
    },
    /// The node goes down while it waits for Cardano. The block will be decided again at the next start.
    #[error("the node is stopping")]
    Stopping,
}

impl Numbered for AppError {
    fn code(&self) -> Code {
        match self {
            AppError::Store(error) => error.code(),
            AppError::Build(error) => error.code(),
            AppError::Diverged { .. } => Code(6040),
            AppError::Observation { .. } => Code(6041),
            AppError::Undecodable { .. } => Code(6042),
            AppError::Stopping => Code(6043),
        }
    }
}
