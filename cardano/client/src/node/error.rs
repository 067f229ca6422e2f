//! What can go wrong with a node.

use std::{path::PathBuf, time::Duration};

use nupeer_primitives::{Code, Numbered};

use super::Rejection;
use crate::parameters::ParametersError;

/// Why a node did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Nobody answers at the socket.
    #[error("no node answers at {}: {error}", socket.display())]
    Connect {
        /// The socket's path.
        socket: PathBuf,
        /// What the system said.
        error: String,
    },
    /// The node refused the handshake: another network, or protocol versions that it does not speak.
    #[error("the node at {} refused a handshake with magic {magic} ({network}): {reason}", socket.display())]
    Handshake {
        /// The socket's path.
        socket: PathBuf,
        /// The network asked for.
        network: String,
        /// Its magic.
        magic: u64,
        /// What the node said.
        reason: String,
    },
    /// The node took too long.
    #[error("the node did not finish {doing} within {limit:?}")]
    Timeout {
        /// What it was asked.
        doing: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// The node broke the protocol or the connection.
    #[error("the connection broke while {doing}: {reason}")]
    Connection {
        /// What was going on.
        doing: &'static str,
        /// What broke.
        reason: String,
    },
    /// The node's answer is not what was asked for.
    #[error("the node's answer to {asked} is not understood: {reason}")]
    Answer {
        /// What was asked.
        asked: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The network is in another era than Conway, whose transactions and answers are read here.
    #[error("the network is in era {provided}; era {expected} (Conway) is understood")]
    Era {
        /// The node's era, counted from Byron as 0.
        provided: u16,
        /// Conway's number.
        expected: u16,
    },
    /// The node's parameters cannot be used.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The node refused the transaction.
    #[error("the node refused the transaction: {0}")]
    Rejected(Rejection),
}

impl Numbered for NodeError {
    fn code(&self) -> Code {
        match self {
            NodeError::Connect { .. } => Code(7040),
            NodeError::Handshake { .. } => Code(7041),
            NodeError::Timeout { .. } => Code(7042),
            NodeError::Connection { .. } => Code(7043),
            NodeError::Answer { .. } => Code(7044),
            NodeError::Era { .. } => Code(7045),
            NodeError::Parameters(error) => error.code(),
            NodeError::Rejected(_) => Code(7046),
        }
    }
}
