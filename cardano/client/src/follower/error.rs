//! Why following fails, or a question about the chain has no answer.

use std::path::PathBuf;

use nupeer_primitives::{CardanoPoint, Code, Numbered};

use super::BlockError;
use crate::node::NodeError;

/// What stops a follower or leaves it without an answer.
#[derive(Debug, thiserror::Error)]
pub enum FollowerError {
    /// The store fails.
    #[error("the follower's store fails: {0}")]
    Store(String),
    /// Another process has the store.
    #[error("another process follows into {}", path.display())]
    Locked {
        /// The store's folder.
        path: PathBuf,
    },
    /// The store was made for another network.
    #[error("the store follows the network with magic {expected}, not {provided}")]
    OtherNetwork {
        /// Magic asked for.
        provided: u64,
        /// Magic in the store.
        expected: u64,
    },
    /// The store was begun elsewhere.
    #[error(
        "the store begins after {}, not after {}",
        shown(expected),
        shown(provided)
    )]
    OtherStart {
        /// Beginning asked for.
        provided: Option<CardanoPoint>,
        /// Beginning in the store.
        expected: Option<CardanoPoint>,
    },
    /// The store holds what was never written.
    #[error("the follower's store is damaged: {0}")]
    Damaged(String),
    /// A block that does not continue the chain.
    #[error("the node sent a block that is refused: {0}")]
    Block(#[from] BlockError),
    /// The connection.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node has no block in common.
    #[error(
        "the node knows no block of this chain, not even {}; it may still be catching up",
        shown(oldest)
    )]
    NoIntersection {
        /// The oldest block remembered.
        oldest: Option<CardanoPoint>,
    },
    /// The chain was rolled back further than is remembered.
    #[error(
        "the chain was rolled back from {tip} below everything that is remembered; follow anew into an empty store"
    )]
    BeyondUndo {
        /// The tip that was given up.
        tip: CardanoPoint,
    },
    /// A point that is not on the chain.
    #[error("{point} is not on the chain that is followed")]
    NotOnChain {
        /// The point.
        point: CardanoPoint,
    },
    /// A point that is not remembered any more, or that lies before the beginning.
    #[error("{point} lies before everything that is remembered")]
    Forgotten {
        /// The point.
        point: CardanoPoint,
    },
    /// A point above the tip.
    #[error("{point} lies above the tip")]
    Ahead {
        /// The point.
        point: CardanoPoint,
    },
    /// A range that ends before it begins.
    #[error("{to} lies before {from}")]
    Order {
        /// Where it was to begin.
        from: CardanoPoint,
        /// Where it was to end.
        to: CardanoPoint,
    },
    /// It runs already.
    #[error("this follower runs already")]
    AlreadyRunning,
    /// A test stopped it at a named point.
    #[cfg(feature = "failpoints")]
    #[error("stopped at failpoint {0}")]
    Failpoint(&'static str),
}

fn shown(point: &Option<CardanoPoint>) -> String {
    point.map_or_else(|| "the origin".into(), |point| point.to_string())
}

impl From<rocksdb::Error> for FollowerError {
    fn from(error: rocksdb::Error) -> Self {
        FollowerError::Store(error.into_string())
    }
}

impl From<minicbor::decode::Error> for FollowerError {
    fn from(error: minicbor::decode::Error) -> Self {
        FollowerError::Damaged(error.to_string())
    }
}

impl FollowerError {
    /// Whether connecting anew may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            FollowerError::Block(_) | FollowerError::Node(_) | FollowerError::NoIntersection { .. }
        )
    }
}

impl Numbered for FollowerError {
    fn code(&self) -> Code {
        Code(match self {
            FollowerError::Block(error) => return error.code(),
            FollowerError::Node(error) => return error.code(),
            FollowerError::Store(_) => 7060,
            FollowerError::Locked { .. } => 7061,
            FollowerError::OtherNetwork { .. } => 7062,
            FollowerError::OtherStart { .. } => 7063,
            FollowerError::Damaged(_) => 7064,
            FollowerError::NoIntersection { .. } => 7065,
            FollowerError::BeyondUndo { .. } => 7066,
            FollowerError::NotOnChain { .. } => 7067,
            FollowerError::Forgotten { .. } => 7068,
            FollowerError::Ahead { .. } => 7069,
            FollowerError::Order { .. } => 7070,
            FollowerError::AlreadyRunning => 7071,
            #[cfg(feature = "failpoints")]
            FollowerError::Failpoint(_) => 7072,
        })
    }
}
