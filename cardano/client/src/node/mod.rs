//! A node behind a Unix socket, spoken to in its own node-to-client protocols: a cardano-node or the devnet.
//!
//! Whoever gives a socket's path trusts the node behind it. Even so nothing that it sends makes this side panic or
//! wait for ever; a node that streams without end is ended by the time limit.

mod error;
pub(crate) mod query;
mod rejection;
mod session;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use nupeer_primitives::Hash;
use pallas_addresses::Address;

pub use error::NodeError;
pub use rejection::Rejection;
pub use session::Session;
pub(crate) use session::{broken, within};

use crate::{Network, OutputReference, ProtocolParameters, Utxo, chain::Tip};

/// How long the node may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting and shaking hands.
    pub connect: Duration,
    /// Answering a question. A node that must look through mainnet's outputs takes a minute.
    pub answer: Duration,
    /// Judging a submitted transaction.
    pub submit: Duration,
    /// Saying nothing while the follower waits for a block; then it connects anew, which does no harm.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(120),
            submit: Duration::from_secs(30),
            idle: Duration::from_secs(300),
        }
    }
}

/// Where a node is and which network it must be on. Connects when asked something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Path of the node's socket.
    pub socket: PathBuf,
    /// The network that the handshake insists on.
    pub network: Network,
    /// How long the node may take.
    pub timeouts: Timeouts,
}

impl Node {
    /// A node with the usual time limits.
    pub fn new(socket: impl Into<PathBuf>, network: Network) -> Self {
        Node {
            socket: socket.into(),
            network,
            timeouts: Timeouts::default(),
        }
    }

    /// Connects and shakes hands.
    pub async fn connect(&self) -> Result<Session, NodeError> {
        Session::connect(self).await
    }

    /// The node's last block; `None` before the first.
    pub async fn tip(&self) -> Result<Option<Tip>, NodeError> {
        self.connect().await?.tip().await
    }

    /// The protocol parameters in force.
    pub async fn parameters(&self) -> Result<ProtocolParameters, NodeError> {
        self.connect().await?.parameters().await
    }

    /// All unspent outputs at `addresses`.
    pub async fn utxos_at(&self, addresses: &[Address]) -> Result<Vec<Utxo>, NodeError> {
        self.connect().await?.utxos_at(addresses).await
    }

    /// Those of `references` that are unspent.
    pub async fn utxos(&self, references: &[OutputReference]) -> Result<Vec<Utxo>, NodeError> {
        self.connect().await?.utxos(references).await
    }

    /// Hands over a Conway transaction and waits for the node's judgement. Its id if the node took it.
    pub async fn submit(&self, transaction: &[u8]) -> Result<Hash, NodeError> {
        self.connect().await?.submit(transaction).await
    }
}
