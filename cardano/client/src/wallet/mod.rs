//! Keys of one account: BIP-39 words, Icarus root key (CIP-3), CIP-1852 paths, CIP-19 addresses.
//!
//! Secrets are erased when dropped. How they rest on disk is the command line's concern.

mod data_signature;
mod error;
mod key;
mod phrase;
#[cfg(test)]
mod tests;

use ed25519_bip32::{DerivationScheme, XPrv};
use nupeer_primitives::{AccountId, CardanoNetwork, Hash, PublicKey, Signature};
use pallas_addresses::Address;

pub use data_signature::DataSignature;
pub use error::WalletError;
pub use key::SigningKey;
pub use phrase::Phrase;

use crate::address;

/// Paths at or above this number are hardened (BIP-32).
const HARDENED: u32 = 1 << 31;

/// CIP-1852: `1852' / 1815' / account' / role / index`.
const PURPOSE: u32 = 1852;
const COIN_TYPE: u32 = 1815;
const ROLE_EXTERNAL: u32 = 0;
const ROLE_STAKE: u32 = 2;

/// The account `1852'/1815'/0'` of a phrase, on one kind of network.
pub struct Wallet {
    account: XPrv,
    network: CardanoNetwork,
}

impl Wallet {
    /// The wallet that every CIP-1852 wallet software makes of the same words and passphrase (empty for none).
    pub fn new(phrase: &Phrase, passphrase: &str, network: CardanoNetwork) -> Self {
        let root = phrase.root_key(passphrase);
        let account = [PURPOSE, COIN_TYPE, 0].into_iter().fold(root, |key, step| {
            key.derive(DerivationScheme::V2, HARDENED | step)
        });
        Wallet { account, network }
    }

    /// Which kind of network the addresses belong to.
    pub fn network(&self) -> CardanoNetwork {
        self.network
    }

    /// The key `…/0/index`, which spends what lies at [`Wallet::base_address`] with the same index.
    pub fn payment_signing_key(&self, index: u32) -> SigningKey {
        self.key(ROLE_EXTERNAL, index)
    }

    /// The key `…/2/0`: the account's identity, also on the sidechain.
    pub fn stake_signing_key(&self) -> SigningKey {
        self.key(ROLE_STAKE, 0)
    }

    /// Payment key `index` with the stake key: where a wallet receives (CIP-19 type 0).
    pub fn base_address(&self, index: u32) -> Address {
        let payment = self.payment_signing_key(index).key_hash();
        address::base(self.network, payment, self.stake_signing_key().key_hash())
    }

    /// Payment key `index` without a stake part (CIP-19 type 6).
    pub fn enterprise_address(&self, index: u32) -> Address {
        address::enterprise(self.network, self.payment_signing_key(index).key_hash())
    }

    /// The sidechain account: the stake credential.
    pub fn account(&self) -> AccountId {
        AccountId::of_key(self.stake_signing_key().key_hash())
    }

    /// The reward address's 29 bytes (CIP-19 type 14), under which `signData` signs.
    pub fn reward_address(&self) -> [u8; 29] {
        self.account().reward_address(self.network)
    }

    /// Signs a transaction's id with payment key `index`: the witness that spends from its addresses.
    pub fn sign_transaction_body_hash(
        &self,
        index: u32,
        body_hash: &Hash,
    ) -> (PublicKey, Signature) {
        let key = self.payment_signing_key(index);
        (key.public_key(), key.sign(&body_hash.0))
    }

    /// What `signData` of a CIP-30 wallet returns for the reward address (CIP-8). With `hashed`, the payload's
    /// blake2b-224 is signed in its place, as hardware wallets do with long texts.
    pub fn sign_data(&self, payload: &[u8], hashed: bool) -> DataSignature {
        data_signature::sign(
            &self.stake_signing_key(),
            &self.reward_address(),
            payload,
            hashed,
        )
    }

    fn key(&self, role: u32, index: u32) -> SigningKey {
        // A hardened index would be another account's business: the path says soft, so the top bit is dropped.
        let index = index & !HARDENED;
        let derived = self.account.derive(DerivationScheme::V2, role);
        SigningKey::extended(derived.derive(DerivationScheme::V2, index))
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({})", self.account().to_bech32(self.network))
    }
}

#[cfg(test)]
mod vectors {
    use super::*;

    // The 12 words behind CIP-19's payment key, and the addresses that cardano-serialization-lib publishes.
    const WORDS: &str = "test walk nut penalty hip pave soap entry language right filter choice";

    fn wallet(network: CardanoNetwork) -> Wallet {
        Wallet::new(&Phrase::parse(WORDS).unwrap(), "", network)
    }

    #[test]
    fn addresses_are_those_of_other_wallets() {
        for (network, base, enterprise) in [
            (
                CardanoNetwork::Testnet,
                "addr_test1qz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3jcu5d8ps7zex2k2xt3uqxgjqnnj83ws8lhrn648jjxtwq2ytjqp",
                "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz",
            ),
            (
                CardanoNetwork::Mainnet,
                "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3jcu5d8ps7zex2k2xt3uqxgjqnnj83ws8lhrn648jjxtwqfjkjv7",
                "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
            ),
        ] {
            let wallet = wallet(network);
            assert_eq!(wallet.base_address(0).to_string(), base);
            assert_eq!(wallet.enterprise_address(0).to_string(), enterprise);
        }
    }

    #[test]
    fn the_reward_address_carries_the_base_addresss_stake_part() {
        let wallet = wallet(CardanoNetwork::Testnet);
        let base = wallet.base_address(3).to_vec();
        assert_eq!(base[29..], wallet.reward_address()[1..]);
        assert_eq!(wallet.reward_address()[0], 0xe0);
    }

    #[test]
    fn a_body_hash_signature_verifies_under_the_address_key() {
        let wallet = wallet(CardanoNetwork::Testnet);
        let (key, signature) = wallet.sign_transaction_body_hash(1, &Hash([9; 32]));
        assert!(key.verifies(&[9; 32], &signature));
        assert_eq!(wallet.enterprise_address(1).to_vec()[1..], key.hash().0);
    }

    #[test]
    fn a_printed_wallet_shows_no_secret() {
        let wallet = wallet(CardanoNetwork::Testnet);
        assert!(format!("{wallet:?}").starts_with("Wallet(stake_test1"));
        assert!(
            !format!("{:?}", wallet.stake_signing_key())
                .contains(&hex::encode(&wallet.account.as_ref()[..8]))
        );
    }
}
