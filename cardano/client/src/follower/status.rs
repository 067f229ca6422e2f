//! How following goes, for whoever watches.

use minicbor::{Decode, Encode};
use nupeer_primitives::CardanoPoint;

use crate::chain::Tip;

/// A rollback deeper than k blocks: what the security of everything above rests on did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeepRollback {
    /// The tip that was given up.
    #[n(0)]
    pub from: CardanoPoint,
    /// Where the chain went on; `None` for the origin, or if it lies below everything that is remembered.
    #[n(1)]
    pub to: Option<CardanoPoint>,
    /// How many blocks were on top of `to` when the chain was longest, at least; not all need have been given up at once.
    #[n(2)]
    pub depth: u64,
}

/// How following goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowerStatus {
    /// The last block followed.
    pub tip: Option<Tip>,
    /// The node's last block, as it last said.
    pub node_tip: Option<Tip>,
    /// Whether a node is connected and answering.
    pub connected: bool,
    /// What last broke a connection, its number first, until one works again.
    pub error: Option<String>,
    /// The first rollback deeper than k that nobody acknowledged.
    pub deep_rollback: Option<DeepRollback>,
}
