//! Sequence numbers, one row per account and signing key, so that a session key and the account's own wallet never wait
//! for one another.

use nupeer_primitives::{AccountId, Hash28};

use crate::{
    error::LedgerError,
    state::{StateRead, StateWrite},
};

fn key(account: &AccountId, signer: &Hash28) -> Vec<u8> {
    [b"seq/", &account.to_bytes()[..], &signer.0].concat()
}

/// The sequence number that the next transaction of `account` signed by `signer` must carry.
pub fn next(state: &dyn StateRead, account: &AccountId, signer: &Hash28) -> u64 {
    let value = state.plain(&key(account, signer));
    value
        .and_then(|v| v.try_into().ok())
        .map(u64::from_be_bytes)
        .unwrap_or_default()
}

/// Uses up `provided`, which must be the next one.
pub fn consume(
    state: &mut dyn StateWrite,
    account: &AccountId,
    signer: &Hash28,
    provided: u64,
) -> Result<(), LedgerError> {
    let expected = next(state, account, signer);
    if provided != expected {
        return Err(LedgerError::SequenceMismatch { provided, expected });
    }
    let after = expected.checked_add(1).ok_or(LedgerError::AmountOverflow)?;
    state.set_plain(key(account, signer), Some(after.to_be_bytes().to_vec()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryState;

    #[test]
    fn a_number_is_used_once_and_keys_do_not_wait_for_each_other() {
        let (account, own, session) = (
            AccountId::of_key(Hash28([1; 28])),
            Hash28([1; 28]),
            Hash28([2; 28]),
        );
        let mut state = MemoryState::default();
        consume(&mut state, &account, &own, 0).unwrap();
        let again = consume(&mut state, &account, &own, 0);
        assert_eq!(
            again,
            Err(LedgerError::SequenceMismatch {
                provided: 0,
                expected: 1
            })
        );
        assert_eq!(consume(&mut state, &account, &session, 0), Ok(()));
    }
}
