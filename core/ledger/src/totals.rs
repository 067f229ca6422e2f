//! What entered from Cardano and what left to it, per asset: the left side of conservation
//! (DESIGN.md "Rules of the ledger").

use nupeer_primitives::{Amount, AssetId};

use crate::{
    error::LedgerError,
    purse::{self, Purse},
    state::{StateRead, StateWrite},
};

/// Which running total. The letters are part of state keys and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Credited by deposits, or by a genesis without a bridge.
    Credited,
    /// Paid out on Cardano.
    PaidOut,
}

impl Total {
    fn prefix(self) -> &'static [u8] {
        match self {
            Total::Credited => b"total/credited/",
            Total::PaidOut => b"total/paid/",
        }
    }

    fn key(self, asset: &AssetId) -> Vec<u8> {
        [self.prefix(), &asset.to_bytes()].concat()
    }
}

/// The total of `asset` so far.
pub fn total(state: &dyn StateRead, which: Total, asset: &AssetId) -> Amount {
    state
        .plain(&which.key(asset))
        .and_then(|value| Amount::from_be_bytes(&value))
        .unwrap_or_default()
}

/// Every asset that was ever credited.
pub fn assets(state: &dyn StateRead) -> Vec<AssetId> {
    let prefix = Total::Credited.prefix();
    let entries = state.plain_prefix(prefix, usize::MAX);
    entries
        .iter()
        .filter_map(|(key, _)| AssetId::from_bytes(&key[prefix.len()..]))
        .collect()
}

/// Lets `amount` of `asset` enter into `to`.
pub fn credit(
    state: &mut dyn StateWrite,
    to: &Purse,
    asset: &AssetId,
    amount: Amount,
) -> Result<(), LedgerError> {
    purse::check_receiver(to)?;
    let before = purse::balance(state, to, asset);
    let after = before
        .checked_add(amount)
        .ok_or(LedgerError::AmountOverflow)?;
    add(state, Total::Credited, asset, amount)?;
    purse::set(state, to, asset, before, after);
    Ok(())
}

/// Lets `amount` of `asset` leave from `from`: it was paid on Cardano.
pub fn pay_out(
    state: &mut dyn StateWrite,
    from: &Purse,
    asset: &AssetId,
    amount: Amount,
) -> Result<(), LedgerError> {
    let before = purse::balance(state, from, asset);
    let after = before
        .checked_sub(amount)
        .ok_or_else(|| LedgerError::InsufficientFunds {
            asset: asset.clone(),
            available: before,
            needed: amount,
        })?;
    add(state, Total::PaidOut, asset, amount)?;
    purse::set(state, from, asset, before, after);
    Ok(())
}

fn add(
    state: &mut dyn StateWrite,
    which: Total,
    asset: &AssetId,
    amount: Amount,
) -> Result<(), LedgerError> {
    let sum = total(state, which, asset)
        .checked_add(amount)
        .ok_or(LedgerError::AmountOverflow)?;
    state.set_plain(which.key(asset), Some(sum.to_be_bytes().to_vec()));
    Ok(())
}
