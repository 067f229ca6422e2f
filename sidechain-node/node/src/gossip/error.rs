//! Why gossip does not start.

use nupeer_primitives::{Code, Numbered};

/// What is wrong with its settings or its address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GossipError {
    /// Not a multiaddr.
    #[error("{provided:?} is no multiaddr like /ip4/127.0.0.1/tcp/26660: {reason}")]
    Address {
        /// The text.
        provided: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is taken or not ours.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The network stack does not start.
    #[error("gossip does not start: {0}")]
    Start(String),
}

impl Numbered for GossipError {
    fn code(&self) -> Code {
        Code(match self {
            GossipError::Address { .. } => 6050,
            GossipError::Listen { .. } => 6051,
            GossipError::Start(_) => 6052,
        })
    }
}
