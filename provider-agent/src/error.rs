//! Why the agent could not do something.

use std::io;
use std::path::PathBuf;

use nupeer_lease::MachineId;
use nupeer_paas_drivers::proxy::ProxyError;
use nupeer_paas_drivers::{DriverError, image::ImageError};
use nupeer_primitives::{Code, Hash28, Numbered};

use crate::chain::ChainError;
use crate::config::ConfigError;
use crate::inventory::InventoryError;
use crate::key::KeyError;
use crate::records::RecordError;

/// Why the agent could not do something. Numbers of its own are NP8007 to NP8009 and NP8064 to NP8066 and NP8068; the others keep theirs.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Of the settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Of the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Of the chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Of the driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// Of an image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Of the proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Of what is kept on disk.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Of measuring.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// Containers with limits need root.
    #[error("the agent runs containers with limits that the kernel enforces, which needs root")]
    NotRoot,
    /// Another agent has the data folder.
    #[error("another agent runs on {}", folder.display())]
    AlreadyRunning {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The owner is no account of this chain's network.
    #[error("owner {provided:?} is no account: {reason}")]
    Owner {
        /// As configured.
        provided: String,
        /// Why not.
        reason: String,
    },
    /// The owner has not granted the operator key what it needs.
    #[error("the owner has not granted the operator key {key} what it needs: {missing}")]
    NotGranted {
        /// Hash of the operator key.
        key: Hash28,
        /// What is missing.
        missing: String,
    },
    /// The chain names another address than any that this agent told it: an agent elsewhere has the same operator key.
    #[error(
        "another agent speaks for machine {machine} at {endpoint}, this one told the chain {own}: end one of both"
    )]
    OtherAgent {
        /// Which machine.
        machine: MachineId,
        /// Where the chain says that its agent answers.
        endpoint: String,
        /// What this agent said last.
        own: String,
    },
    /// Nothing to lease is left of the machine.
    #[error("nothing to offer: {what}")]
    NothingToOffer {
        /// What there is none of.
        what: &'static str,
    },
}

impl Numbered for AgentError {
    fn code(&self) -> Code {
        Code(match self {
            AgentError::Config(error) => return error.code(),
            AgentError::Key(error) => return error.code(),
            AgentError::Chain(error) => return error.code(),
            AgentError::Driver(error) => return error.code(),
            AgentError::Image(error) => return error.code(),
            AgentError::Proxy(error) => return error.code(),
            AgentError::Record(error) => return error.code(),
            AgentError::Inventory(error) => return error.code(),
            AgentError::NotRoot => 8007,
            AgentError::AlreadyRunning { .. } => 8008,
            AgentError::Io { .. } => 8009,
            AgentError::Owner { .. } => 8064,
            AgentError::NotGranted { .. } => 8065,
            AgentError::NothingToOffer { .. } => 8066,
            AgentError::OtherAgent { .. } => 8068,
        })
    }
}

impl AgentError {
    /// Names what was being done when `source` happened.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| AgentError::Io { doing, source }
    }
}
