//! Why a node does not start or does not go on.

use std::path::PathBuf;

use nupeer_cardano_client::follower::FollowerError;
use nupeer_consensus::ConsensusError;
use nupeer_contracts::ScriptsError;
use nupeer_primitives::{CardanoPoint, Code, Hash28, Numbered, PublicKey};
use nupeer_runtime::genesis::GenesisError;

use crate::{
    app::AppError, config::ConfigError, gossip::GossipError, keys::KeyError, store::StoreError,
};

/// What ended a node. [`Numbered::code`] names the reason; `docs/exit-codes.md` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A time from block to block in the settings that no chain keeps.
    #[error("block_target_ms is {provided}; {minimum} to {maximum} ms are taken")]
    BlockTarget {
        /// In the settings.
        provided: u64,
        /// The shortest.
        minimum: u64,
        /// The longest.
        maximum: u64,
    },
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The genesis file cannot be read.
    #[error("genesis file {}: {reason}", path.display())]
    GenesisFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The genesis makes no chain.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The genesis knows this validator with another bridge key: its anchor signatures would count for nothing.
    #[error(
        "this node's bridge key is {provided}, the genesis names {expected} for this validator"
    )]
    BridgeKey {
        /// The key in the file.
        provided: PublicKey,
        /// The key in the genesis.
        expected: PublicKey,
    },
    /// The chain follows Cardano and nobody gave this node a view of it.
    #[error(
        "this chain follows Cardano (network magic {magic}): cardano_socket must name the socket of a Cardano node"
    )]
    CardanoMissing {
        /// The network's magic.
        magic: u32,
    },
    /// The Cardano network in the settings is unknown.
    #[error("cardano_network: {0}")]
    CardanoNetwork(String),
    /// The settings name another Cardano network than the genesis.
    #[error("cardano_network has magic {provided}, this chain follows magic {expected}")]
    OtherCardano {
        /// In the settings.
        provided: u64,
        /// In the genesis.
        expected: u32,
    },
    /// The point to follow Cardano from is none, or there is nobody to follow.
    #[error("cardano_from: {0}")]
    CardanoFrom(String),
    /// The settings name another point to follow Cardano from than the genesis.
    #[error("cardano_from is {provided}, this chain follows Cardano from {expected}")]
    OtherPoint {
        /// In the settings.
        provided: CardanoPoint,
        /// In the genesis.
        expected: CardanoPoint,
    },
    /// The genesis names other scripts than its bridge has.
    #[error("the genesis' bridge has {what} {provided}, but from its seed follows {expected}")]
    BridgeScripts {
        /// Which script.
        what: &'static str,
        /// In the genesis.
        provided: Hash28,
        /// Derived.
        expected: Hash28,
    },
    /// The bridge's scripts cannot be derived.
    #[error(transparent)]
    Scripts(#[from] ScriptsError),
    /// The follower of Cardano.
    #[error(transparent)]
    Follower(#[from] FollowerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain above consensus.
    #[error(transparent)]
    App(#[from] AppError),
    /// Gossip.
    #[error(transparent)]
    Gossip(#[from] GossipError),
    /// Consensus.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// A task panicked.
    #[error("a part of the node panicked: {0}")]
    Panicked(String),
}

impl NodeError {
    /// Whether it is an address to listen at, for consensus or gossip: another process has it, or it is none of this machine's.
    pub fn is_address_taken(&self) -> bool {
        matches!(
            self,
            NodeError::Gossip(GossipError::Listen { .. })
                | NodeError::Consensus(ConsensusError::Listen { .. })
        )
    }
}

impl Numbered for NodeError {
    fn code(&self) -> Code {
        match self {
            NodeError::Config(error) => error.code(),
            NodeError::BlockTarget { .. } => Code(6063),
            NodeError::Key(error) => error.code(),
            NodeError::GenesisFile { .. } => Code(6070),
            NodeError::Genesis(error) => error.code(),
            NodeError::BridgeKey { .. } => Code(6071),
            NodeError::CardanoMissing { .. } => Code(6072),
            NodeError::CardanoNetwork(_) => Code(6074),
            NodeError::OtherCardano { .. } => Code(6075),
            NodeError::BridgeScripts { .. } => Code(6076),
            NodeError::CardanoFrom(_) => Code(6064),
            NodeError::OtherPoint { .. } => Code(6079),
            NodeError::Scripts(error) => error.code(),
            NodeError::Follower(error) => error.code(),
            NodeError::Store(error) => error.code(),
            NodeError::App(error) => error.code(),
            NodeError::Gossip(error) => error.code(),
            NodeError::Consensus(error) => error.code(),
            NodeError::Panicked(_) => Code(6073),
        }
    }
}
