//! What happened, for the API stream, agents and wallets. Events are no state: nothing decides by them.

use nupeer_primitives::{AccountId, Amount, AssetId, Hash28};

/// Something the ledger did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Value moved between accounts.
    Transferred {
        /// From whom.
        from: AccountId,
        /// To whom.
        to: AccountId,
        /// Of what.
        asset: AssetId,
        /// How much, in base units.
        amount: Amount,
    },
    /// A key may act for an account.
    KeyGranted {
        /// The account.
        account: AccountId,
        /// Hash of the key.
        key: Hash28,
    },
    /// A key may no longer act for an account.
    KeyRevoked {
        /// The account.
        account: AccountId,
        /// Hash of the key.
        key: Hash28,
    },
}
