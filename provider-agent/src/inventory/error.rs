//! Why a machine could not be measured.

use std::io;
use std::path::PathBuf;

use nupeer_primitives::{Code, Numbered};

/// Why a machine could not be measured. The numbers are NP8090 to NP8099.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// An effort outside what makes sense.
    #[error("{what}: {provided}, where {minimum} to {maximum} can be measured")]
    Effort {
        /// What was asked for.
        what: &'static str,
        /// How much of it.
        provided: u64,
        /// The least.
        minimum: u64,
        /// The most.
        maximum: u64,
    },
    /// The kernel's own files say nothing that is understood.
    #[error("{path} does not say {what}")]
    Kernel {
        /// The file.
        path: PathBuf,
        /// What it should say.
        what: &'static str,
    },
    /// A file could not be read or written.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A measuring thread could not be run.
    #[error("starting {provided} threads: {source}")]
    Threads {
        /// How many.
        provided: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl Numbered for InventoryError {
    fn code(&self) -> Code {
        Code(match self {
            InventoryError::Effort { .. } => 8090,
            InventoryError::Kernel { .. } => 8091,
            InventoryError::Io { .. } => 8092,
            InventoryError::Threads { .. } => 8093,
        })
    }
}
