//! What is to happen on Cardano, and the words in which it is certified.
//!
//! The sidechain never acts on Cardano: it writes *leaves*, gathers them in a Merkle tree, and its committee
//! certifies the tree's root in an *anchor*. Scripts on Cardano then let anybody carry a leaf out. This crate has
//! the formats that both sides hash: every byte here is hashed again by a script of `cardano/contracts`, whose
//! golden vectors hold the two together.
//!
//! Pure: no clock, no file, no socket. Every decoder is total.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod address;
pub mod anchor;
pub mod bridge_id;
pub mod cbor;
pub mod certificate;
pub mod committee;
pub mod credited;
pub mod deposit;
pub mod error;
pub mod head;
pub mod leaf;
pub mod merkle;
pub mod output;
pub mod shard;
pub mod value;

pub use address::Address;
pub use anchor::Anchor;
pub use bridge_id::BridgeId;
pub use committee::Committee;
pub use deposit::Deposit;
pub use error::WireError;
pub use head::Head;
pub use leaf::Leaf;
pub use output::{Output, OutputReference};
pub use shard::Shard;
pub use value::Value;
