//! Why words make no wallet, or bytes no key.

use nupeer_primitives::{Code, Numbered};

/// What is wrong with a phrase or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// Another number of words than wallets use.
    #[error("{provided} words; a Cardano phrase has 12, 15 or 24")]
    WordCount {
        /// Words found.
        provided: usize,
    },
    /// A word outside BIP-39's English list. The word itself is not repeated: it may be a secret.
    #[error("word {position} is not in BIP-39's English list")]
    UnknownWord {
        /// Counted from 1.
        position: usize,
    },
    /// The checksum in the last word does not fit: a word is wrong or out of place.
    #[error("the words' checksum does not fit: a word is wrong or out of place")]
    Checksum,
    /// The system gave no randomness.
    #[error("the system gave no random bytes: {0}")]
    Randomness(String),
}

impl Numbered for WalletError {
    fn code(&self) -> Code {
        match self {
            WalletError::WordCount { .. } => Code(7001),
            WalletError::UnknownWord { .. } => Code(7002),
            WalletError::Checksum => Code(7003),
            WalletError::Randomness(_) => Code(7004),
        }
    }
}
