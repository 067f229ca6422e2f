//! Why an engine did not start or did not go on.

use std::path::PathBuf;

use nupeer_primitives::{Code, Hash, Height, Numbered};

use crate::ApplicationError;

/// Why [`run`](crate::run) returned without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    /// A setting that makes no sense.
    #[error("{setting} is {provided:?}: {reason}")]
    Config {
        /// Its name in [`Config`](crate::Config).
        setting: &'static str,
        /// What it was set to.
        provided: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another engine works in the same folder.
    #[error("{} is in use by another process", home.display())]
    Locked {
        /// The folder.
        home: PathBuf,
    },
    /// An earlier run halted for safety's sake, and nobody has looked into it.
    #[error(
        "an earlier run halted: {reason}. Make sure that this validator signed nothing that its crash log has \
         lost, then remove {}", marker.display()
    )]
    Halted {
        /// Why it halted.
        reason: String,
        /// The file that says so.
        marker: PathBuf,
    },
    /// The address is taken or not ours.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address asked for.
        address: String,
    },
    /// The folder cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// A part of the engine did not start.
    #[error("the engine did not start: {0}")]
    Start(String),
    /// A part of the engine ended by itself. Starting again is safe.
    #[error("the engine stopped by itself")]
    Stopped,
    /// The application failed, or panicked, in what it was asked to do.
    #[error("the application failed to {task} at height {height}: {source}")]
    Application {
        /// What it was asked.
        task: &'static str,
        /// The height at that time.
        height: Height,
        /// What it answered.
        source: ApplicationError,
    },
    /// The record of what this validator signed last cannot be used: it signs nothing.
    #[error("{} does not hold what this validator signed last: {reason}", path.display())]
    LastSigned {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A decided block is not in the store, though it must have been stored before the vote.
    #[error("block {block}, decided at height {height}, was never stored here")]
    MissingBlock {
        /// The height.
        height: Height,
        /// The block.
        block: Hash,
    },
}

impl Numbered for ConsensusError {
    fn code(&self) -> Code {
        Code(match self {
            ConsensusError::Config { .. } => 6800,
            ConsensusError::Locked { .. } => 6801,
            ConsensusError::Halted { .. } => 6802,
            ConsensusError::Listen { .. } => 6803,
            ConsensusError::Io { .. } => 6804,
            ConsensusError::Start(_) => 6805,
            ConsensusError::Stopped => 6806,
            ConsensusError::Application { .. } => 6807,
            ConsensusError::MissingBlock { .. } => 6808,
            ConsensusError::LastSigned { .. } => 6809,
        })
    }
}
