//! Why a block cannot be observed.

use nupeer_primitives::{Code, Numbered};

/// A block that this program does not read. A follower that has checked it never meets the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// Not a block.
    #[error("not a Cardano block: {0}")]
    Malformed(String),
    /// A block of an era that came after this program.
    #[error("a block of era {provided}, this program knows {maximum} and below")]
    Era {
        /// The era's number.
        provided: u64,
        /// The last that is known.
        maximum: u64,
    },
}

impl Numbered for ObserveError {
    fn code(&self) -> Code {
        Code(match self {
            ObserveError::Malformed(_) => 3001,
            ObserveError::Era { .. } => 3002,
        })
    }
}

impl From<minicbor::decode::Error> for ObserveError {
    fn from(error: minicbor::decode::Error) -> Self {
        ObserveError::Malformed(error.to_string())
    }
}
