//! A node of the sidechain: the store, the mempool and its gossip, and the chain above consensus. Everything that is
//! decided by rule is in `nupeer_runtime`; here is what touches disk, network, clock and threads.
//!
//! Begin with [`node`] (how the parts are put together), then [`handle`] (what others see of it), [`app`] (what consensus
//! asks for) and [`store`].

mod anchor_signer;
pub mod api;
pub mod app;
pub mod cardano;
pub mod clock;
pub mod config;
pub mod error;
pub mod gossip;
pub mod handle;
pub mod intake;
pub mod keys;
pub mod mempool;
pub mod metrics;
pub mod node;
pub mod offers;
pub mod store;
pub mod summary;
pub mod verified;

#[cfg(test)]
#[path = "../tests/node/support/described.rs"]
mod described;
#[cfg(test)]
#[path = "../tests/node/support/chain.rs"]
mod testing;

pub use config::NodeConfig;
pub use error::NodeError;
pub use handle::{NodeHandle, Status, TransactionStatus};
pub use intake::SubmitError;
pub use node::{BLOCK_TARGET_MS, Node, acknowledge_rollback, run};
pub use offers::OfferError;
pub use summary::{BlockSummary, TransactionSummary};
