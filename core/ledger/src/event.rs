//! What happened, for the API stream, agents and wallets. Events are no state: nothing decides by them.

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash28};

/// Something the ledger did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// Value moved between accounts.
    #[n(0)]
    Transferred {
        /// From whom.
        #[n(0)]
        from: AccountId,
        /// To whom.
        #[n(1)]
        to: AccountId,
        /// Of what.
        #[n(2)]
        asset: AssetId,
        /// How much, in base units.
        #[n(3)]
        amount: Amount,
    },
    /// A key may act for an account.
    #[n(1)]
    KeyGranted {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// Hash of the key.
        #[n(1)]
        key: Hash28,
    },
    /// A key may no longer act for an account.
    #[n(2)]
    KeyRevoked {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// Hash of the key.
        #[n(1)]
        key: Hash28,
    },
}
