//! The bridge's hands on Cardano: deployment, the transactions of depositors and relayers, and the process that carries
//! anchors, sweeps and payouts.
//!
//! Nothing here is trusted. What may happen on Cardano is decided by scripts, and what was decided on the sidechain is
//! proved by its committee's signatures; whoever relays pays the fees and can at most be slow. Begin with [`Deployment`], then
//! [`CardanoState`], then `transactions/`.

pub mod bridge_state;
pub mod config;
pub mod convert;
pub mod deploy;
pub mod deployment;
mod error;
pub mod overlay;
pub mod plan;
pub mod relay;
pub mod source;
pub mod state;
pub mod transactions;

pub use bridge_state::{BridgeState, CertifiedAnchor};
pub use config::RelayerConfig;
pub use deployment::{Bridge, Deployment, DeploymentError};
pub use error::RelayError;
pub use plan::{Plan, Step, plan};
pub use relay::Relayer;
pub use state::{CardanoState, Located, Snapshot, StateError};
