//! The ledger's part of the first state.

use nupeer_primitives::{AccountId, Amount, AssetId};

use crate::{LedgerError, Params, Purse, StateWrite, totals};

/// Puts parameters in force and credits accounts. Whether a genesis may credit at all is for `runtime` to say: one with a
/// bridge may not.
pub fn init(
    state: &mut dyn StateWrite,
    params: &Params,
    credits: &[(AccountId, AssetId, Amount)],
) -> Result<(), LedgerError> {
    params.store(state);
    credits.iter().try_for_each(|(account, asset, amount)| {
        if amount.is_zero() {
            return Err(LedgerError::ZeroAmount);
        }
        totals::credit(state, &Purse::Account(*account), asset, *amount)
    })
}
