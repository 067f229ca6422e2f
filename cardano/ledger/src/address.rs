//! Addresses (CIP-19), read strictly: every byte accounted for.

use super::cbor::{DecodeError, Reader};

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
    Pointer,
}

/// An address as far as the ledger looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A Byron-era (bootstrap) address.
    Byron,
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
            return parse_byron(bytes);
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
            Self::Byron => None,
            Self::Shelley { payment, .. } => Some(*payment),
        }
    }
}

fn staking(bytes: &[u8], kind: u8) -> Result<Staking, DecodeError> {
    match kind >> 1 {
        0 | 1 => {
            exact(bytes, 57)?;
            Ok(Staking::Credential(credential(bytes, 29, kind & 2 != 0)?))
        }
        2 => pointer(bytes.get(29..).unwrap_or_default()),
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

/// Three numbers in groups of seven bits, the last byte of each without the high bit.
fn pointer(bytes: &[u8]) -> Result<Staking, DecodeError> {
    let ends = bytes.iter().filter(|byte| *byte & 0x80 == 0).count();
    if ends != 3 || bytes.last().is_none_or(|last| last & 0x80 != 0) {
        return Err(DecodeError::Unexpected {
            expected: "a pointer of three numbers",
            offset: 29,
        });
    }
    Ok(Staking::Pointer)
}

/// `[24(bytes), crc32]`; what the bytes say is not looked into, because outputs and inputs of this kind are refused by name.
fn parse_byron(bytes: &[u8]) -> Result<Address, DecodeError> {
    let mut reader = Reader::new(bytes);
    let record = reader.record(2, "a Byron address")?;
    if reader.tag("tag 24")? != 24 {
        return Err(DecodeError::Unexpected {
            expected: "tag 24",
            offset: 1,
        });
    }
    reader.bytes("a Byron address's payload")?;
    reader.unsigned("a Byron address's checksum")?;
    reader.close(record, "a Byron address")?;
    reader.finish("a Byron address")?;
    Ok(Address::Byron)
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

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Address::parse(&bytes);
        }
    }
}
