//! Queries: what a wallet wants to know of an account.

use nupeer_primitives::{AccountId, Amount, AssetId, Hash28};

use crate::{Grant, Purse, StateRead, grant, purse, purse::INDEX};

/// Most assets that one answer lists.
pub const ASSETS_MAX: usize = 1_000;

/// Every asset of which `account` has a spendable balance, ADA first.
pub fn balances(state: &dyn StateRead, account: &AccountId) -> Vec<(AssetId, Amount)> {
    let purse = Purse::Account(*account);
    let prefix = [INDEX, &purse.to_bytes()].concat();
    let entries = state.plain_prefix(&prefix, ASSETS_MAX);
    let assets = entries
        .iter()
        .filter_map(|(key, _)| AssetId::from_bytes(&key[prefix.len()..]));
    assets
        .map(|asset| (asset.clone(), purse::balance(state, &purse, &asset)))
        .collect()
}

/// The keys granted by `account`.
pub fn grants(state: &dyn StateRead, account: &AccountId) -> Vec<(Hash28, Grant)> {
    grant::of_account(state, account)
}
