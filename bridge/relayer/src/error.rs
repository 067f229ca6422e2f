//! Why a round of the relayer came to nothing.

use std::path::PathBuf;

use nupeer_cardano_client::{
    builder::{BuildError, SignError},
    node::NodeError,
};
use nupeer_primitives::{Code, Numbered};

use crate::{StateError, source::SourceError, transactions::TransactionError};

/// What stands in the relayer's way. The next round begins anew.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The settings.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The bridge cannot be read from Cardano.
    #[error(transparent)]
    State(#[from] StateError),
    /// Cardano's node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The sidechain's nodes.
    #[error("the sidechain's nodes: {0}")]
    Source(#[from] SourceError),
    /// A transaction cannot be made.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A transaction cannot be balanced.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The wallet's key does not open what it should.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A thread that asked the sidechain ended.
    #[error("a question to the sidechain was interrupted")]
    Interrupted,
}

impl Numbered for RelayError {
    fn code(&self) -> Code {
        match self {
            RelayError::Config { .. } => Code(7540),
            RelayError::State(error) => error.code(),
            RelayError::Node(error) => error.code(),
            RelayError::Source(_) => Code(7541),
            RelayError::Transaction(error) => error.code(),
            RelayError::Build(error) => error.code(),
            RelayError::Sign(error) => error.code(),
            RelayError::Interrupted => Code(7542),
        }
    }
}
