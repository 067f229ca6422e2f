//! The market's part of the first state.

use nupeer_ledger::{StateRead, StateWrite};
use nupeer_primitives::Hash;

use crate::{LeaseError, Params};

const CHAIN: &[u8] = b"lease/chain";

/// Puts parameters in force and keeps the genesis id, which every offer and usage note is bound to.
///
/// # Errors
/// As [`Params::check`].
pub fn init(state: &mut dyn StateWrite, chain: &Hash, params: &Params) -> Result<(), LeaseError> {
    params.store(state)?;
    state.set_plain(CHAIN.to_vec(), Some(chain.0.to_vec()));
    Ok(())
}

/// The genesis id; zeros where [`init`] never ran.
pub fn chain(state: &dyn StateRead) -> Hash {
    state
        .plain(CHAIN)
        .and_then(|bytes| Hash::try_from(&bytes[..]).ok())
        .unwrap_or(Hash::ZERO)
}
