//! One file for each verb: the action, its check, its execution, its tests.

mod grant_key;
mod revoke_key;
mod transfer;

pub use grant_key::GrantKey;
pub use revoke_key::RevokeKey;
pub use transfer::Transfer;

#[cfg(test)]
pub(crate) mod testing {
    use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Hash28, Height, TimeMs};

    use crate::{context::Context, memory::MemoryState, purse::Purse, totals};

    pub(crate) fn account(n: u8) -> AccountId {
        AccountId::of_key(Hash28([n; 28]))
    }

    pub(crate) fn context(sender: u8) -> Context {
        Context {
            sender: account(sender),
            signer: account(sender).hash(),
            transaction: Hash([0xaa; 32]),
            height: Height(5),
            time: TimeMs(1_000),
        }
    }

    /// Account 1 holds 100 lovelace.
    pub(crate) fn state() -> MemoryState {
        let mut state = MemoryState::default();
        totals::credit(
            &mut state,
            &Purse::Account(account(1)),
            &AssetId::Ada,
            Amount::new(100),
        )
        .unwrap();
        state
    }
}
