//! Why the mempool does not take a transaction.

use nupeer_primitives::{Code, Hash, Numbered};
use nupeer_runtime::error::TransactionError;

/// A refusal. The pool is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MempoolError {
    /// The block's own rules refuse it.
    #[error(transparent)]
    Refused(#[from] TransactionError),
    /// Another transaction of this key with this number is pending. There is no replacing: wait for it, or let it expire.
    #[error("sequence {sequence} of this key is taken by the pending transaction {pending}")]
    SequenceTaken {
        /// The number.
        sequence: u64,
        /// Who has it.
        pending: Hash,
    },
    /// As many transactions of one account as may be pending.
    #[error("{maximum} transactions of this account are pending; wait until some are final")]
    AccountFull {
        /// The limit.
        maximum: usize,
    },
    /// The pool is full.
    #[error(
        "{count} transactions of {bytes} bytes are pending; this node takes {count_max} of {bytes_max} bytes"
    )]
    Full {
        /// How many there are.
        count: usize,
        /// Their bytes.
        bytes: usize,
        /// How many may be.
        count_max: usize,
        /// How many bytes may be.
        bytes_max: usize,
    },
}

impl Numbered for MempoolError {
    fn code(&self) -> Code {
        match self {
            MempoolError::Refused(error) => error.code(),
            MempoolError::SequenceTaken { .. } => Code(6020),
            MempoolError::AccountFull { .. } => Code(6021),
            MempoolError::Full { .. } => Code(6022),
        }
    }
}
