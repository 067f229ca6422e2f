//! ADA and listed native assets between Cardano and the sidechain.
//!
//! What comes in is *observed*: each block names a Cardano point that lies deep, and [`block::begin`] takes what the blocks up to there
//! contain. A deposit becomes a balance at once or is refused for ever. What goes out is *ordered*: a withdrawal moves value into a
//! hold and waits in a queue; [`block::end`] gathers the queue in leaves, and leaves and credited deposits in an *anchor* that the
//! committee signs ([`actions::SignAnchor`]). Anybody may then carry anchor, sweeps and payments to Cardano; that they happened is
//! observed again, and only then a withdrawal is closed.
//!
//! Begin with `block.rs`, then `credit.rs`, `leaf.rs`, `anchor.rs`, `shard.rs`.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod action;
pub mod actions;
pub mod address;
pub mod anchor;
pub mod block;
pub mod credit;
pub mod credited_tree;
pub mod error;
pub mod event;
pub mod genesis;
pub mod halt;
pub mod invariants;
pub mod leaf;
pub mod minimum;
pub mod queue;
pub mod settings;
pub mod shard;
pub mod status;
pub(crate) mod store;
/// Prefixes of the plain entries of which anybody can be shown one by itself; an id follows.
pub mod records {
    pub use crate::store::WITHDRAWAL;
}
pub mod view;
pub mod withdrawal;

pub use action::Action;
pub use anchor::AnchorRecord;
pub use block::{Begin, End};
pub use credit::{Credited, Refusal, Refused};
pub use error::BridgeError;
pub use event::Event;
pub use halt::Contradiction;
pub use leaf::{LeafId, LeafRecord};
pub use settings::{Params, Settings};
pub use shard::ShardRecord;
pub use status::Status;
pub use withdrawal::{Withdrawal, WithdrawalId, WithdrawalState};
