//! What the sidechain sees in a Cardano block: a pure function of the block's bytes, so that every validator sees the same.
//!
//! [`observe`] takes a block that the follower has checked and returns what concerns one bridge ([`Scope`]), in the block's order:
//! deposits, and how head, anchors and shards of the vault moved. Nothing is judged here; what a deposit is worth is for
//! `bridge/rules` to say.
//!
//! Strangers write these blocks. Nothing here recurses further than [`plutus::DEPTH_MAX`], takes memory on a stranger's
//! word, or gives up a block for the sake of one output.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

mod block;
mod error;
mod observation;
mod observe;
mod output;
pub mod plutus;
pub mod portion;
mod scope;

#[cfg(test)]
mod tests;

pub use error::ObserveError;
pub use observation::{
    AnchorSeen, DATUM_BYTES_MAX, DepositDatum, DepositSeen, HeadSeen, OBSERVATION_BYTES_MAX,
    Observation, Part, ShardSeen, UnreadableSeen,
};
pub use observe::observe;
pub use portion::Portion;
pub use scope::Scope;
