//! What an action may know besides the state: who acts, and in which block.

use nupeer_primitives::{AccountId, Hash, Hash28, Height, TimeMs};

/// The circumstances of one transaction. Rules know no clock: `time` is the block's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The account that acts.
    pub sender: AccountId,
    /// The key that signed: the account's own, or a granted one.
    pub signer: Hash28,
    /// The transaction's id.
    pub transaction: Hash,
    /// Height of the block.
    pub height: Height,
    /// Time of the block, unix ms.
    pub time: TimeMs,
}
