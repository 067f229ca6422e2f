//! Shelley addresses as scripts see them (CIP-19; Conway ledger specification, "Plutus script context").

use nupeer_primitives::{CardanoNetwork, Code, Credential, Hash28, Numbered, plutus::Data};

use crate::error::{WireError, fields, hash28};

/// A payment credential with an optional staking credential. Byron addresses, which fail every script context, and
/// pointer addresses, which carry no stake since Conway, cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Who may spend.
    pub payment: Credential,
    /// Whose stake it counts as.
    pub stake: Option<Credential>,
}

/// Why bytes are no address that the bridge pays to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A Byron address: no script context can contain it.
    #[error("a Byron address cannot be paid by a script; use a Shelley address")]
    Byron,
    /// A pointer or reward address, or a header that no address has.
    #[error("header {header:#04x} is not that of a base or an enterprise address")]
    Header {
        /// The first byte.
        header: u8,
    },
    /// Too short or too long for its header.
    #[error("an address of {provided} bytes where its header asks for {expected}")]
    Length {
        /// Bytes found.
        provided: usize,
        /// Bytes wanted.
        expected: usize,
    },
}

impl Numbered for AddressError {
    fn code(&self) -> Code {
        match self {
            AddressError::Byron => Code(3054),
            AddressError::Header { .. } => Code(3055),
            AddressError::Length { .. } => Code(3056),
        }
    }
}

impl Address {
    /// An address without a staking part.
    pub fn enterprise(payment: Credential) -> Self {
        Address {
            payment,
            stake: None,
        }
    }

    /// The address and its network, from CIP-19 bytes: header types 0–3 (base), 6 and 7 (enterprise).
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, CardanoNetwork), AddressError> {
        let header = *bytes.first().ok_or(AddressError::Length {
            provided: 0,
            expected: 29,
        })?;
        let network = match header & 0x0f {
            0 => CardanoNetwork::Testnet,
            1 => CardanoNetwork::Mainnet,
            _ if header >> 4 == 8 => return Err(AddressError::Byron),
            _ => return Err(AddressError::Header { header }),
        };
        let stake_is_script = match header >> 4 {
            0 | 1 => Some(false),
            2 | 3 => Some(true),
            6 | 7 => None,
            8 => return Err(AddressError::Byron),
            _ => return Err(AddressError::Header { header }),
        };
        let expected = if stake_is_script.is_some() { 57 } else { 29 };
        if bytes.len() != expected {
            let provided = bytes.len();
            return Err(AddressError::Length { provided, expected });
        }
        let payment = credential(header & 0x10 != 0, &bytes[1..29]);
        let stake = stake_is_script.map(|script| credential(script, &bytes[29..]));
        Ok((Address { payment, stake }, network))
    }

    /// CIP-19 bytes: 29, or 57 with a staking part.
    pub fn to_bytes(&self, network: CardanoNetwork) -> Vec<u8> {
        let (payment_bit, payment) = parts(&self.payment);
        let (stake_bits, stake) = match &self.stake {
            None => (0x60, None),
            Some(stake) => {
                let (bit, hash) = parts(stake);
                (bit << 5, Some(hash))
            }
        };
        let mut out = vec![stake_bits | payment_bit << 4 | network.id()];
        out.extend(payment.0);
        out.extend(stake.iter().flat_map(|hash| hash.0));
        out
    }

    /// The address in a script context.
    pub fn to_data(&self) -> Data {
        let stake = match &self.stake {
            None => Data::Constr(1, vec![]),
            Some(stake) => {
                let inline = Data::Constr(0, vec![credential_data(stake)]);
                Data::Constr(0, vec![inline])
            }
        };
        Data::Constr(0, vec![credential_data(&self.payment), stake])
    }

    /// The inverse of [`Address::to_data`].
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [payment, stake] = fields(data, 0, "an address")?;
        let stake = match stake {
            Data::Constr(1, none) if none.is_empty() => None,
            some => {
                let [inline] = fields(some, 0, "an address's optional staking part")?;
                let [stake] = fields(inline, 0, "a staking credential, no pointer")?;
                Some(credential_from_data(stake)?)
            }
        };
        let payment = credential_from_data(payment)?;
        Ok(Address { payment, stake })
    }
}

/// `bytes` are 28 by the caller's check.
fn credential(script: bool, bytes: &[u8]) -> Credential {
    let mut hash = Hash28([0; 28]);
    hash.0.copy_from_slice(bytes);
    if script {
        Credential::Script(hash)
    } else {
        Credential::Key(hash)
    }
}

fn parts(credential: &Credential) -> (u8, &Hash28) {
    match credential {
        Credential::Key(hash) => (0, hash),
        Credential::Script(hash) => (1, hash),
    }
}

/// A credential in a script context.
pub fn credential_data(credential: &Credential) -> Data {
    let (index, hash) = parts(credential);
    Data::Constr(index.into(), vec![Data::bytes(hash.0)])
}

/// The inverse of [`credential_data`].
pub fn credential_from_data(data: &Data) -> Result<Credential, WireError> {
    if let Ok([hash]) = fields(data, 0, "a credential") {
        return hash28(hash, "key hash").map(Credential::Key);
    }
    let [hash] = fields(data, 1, "a credential")?;
    hash28(hash, "script hash").map(Credential::Script)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Credential = Credential::Key(Hash28([1; 28]));
    const SCRIPT: Credential = Credential::Script(Hash28([2; 28]));

    #[test]
    fn every_payable_header_survives_bytes_and_data() {
        for (payment, stake, header) in [
            (KEY, Some(KEY), 0x00),
            (SCRIPT, Some(KEY), 0x10),
            (KEY, Some(SCRIPT), 0x20),
            (SCRIPT, Some(SCRIPT), 0x30),
            (KEY, None, 0x60),
            (SCRIPT, None, 0x70),
        ] {
            let address = Address { payment, stake };
            for network in [CardanoNetwork::Testnet, CardanoNetwork::Mainnet] {
                let bytes = address.to_bytes(network);
                assert_eq!(bytes[0], header | network.id());
                assert_eq!(Address::from_bytes(&bytes), Ok((address, network)));
            }
            assert_eq!(Address::from_data(&address.to_data()), Ok(address));
        }
    }

    #[test]
    fn byron_pointer_reward_and_short_addresses_are_refused() {
        for (bytes, error) in [
            (vec![0x82, 0xd8], AddressError::Byron),
            (vec![0x80; 29], AddressError::Byron),
            (vec![0x40; 32], AddressError::Header { header: 0x40 }),
            (vec![0xe1; 29], AddressError::Header { header: 0xe1 }),
            (vec![0x62; 29], AddressError::Header { header: 0x62 }),
            (
                vec![0x60; 28],
                AddressError::Length {
                    provided: 28,
                    expected: 29,
                },
            ),
            (
                vec![0x01; 58],
                AddressError::Length {
                    provided: 58,
                    expected: 57,
                },
            ),
            (
                vec![],
                AddressError::Length {
                    provided: 0,
                    expected: 29,
                },
            ),
        ] {
            assert_eq!(Address::from_bytes(&bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_pointer_in_plutus_data_is_refused() {
        let pointer = Data::Constr(1, vec![Data::Int(1), Data::Int(2), Data::Int(3)]);
        let some = Data::Constr(0, vec![pointer]);
        let data = Data::Constr(0, vec![credential_data(&KEY), some]);
        let expected = "a staking credential, no pointer";
        assert_eq!(
            Address::from_data(&data),
            Err(WireError::Shape { expected })
        );
    }
}
