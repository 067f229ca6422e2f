//! What every validator must agree on: transactions, blocks, the genesis, the state root, and how a block changes the
//! state. Rules only: no clock, no disk, no network, no threads (clippy and `tests/floors.rs` hold it).
//!
//! Begin with [`execute`]: [`execute::check`] is what the mempool calls, [`execute::propose`] what a proposer calls,
//! [`execute::apply_block`] what everybody calls; all three run the same code on a fork of the state.
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods))]
#![deny(clippy::float_arithmetic)]

pub mod action;
pub mod block;
pub mod error;
pub mod event;
pub mod execute;
pub mod genesis;
pub mod journal;
pub mod memory;
pub mod merkle;
pub mod proof;
pub mod proven;
pub mod record;
pub mod tip;
pub mod transaction;
pub mod tree;
pub mod witness;

pub use action::Action;
pub use block::{Block, Header};
pub use error::{BlockError, TransactionError};
pub use event::Event;
pub use execute::{BlockInput, Executed, apply_block, check, preview, propose};
pub use genesis::{Chain, Genesis};
pub use proof::StateProof;
pub use proven::{Proven, ProvenError};
pub use record::RecordKind;
pub use tip::Tip;
pub use transaction::{Sender, SignedTransaction, Transaction, Verified};
pub use witness::Witness;
