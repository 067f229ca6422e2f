//! Accounts are Cardano credentials; people see the bech32 reward address (CIP-19, CIP-5).

use std::fmt;

use bech32::{Bech32, Hrp};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::{Code, Hash28, Numbered};

/// Which of Cardano's two kinds of network addresses belong to. Distinguishing preprod from preview is the work
/// of the network magic, not of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardanoNetwork {
    /// Any test network, the devnet included.
    Testnet,
    /// Mainnet.
    Mainnet,
}

impl CardanoNetwork {
    /// The network's number in address headers.
    pub fn id(self) -> u8 {
        match self {
            CardanoNetwork::Testnet => 0,
            CardanoNetwork::Mainnet => 1,
        }
    }

    fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(CardanoNetwork::Testnet),
            1 => Some(CardanoNetwork::Mainnet),
            _ => None,
        }
    }
}

impl fmt::Display for CardanoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CardanoNetwork::Testnet => "testnet",
            CardanoNetwork::Mainnet => "mainnet",
        })
    }
}

/// A Cardano credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credential {
    /// Hash of an ed25519 key.
    Key(Hash28),
    /// Hash of a script.
    Script(Hash28),
}

/// A sidechain account: a stake credential. Its network is the chain's, so it is not repeated here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub Credential);

/// Why a text or bytes name no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not bech32, or a checksum that does not fit.
    #[error("not a bech32 address: {0}")]
    NotBech32(String),
    /// An address of another kind.
    #[error("{provided}… is no reward address; one starts with stake1 or stake_test1")]
    NotReward {
        /// The prefix found.
        provided: String,
    },
    /// Bytes of a length or header that no reward address has.
    #[error("not a reward address of 29 bytes")]
    Malformed,
    /// The address of another network.
    #[error("an address of {provided}, where this chain stands beside {expected}")]
    WrongNetwork {
        /// The address's network.
        provided: CardanoNetwork,
        /// The chain's network.
        expected: CardanoNetwork,
    },
}

impl Numbered for AddressError {
    fn code(&self) -> Code {
        match self {
            AddressError::NotBech32(_) => Code(1010),
            AddressError::NotReward { .. } => Code(1011),
            AddressError::Malformed => Code(1012),
            AddressError::WrongNetwork { .. } => Code(1013),
        }
    }
}

impl AccountId {
    /// The account of a key.
    pub fn of_key(hash: Hash28) -> Self {
        AccountId(Credential::Key(hash))
    }

    /// Whether it is a script's: nobody can sign for such an account, so that what it received would be locked for ever.
    pub fn is_script(&self) -> bool {
        matches!(self.0, Credential::Script(_))
    }

    /// The credential's hash, whichever kind it is.
    pub fn hash(&self) -> Hash28 {
        match self.0 {
            Credential::Key(hash) | Credential::Script(hash) => hash,
        }
    }

    /// 29 bytes: 0 for a key or 1 for a script, then the hash. The order is that of the type.
    pub fn to_bytes(&self) -> [u8; 29] {
        let tag = match self.0 {
            Credential::Key(_) => 0,
            Credential::Script(_) => 1,
        };
        let mut out = [tag; 29];
        out[1..].copy_from_slice(&self.hash().0);
        out
    }

    /// The inverse of [`AccountId::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, hash) = bytes.split_first()?;
        let hash = Hash28::try_from(hash).ok()?;
        match tag {
            0 => Some(AccountId(Credential::Key(hash))),
            1 => Some(AccountId(Credential::Script(hash))),
            _ => None,
        }
    }

    /// The reward address's bytes (CIP-19 header types 14 and 15).
    pub fn reward_address(&self, network: CardanoNetwork) -> [u8; 29] {
        let mut out = self.to_bytes();
        out[0] = 0xe0 | out[0] << 4 | network.id();
        out
    }

    /// The account and network that a reward address's bytes name.
    pub fn from_reward_address(bytes: &[u8]) -> Result<(Self, CardanoNetwork), AddressError> {
        let (header, hash) = bytes.split_first().ok_or(AddressError::Malformed)?;
        let hash = Hash28::try_from(hash).map_err(|_| AddressError::Malformed)?;
        let network = CardanoNetwork::from_id(header & 0x0f).ok_or(AddressError::Malformed)?;
        match header >> 4 {
            0xe => Ok((AccountId(Credential::Key(hash)), network)),
            0xf => Ok((AccountId(Credential::Script(hash)), network)),
            _ => Err(AddressError::Malformed),
        }
    }

    /// The account that a bech32 reward address names, which must be of `network`.
    pub fn parse(text: &str, network: CardanoNetwork) -> Result<Self, AddressError> {
        let (hrp, bytes) =
            bech32::decode(text).map_err(|e| AddressError::NotBech32(e.to_string()))?;
        if !matches!(hrp.as_str(), "stake" | "stake_test") {
            return Err(AddressError::NotReward {
                provided: hrp.to_string(),
            });
        }
        let (account, provided) = Self::from_reward_address(&bytes)?;
        if provided != network {
            return Err(AddressError::WrongNetwork {
                provided,
                expected: network,
            });
        }
        if hrp.as_str() != prefix(network) {
            return Err(AddressError::Malformed);
        }
        Ok(account)
    }

    /// The bech32 reward address, `stake1…` or `stake_test1…`.
    pub fn to_bech32(&self, network: CardanoNetwork) -> String {
        // The prefix is one of two constants and 29 bytes are far below the limit, so neither step can fail.
        Hrp::parse(prefix(network))
            .ok()
            .and_then(|hrp| bech32::encode::<Bech32>(hrp, &self.reward_address(network)).ok())
            .unwrap_or_default()
    }
}

fn prefix(network: CardanoNetwork) -> &'static str {
    match network {
        CardanoNetwork::Testnet => "stake_test",
        CardanoNetwork::Mainnet => "stake",
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl<C> Encode<C> for AccountId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AccountId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        AccountId::from_bytes(d.bytes()?).ok_or_else(|| {
            minicbor::decode::Error::message("a credential has a kind and 28 bytes").at(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CIP-19's test vectors: type 14 on both networks.
    const MAINNET: &str = "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw";
    const TESTNET: &str = "stake_test1uqehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gssrtvn";
    const SCRIPT: &str = "stake178phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcccycj5";

    #[test]
    fn the_addresses_of_cip_19_name_accounts_and_back() {
        for (text, network) in [
            (MAINNET, CardanoNetwork::Mainnet),
            (TESTNET, CardanoNetwork::Testnet),
            (SCRIPT, CardanoNetwork::Mainnet),
        ] {
            let account = AccountId::parse(text, network).unwrap();
            assert_eq!(account.to_bech32(network), text);
            assert_eq!(AccountId::from_bytes(&account.to_bytes()), Some(account));
        }
    }

    #[test]
    fn an_address_of_another_network_is_refused_by_name() {
        let refused = AccountId::parse(MAINNET, CardanoNetwork::Testnet);
        let (provided, expected) = (CardanoNetwork::Mainnet, CardanoNetwork::Testnet);
        assert_eq!(
            refused,
            Err(AddressError::WrongNetwork { provided, expected })
        );
    }

    #[test]
    fn a_payment_address_is_no_account() {
        let text = "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz";
        let refused = AccountId::parse(text, CardanoNetwork::Testnet);
        assert_eq!(
            refused,
            Err(AddressError::NotReward {
                provided: "addr_test".into()
            })
        );
    }

    #[test]
    fn one_wrong_letter_is_noticed() {
        let text = TESTNET.replace("uqehk", "uqehq");
        assert!(matches!(
            AccountId::parse(&text, CardanoNetwork::Testnet),
            Err(AddressError::NotBech32(_))
        ));
    }
}
