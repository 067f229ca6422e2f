//! Cardano as a client sees it: wallet, transactions, the node's socket and a chain follower.
//!
//! The same code serves a cardano-node and the devnet; only a socket path and the network's genesis figures
//! ([`network::Network`]) differ. What is on chain is read here and judged elsewhere: the follower stores opaque
//! observations that its owner derives from each block.

pub mod address;
pub mod builder;
mod chain;
mod evaluator;
pub mod follower;
#[doc(hidden)]
pub mod fuzz;
pub mod network;
pub mod node;
pub mod output;
pub mod parameters;
pub mod script;
#[cfg(test)]
mod testing;
pub mod value;
pub mod wallet;

pub use builder::{SignedTransaction, TransactionBuilder, UnsignedTransaction};
pub use chain::Tip;
pub use evaluator::LedgerEvaluator;
pub use follower::Follower;
pub use network::Network;
pub use node::Node;
pub use output::{Datum, Output, OutputReference, Utxo};
pub use parameters::ProtocolParameters;
pub use script::{Script, ScriptLanguage};
pub use value::Value;
pub use wallet::Wallet;
