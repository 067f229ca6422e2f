//! Addresses (CIP-19), read strictly: every byte accounted for.

use super::byron::ByronAddress;
use super::cbor::DecodeError;

/// A payment or stake credential. Scripts sort before keys, as in the Haskell ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credential {
    /// blake2b-224 of a tagged script.
    Script([u8; 28]),
    /// blake2b-224 of an ed25519 public key.
    Key([u8; 28]),
}

/// The staking part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staking {
    /// None: an enterprise address.
    Absent,
    /// A credential.
    Credential(Credential),
    /// A pointer to a registration; carries no stake since Conway.
    Pointer(Pointer),
}

/// Where a stake credential was registered, as addresses before Conway could say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// The block's slot.
    pub slot: u32,
    /// The transaction's number in the block.
    pub tx_index: u16,
    /// The certificate's number in the transaction.
    pub certificate_index: u16,
}

/// An address as far as the ledger looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A Byron-era (bootstrap) address.
    Byron(ByronAddress),
    /// A Shelley address.
    Shelley {
        /// 0 for test networks, 1 for mainnet.
        network: u8,
        /// Who may spend.
        payment: Credential,
        /// Who has the stake.
        staking: Staking,
    },
}

impl Address {
    /// Reads the bytes of an address.
    ///
    /// # Errors
    /// When its kind is unknown or its length is not exactly what the kind wants.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let header = *bytes
            .first()
            .ok_or(DecodeError::Empty { what: "an address" })?;
        let kind = header >> 4;
        if kind == 0b1000 {
            return ByronAddress::parse(bytes).map(Self::Byron);
        }
        if kind > 7 {
            return Err(DecodeError::Unexpected {
                expected: "an address of a known kind",
                offset: 0,
            });
        }
        let network = header & 0x0f;
        if network > 1 {
            return Err(DecodeError::OutOfRange {
                what: "an address's network id",
            });
        }
        let payment = credential(bytes, 1, kind & 1 != 0)?;
        Ok(Self::Shelley {
            network,
            payment,
            staking: staking(bytes, kind)?,
        })
    }

    /// The payment credential; a Byron address has none.
    pub fn payment(&self) -> Option<Credential> {
        match self {
            Self::Byron(_) => None,
            Self::Shelley { payment, .. } => Some(*payment),
        }
    }

    /// 0 for test networks, 1 for mainnet.
    pub fn network(&self) -> u8 {
        match self {
            Self::Byron(address) => address.network,
            Self::Shelley { network, .. } => *network,
        }
    }
}

fn staking(bytes: &[u8], kind: u8) -> Result<Staking, DecodeError> {
    match kind >> 1 {
        0 | 1 => {
            exact(bytes, 57)?;
            Ok(Staking::Credential(credential(bytes, 29, kind & 2 != 0)?))
        }
        2 => Ok(Staking::Pointer(pointer(
            bytes.get(29..).unwrap_or_default(),
        )?)),
        _ => {
            exact(bytes, 29)?;
            Ok(Staking::Absent)
        }
    }
}

fn credential(bytes: &[u8], offset: usize, is_script: bool) -> Result<Credential, DecodeError> {
    let hash = bytes
        .get(offset..offset + 28)
        .and_then(|hash| hash.try_into().ok());
    let hash = hash.ok_or(DecodeError::WrongLength {
        what: "an address",
        provided: bytes.len(),
        expected: offset + 28,
    })?;
    Ok(if is_script {
        Credential::Script(hash)
    } else {
        Credential::Key(hash)
    })
}

fn exact(bytes: &[u8], expected: usize) -> Result<(), DecodeError> {
    if bytes.len() != expected {
        return Err(DecodeError::WrongLength {
            what: "an address",
            provided: bytes.len(),
            expected,
        });
    }
    Ok(())
}

/// Three numbers, and nothing after them.
fn pointer(bytes: &[u8]) -> Result<Pointer, DecodeError> {
    let (slot, rest) = variable_length(bytes)?;
    let (tx_index, rest) = variable_length(rest)?;
    let (certificate_index, rest) = variable_length(rest)?;
    if !rest.is_empty() {
        return Err(DecodeError::TrailingBytes {
            what: "a pointer address",
            count: rest.len(),
        });
    }
    Ok(Pointer {
        slot,
        tx_index,
        certificate_index,
    })
}

/// A number in groups of seven bits, the greatest first, the last byte without the high bit; it fits its type, and takes no more bytes than
/// the greatest number of that type does (Conway ledger, `decodeVariableLengthWord32` and `…16`).
fn variable_length<T: TryFrom<u64>>(bytes: &[u8]) -> Result<(T, &[u8]), DecodeError> {
    let what = "a number in a pointer address";
    let length_max = (size_of::<T>() * 8).div_ceil(7);
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(length_max) {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let number = T::try_from(value).map_err(|_| DecodeError::OutOfRange { what })?;
            return Ok((number, bytes.get(index + 1..).unwrap_or_default()));
        }
    }
    Err(DecodeError::OutOfRange { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(header: u8, rest: &[u8]) -> Vec<u8> {
        [&[header], rest].concat()
    }

    #[test]
    fn each_kind_is_read() {
        let base = Address::Shelley {
            network: 0,
            payment: Credential::Script([7; 28]),
            staking: Staking::Credential(Credential::Key([7; 28])),
        };
        assert_eq!(Address::parse(&address(0x10, &[7; 56])), Ok(base));
        let enterprise = Address::Shelley {
            network: 1,
            payment: Credential::Key([7; 28]),
            staking: Staking::Absent,
        };
        assert_eq!(Address::parse(&address(0x61, &[7; 28])), Ok(enterprise));
    }

    #[test]
    fn an_address_of_another_length_is_refused() {
        for (header, length) in [
            (0x00, 55),
            (0x00, 57),
            (0x61, 27),
            (0x61, 29),
            (0x40, 28),
            (0xe0, 28),
            (0x62, 28),
        ] {
            assert!(
                Address::parse(&address(header, &vec![7; length])).is_err(),
                "{header:x} {length}"
            );
        }
    }

    #[test]
    fn a_pointer_is_three_numbers_that_fit_their_types() {
        let pointer = |slot, tx_index, certificate_index| {
            Ok(Staking::Pointer(Pointer {
                slot,
                tx_index,
                certificate_index,
            }))
        };
        let what = "a number in a pointer address";
        let refused = Err(DecodeError::OutOfRange { what });
        let cases: [(&[u8], Result<Staking, DecodeError>); 9] = [
            (&[1, 2, 3], pointer(1, 2, 3)),
            (&[0x81, 0x00, 0x7f, 0], pointer(128, 127, 0)),
            (&[0x80, 0x01, 2, 3], pointer(1, 2, 3)),
            (
                &[0x8f, 0xff, 0xff, 0xff, 0x7f, 0x83, 0xff, 0x7f, 3],
                pointer(u32::MAX, u16::MAX, 3),
            ),
            (&[0x90, 0x80, 0x80, 0x80, 0x00, 2, 3], refused.clone()),
            (&[1, 0x84, 0x80, 0x00, 3], refused.clone()),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 2, 3], refused.clone()),
            (&[1, 2, 0x83], refused.clone()),
            (&[1, 2], refused),
        ];
        for (bytes, expected) in cases {
            let parsed = Address::parse(&[[0x40].as_slice(), &[7; 28], bytes].concat());
            let found = parsed.map(|address| match address {
                Address::Shelley { staking, .. } => staking,
                Address::Byron(_) => Staking::Absent,
            });
            assert_eq!(found, expected, "{bytes:?}");
        }
        let trailing = Address::parse(&[[0x50].as_slice(), &[7; 28], &[1, 2, 3, 4]].concat());
        let expected = DecodeError::TrailingBytes {
            what: "a pointer address",
            count: 1,
        };
        assert_eq!(trailing, Err(expected));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Address::parse(&bytes);
        }
    }
}
