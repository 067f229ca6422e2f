//! Reward accounts, and what a transaction withdraws from them (Conway CDDL, `withdrawals`).

use crate::address::Credential;
use crate::cbor::{DecodeError, Reader};
use std::collections::BTreeMap;

/// The address of an account (CIP-19, kinds 14 and 15). Sorts as the Haskell ledger sorts: by network, then scripts before keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RewardAccount {
    /// 0 for test networks, 1 for mainnet.
    pub network: u8,
    /// Whose account.
    pub credential: Credential,
}

impl RewardAccount {
    /// Reads the 29 bytes of the address.
    ///
    /// # Errors
    /// When its kind is another or its length is.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let what = "a reward account";
        let (header, hash) = bytes.split_first().ok_or(DecodeError::Empty { what })?;
        // The four bits of the kind are 1110 or 1111, of the network's only the last may be set.
        if header & 0b1110_1110 != 0b1110_0000 {
            return Err(DecodeError::OutOfRange { what });
        }
        let hash: [u8; 28] = hash.try_into().map_err(|_| DecodeError::WrongLength {
            what,
            provided: bytes.len(),
            expected: 29,
        })?;
        Ok(Self {
            network: header & 1,
            credential: if header & 0b0001_0000 == 0 {
                Credential::Key(hash)
            } else {
                Credential::Script(hash)
            },
        })
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::parse(reader.bytes("a reward account")?)
    }
}

/// Lovelace by account, at least one account, none twice.
pub(super) fn decode(reader: &mut Reader<'_>) -> Result<BTreeMap<RewardAccount, u64>, DecodeError> {
    let what = "the withdrawals";
    let mut withdrawals = BTreeMap::new();
    let mut length = reader.map(what)?;
    while reader.more(&mut length)? {
        let account = RewardAccount::decode(reader)?;
        let lovelace = reader.unsigned("a withdrawal")?;
        if withdrawals.insert(account, lovelace).is_some() {
            return Err(DecodeError::Duplicate { what });
        }
    }
    if withdrawals.is_empty() {
        return Err(DecodeError::Empty { what });
    }
    Ok(withdrawals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(header: u8, length: usize) -> Vec<u8> {
        [vec![header], vec![7; length]].concat()
    }

    #[test]
    fn each_kind_of_account_is_read() {
        let (key, script) = (Credential::Key([7; 28]), Credential::Script([7; 28]));
        for (header, network, credential) in [
            (0xe0, 0, key),
            (0xe1, 1, key),
            (0xf0, 0, script),
            (0xf1, 1, script),
        ] {
            let expected = RewardAccount {
                network,
                credential,
            };
            assert_eq!(RewardAccount::parse(&account(header, 28)), Ok(expected));
        }
    }

    #[test]
    fn other_kinds_networks_and_lengths_are_refused() {
        let what = "a reward account";
        for header in [0x00, 0x60, 0xd0, 0xe2, 0xe8, 0xff] {
            assert_eq!(
                RewardAccount::parse(&account(header, 28)),
                Err(DecodeError::OutOfRange { what }),
                "{header:x}"
            );
        }
        for length in [0, 27, 29, 56] {
            let expected = DecodeError::WrongLength {
                what,
                provided: length + 1,
                expected: 29,
            };
            assert_eq!(RewardAccount::parse(&account(0xe0, length)), Err(expected));
        }
        assert_eq!(RewardAccount::parse(&[]), Err(DecodeError::Empty { what }));
    }

    #[test]
    fn withdrawals_name_an_account_once_and_at_least_one() {
        let what = "the withdrawals";
        let entry = [vec![0x58, 29], account(0xe0, 28), vec![5]].concat();
        let one = [vec![0xa1], entry.clone()].concat();
        let twice = [vec![0xa2], entry.clone(), entry].concat();
        let read = decode(&mut Reader::new(&one)).expect("withdrawals");
        assert_eq!(read.into_values().collect::<Vec<_>>(), [5]);
        assert_eq!(
            decode(&mut Reader::new(&twice)),
            Err(DecodeError::Duplicate { what })
        );
        assert_eq!(
            decode(&mut Reader::new(&[0xa0])),
            Err(DecodeError::Empty { what })
        );
    }

    #[test]
    fn scripts_sort_before_keys() {
        let of = |credential| RewardAccount {
            network: 0,
            credential,
        };
        assert!(of(Credential::Script([9; 28])) < of(Credential::Key([0; 28])));
    }
}
