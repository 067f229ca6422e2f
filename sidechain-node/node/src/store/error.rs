//! Why a store does not open, read or write.

use std::path::PathBuf;

use nupeer_primitives::{Code, Hash, Height, Numbered};
use nupeer_runtime::genesis::GenesisError;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A second process on the same data.
    #[error("already running: {holder} works in {}", folder.display())]
    AlreadyRunning {
        /// The data folder.
        folder: PathBuf,
        /// Who holds it, as it says itself.
        holder: String,
    },
    /// The data is another chain's.
    #[error("the data is of the chain {expected}, the genesis file makes {provided}")]
    OtherGenesis {
        /// Id of the genesis given.
        provided: Hash,
        /// Id of the genesis stored.
        expected: Hash,
    },
    /// Written by another version of this program.
    #[error("the data has format {provided}, this program reads {expected}")]
    Schema {
        /// In the store.
        provided: u32,
        /// Read here.
        expected: u32,
    },
    /// The database says no.
    #[error("database: {0}")]
    Database(#[from] rocksdb::Error),
    /// An earlier read or write failed: nothing computed since can be trusted.
    #[error("the store failed earlier and takes nothing more: {reason}")]
    Poisoned {
        /// What failed first.
        reason: String,
    },
    /// Something that must be there is not, or is not what it should be.
    #[error("stored {what} is missing or cannot be decoded")]
    Corrupt {
        /// What.
        what: &'static str,
    },
    /// The folder cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// A block that does not follow the last one.
    #[error("height {provided} does not follow the tip, whose successor is {expected}")]
    NotNext {
        /// Of the block.
        provided: Height,
        /// What the store takes next.
        expected: Height,
    },
    /// The genesis makes no chain.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

impl Numbered for StoreError {
    fn code(&self) -> Code {
        match self {
            StoreError::AlreadyRunning { .. } => Code(6000),
            StoreError::OtherGenesis { .. } => Code(6001),
            StoreError::Schema { .. } => Code(6002),
            StoreError::Database(_) => Code(6003),
            StoreError::Poisoned { .. } => Code(6004),
            StoreError::Corrupt { .. } => Code(6005),
            StoreError::Io { .. } => Code(6006),
            StoreError::NotNext { .. } => Code(6007),
            StoreError::Genesis(error) => error.code(),
        }
    }
}
