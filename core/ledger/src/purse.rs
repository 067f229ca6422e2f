//! Purses: where value sits, and the one way it moves.
//!
//! The leaf of a purse and an asset in the authenticated tree is
//!
//! ```text
//! key    blake2b_256("nupeer/purse/1" ‖ purse ‖ asset)      asset: nothing for ADA, else policy (28 bytes) ‖ name
//! value  amount, 16 bytes, big-endian; an empty purse has no leaf
//! purse  00 ‖ account (29 bytes)                            a balance
//!        01 ‖ account (29 bytes) ‖ kind (1) ‖ id (32)       a hold on what an account owns
//!        02 ‖ pot (1)                                       a pot that belongs to the protocol
//! ```
//!
//! so that a Plutus script can rebuild the key from an account's credential and read the value with
//! `bytearray_to_integer`. An index in the plain space (`held/` ‖ purse ‖ asset) lists the purses that are not empty.

use nupeer_primitives::{AccountId, Amount, AssetId, Hash, blake2b_256};

use crate::{
    error::LedgerError,
    state::{StateRead, StateWrite},
};

const DOMAIN: &[u8] = b"nupeer/purse/1";
pub(crate) const INDEX: &[u8] = b"held/";

/// What a hold secures. The numbers are part of state keys and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum HoldKind {
    /// A withdrawal to Cardano that is not yet paid.
    Withdrawal = 0,
    /// The escrow of a request or lease.
    Escrow = 1,
    /// The bond of a machine.
    Bond = 2,
}

/// A purse of the protocol. The numbers are part of state keys and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Pot {
    /// Transaction fees.
    Fees = 0,
    /// The protocol's share of what leases pay.
    Protocol = 1,
}

/// Where value sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purse {
    /// What an account may spend.
    Account(AccountId),
    /// What an account owns but may not spend.
    Hold {
        /// Whose it is.
        owner: AccountId,
        /// What for.
        kind: HoldKind,
        /// Which one of its kind.
        id: Hash,
    },
    /// What belongs to the protocol.
    Pot(Pot),
}

impl Purse {
    /// The purse's part of a leaf's key preimage; no purse is a prefix of another of its kind.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Purse::Account(account) => [&[0][..], &account.to_bytes()].concat(),
            Purse::Hold { owner, kind, id } => {
                [&[1][..], &owner.to_bytes(), &[*kind as u8], &id.0].concat()
            }
            Purse::Pot(pot) => vec![2, *pot as u8],
        }
    }

    /// The key of this purse's leaf for `asset` in the authenticated tree.
    pub fn key(&self, asset: &AssetId) -> Hash {
        leaf_key(&self.to_bytes(), asset)
    }

    fn index_key(&self, asset: &AssetId) -> Vec<u8> {
        [INDEX, &self.to_bytes(), &asset.to_bytes()].concat()
    }
}

pub(crate) fn leaf_key(purse: &[u8], asset: &AssetId) -> Hash {
    blake2b_256(&[DOMAIN, purse, &asset.to_bytes()])
}

/// What `purse` holds of `asset`.
pub fn balance(state: &dyn StateRead, purse: &Purse, asset: &AssetId) -> Amount {
    state
        .proven(&purse.key(asset))
        .and_then(|value| Amount::from_be_bytes(&value))
        .unwrap_or_default()
}

/// What `purse` holds, in the order of assets.
pub fn held(state: &dyn StateRead, purse: &Purse) -> Vec<(AssetId, Amount)> {
    let prefix = [INDEX, &purse.to_bytes()].concat();
    let entries = state.plain_prefix(&prefix, usize::MAX);
    let read = |(key, _): (Vec<u8>, Vec<u8>)| {
        let asset = AssetId::from_bytes(key.get(prefix.len()..)?)?;
        let amount = balance(state, purse, &asset);
        Some((asset, amount))
    };
    entries.into_iter().filter_map(read).collect()
}

/// Refuses a script's account as owner of anything: every way into a purse goes through here, so that no action has to remember it.
pub fn check_owner(account: &AccountId) -> Result<(), LedgerError> {
    match account.is_script() {
        true => Err(LedgerError::ScriptAccount {
            script: account.hash(),
        }),
        false => Ok(()),
    }
}

pub(crate) fn check_receiver(to: &Purse) -> Result<(), LedgerError> {
    match to {
        Purse::Account(owner) | Purse::Hold { owner, .. } => check_owner(owner),
        Purse::Pot(_) => Ok(()),
    }
}

/// Moves `amount` of `asset` from one purse to another, or nothing at all.
pub fn transfer(
    state: &mut dyn StateWrite,
    from: &Purse,
    to: &Purse,
    asset: &AssetId,
    amount: Amount,
) -> Result<(), LedgerError> {
    check_receiver(to)?;
    let available = balance(state, from, asset);
    let rest = available
        .checked_sub(amount)
        .ok_or_else(|| LedgerError::InsufficientFunds {
            asset: asset.clone(),
            available,
            needed: amount,
        })?;
    if from == to || amount.is_zero() {
        return Ok(());
    }
    let received = balance(state, to, asset);
    let sum = received
        .checked_add(amount)
        .ok_or(LedgerError::AmountOverflow)?;
    set(state, from, asset, available, rest);
    set(state, to, asset, received, sum);
    Ok(())
}

/// Writes the leaf, and the index entry where the purse was or becomes empty.
pub(crate) fn set(
    state: &mut dyn StateWrite,
    purse: &Purse,
    asset: &AssetId,
    before: Amount,
    after: Amount,
) {
    let leaf = (!after.is_zero()).then(|| after.to_be_bytes().to_vec());
    state.set_proven(purse.key(asset), leaf);
    if before.is_zero() != after.is_zero() {
        state.set_plain(purse.index_key(asset), (!after.is_zero()).then(Vec::new));
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28};

    use super::*;
    use crate::{memory::MemoryState, totals};

    fn account(n: u8) -> Purse {
        Purse::Account(AccountId::of_key(Hash28([n; 28])))
    }

    fn state_with(amount: u128) -> MemoryState {
        let mut state = MemoryState::default();
        totals::credit(&mut state, &account(1), &AssetId::Ada, Amount::new(amount)).unwrap();
        state
    }

    #[test]
    fn what_leaves_one_purse_enters_the_other() {
        let mut state = state_with(10);
        transfer(
            &mut state,
            &account(1),
            &account(2),
            &AssetId::Ada,
            Amount::new(4),
        )
        .unwrap();
        assert_eq!(balance(&state, &account(1), &AssetId::Ada), Amount::new(6));
        assert_eq!(balance(&state, &account(2), &AssetId::Ada), Amount::new(4));
    }

    #[test]
    fn more_than_there_is_does_not_move() {
        let mut state = state_with(10);
        let before = state.clone();
        let refused = transfer(
            &mut state,
            &account(1),
            &account(2),
            &AssetId::Ada,
            Amount::new(11),
        );
        let (available, needed) = (Amount::new(10), Amount::new(11));
        assert_eq!(
            refused,
            Err(LedgerError::InsufficientFunds {
                asset: AssetId::Ada,
                available,
                needed
            })
        );
        assert_eq!(state, before);
    }

    #[test]
    fn a_transfer_to_oneself_neither_doubles_nor_loses() {
        let mut state = state_with(10);
        transfer(
            &mut state,
            &account(1),
            &account(1),
            &AssetId::Ada,
            Amount::new(10),
        )
        .unwrap();
        assert_eq!(balance(&state, &account(1), &AssetId::Ada), Amount::new(10));
    }

    #[test]
    fn nothing_ever_belongs_to_a_script() {
        let script = Hash28([6; 28]);
        let owner = AccountId(Credential::Script(script));
        let hold = Purse::Hold {
            owner,
            kind: HoldKind::Escrow,
            id: Hash([8; 32]),
        };
        for to in [Purse::Account(owner), hold] {
            let (mut state, one) = (state_with(10), Amount::new(1));
            let before = state.clone();
            let refused = Err(LedgerError::ScriptAccount { script });
            let moved = transfer(&mut state, &account(1), &to, &AssetId::Ada, one);
            assert_eq!(moved, refused);
            let entered = totals::credit(&mut state, &to, &AssetId::Ada, one);
            assert_eq!(entered, refused);
            assert_eq!(state, before);
        }
    }

    #[test]
    fn an_emptied_purse_leaves_neither_leaf_nor_index() {
        let mut state = state_with(10);
        transfer(
            &mut state,
            &account(1),
            &account(2),
            &AssetId::Ada,
            Amount::new(10),
        )
        .unwrap();
        assert_eq!(state.proven(&account(1).key(&AssetId::Ada)), None);
        assert_eq!(state.plain_prefix(INDEX, 10).len(), 1);
    }

    #[test]
    fn leaf_keys_are_pinned() {
        let owner = AccountId::of_key(Hash28([7; 28]));
        let hold = Purse::Hold {
            owner,
            kind: HoldKind::Escrow,
            id: Hash([8; 32]),
        };
        let token = AssetId::Native {
            policy: Hash28([9; 28]),
            name: b"USDM".to_vec(),
        };
        for (purse, asset, key) in [
            (
                Purse::Account(owner),
                AssetId::Ada,
                "8026e1197a35124d6adb7efc0111d426174ac8fbdc3672e71edfea6b81c5aa49",
            ),
            (
                hold,
                AssetId::Ada,
                "146d104403aa3b10b8abc8074f6dd8a43c5baac731f0e350c7951dc13758e0d8",
            ),
            (
                Purse::Pot(Pot::Fees),
                token,
                "05fd2320da091cba0b01656daf6b3efb6e29e56e37a051d280b25600131c3def",
            ),
        ] {
            assert_eq!(purse.key(&asset).to_string(), key);
        }
    }
}
