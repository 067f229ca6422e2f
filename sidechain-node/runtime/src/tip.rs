//! What the next block builds on.

use minicbor::{Decode, Encode};
use nupeer_primitives::{CardanoPoint, Hash, Height, TimeMs};

use crate::proof;

/// The end of the chain: everything about the past that the next block's rules need besides the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Tip {
    /// Height of the last block; 0 at genesis.
    #[n(0)]
    pub height: Height,
    /// Id of the last block; at genesis, the genesis id.
    #[n(1)]
    pub id: Hash,
    /// Time of the last block.
    #[n(2)]
    pub time: TimeMs,
    /// The Cardano point observed up to.
    #[n(3)]
    pub cardano: Option<CardanoPoint>,
    /// Newest version of the authenticated tree; `None` while it has never been written.
    #[n(4)]
    pub tree_version: Option<u64>,
    /// Its root.
    #[n(5)]
    pub tree_root: Hash,
    /// The journal of plain changes.
    #[n(6)]
    pub journal: Hash,
}

impl Tip {
    /// The state root of this tip.
    pub fn state_root(&self) -> Hash {
        proof::state_root(&self.tree_root, &self.journal)
    }
}
