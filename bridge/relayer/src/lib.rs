//! The bridge's hands on Cardano: deployment, the transactions of depositors and relayers, and the process that carries
//! anchors, sweeps and payouts.
//!
//! Nothing here is trusted. What may happen on Cardano is decided by scripts, and what was decided on the sidechain is
//! proved by its committee's signatures; whoever relays pays the fees and can at most be slow. Begin with [`Deployment`], then
//! [`CardanoState`], then `transactions/`.

pub mod convert;
pub mod deploy;
pub mod deployment;
pub mod overlay;
pub mod state;
pub mod transactions;

pub use deployment::{Bridge, Deployment, DeploymentError};
pub use state::{CardanoState, Located, Snapshot, StateError};
