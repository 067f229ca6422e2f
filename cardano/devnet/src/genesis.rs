//! What a devnet begins with: its figures, its pools and who has how much; all of it follows from the seed and is written to the
//! folder, so that a restart cannot mean another network.

use std::{collections::BTreeMap, fs, io, path::Path};

use nupeer_primitives::{Code, Hash, Numbered, blake2b_256};
use pallas_addresses::Address;
use pallas_crypto::{
    hash::{Hash as PallasHash, Hasher},
    key::ed25519,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    keys::{PoolKeys, derive},
    profile::Profile,
    verify::Pools,
};

/// The network magic of a devnet unless its operator says otherwise.
pub const DEFAULT_MAGIC: u64 = 42;
/// How many funded accounts a devnet has unless its operator says otherwise.
pub const DEFAULT_ACCOUNTS: u64 = 20;
/// What each of them holds, in lovelace: 10,000 ADA.
pub const ACCOUNT_LOVELACE: u64 = 10_000_000_000;
/// What the faucet holds at the start, in lovelace: a billion ADA.
pub const FAUCET_LOVELACE: u64 = 1_000_000_000_000_000;
/// All lovelace there can be, as on mainnet.
pub const MAX_LOVELACE_SUPPLY: u64 = 45_000_000_000_000_000;
/// How many pools take turns.
pub const POOLS: u64 = 3;

const VERSION: u32 = 1;

/// Why a genesis is refused.
#[derive(Debug, Error)]
pub enum GenesisError {
    /// The operating system refused.
    #[error("the genesis file: {0}")]
    Io(#[from] io::Error),
    /// Not a genesis file.
    #[error("not a genesis file: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A genesis file of another version.
    #[error("genesis file version {provided}, expected {expected}")]
    Version {
        /// The file's version.
        provided: u32,
        /// The version of this program.
        expected: u32,
    },
    /// An address that is none.
    #[error("{address:?} is no address: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What the decoder said.
        reason: String,
    },
    /// More lovelace than can exist.
    #[error("{provided} lovelace in all, at most {maximum}")]
    Supply {
        /// The sum of all funds.
        provided: u128,
        /// The greatest supply.
        maximum: u64,
    },
    /// The folder holds another network.
    #[error("the folder holds a devnet with {field} {provided}, asked for {expected}")]
    Other {
        /// What differs.
        field: &'static str,
        /// The folder's.
        provided: String,
        /// What was asked for.
        expected: String,
    },
}

impl Numbered for GenesisError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Io(_) => 7125,
            Self::Malformed(_) => 7126,
            Self::Version { .. } => 7127,
            Self::Address { .. } => 7128,
            Self::Supply { .. } => 7129,
            Self::Other { .. } => 7130,
        })
    }
}

/// A devnet's genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    version: u32,
    /// The network's magic number.
    pub network_magic: u64,
    /// The consensus figures.
    pub profile: Profile,
    /// What all keys derive from.
    pub seed: u64,
    /// When slot 0 began, in milliseconds since 1970.
    pub system_start_ms: u64,
    /// Who has how much: lovelace by address in hexadecimal.
    pub funds_lovelace: BTreeMap<String, u64>,
}

/// A funded key pair that everyone knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The secret payment key.
    pub payment_secret: [u8; 32],
    /// The secret stake key; the faucet has none.
    pub stake_secret: Option<[u8; 32]>,
    /// The address in bytes.
    pub address: Vec<u8>,
}

impl Account {
    /// Account number `index` of the devnet with this seed: a base address with a stake key of its own.
    pub fn derive(seed: u64, index: u64) -> Self {
        let payment = derive(seed, "account/payment", index);
        let stake = derive(seed, "account/stake", index);
        let address = [
            &[0x00],
            key_hash(payment).as_ref(),
            key_hash(stake).as_ref(),
        ]
        .concat();
        Self {
            payment_secret: payment,
            stake_secret: Some(stake),
            address,
        }
    }

    /// The faucet's account: an address without stake.
    pub fn faucet(seed: u64) -> Self {
        let payment = derive(seed, "faucet/payment", 0);
        let address = [&[0x60], key_hash(payment).as_ref()].concat();
        Self {
            payment_secret: payment,
            stake_secret: None,
            address,
        }
    }

    /// The address as wallets show it.
    pub fn bech32(&self) -> String {
        Address::from_bytes(&self.address)
            .ok()
            .and_then(|address| address.to_bech32().ok())
            .unwrap_or_default()
    }
}

fn key_hash(secret: [u8; 32]) -> PallasHash<28> {
    Hasher::<224>::hash(ed25519::SecretKey::from(secret).public_key().as_ref())
}

impl Genesis {
    /// The genesis with the default accounts, the faucet and what the caller adds (bech32 or hexadecimal addresses).
    pub fn new(
        network_magic: u64,
        profile: Profile,
        seed: u64,
        system_start_ms: u64,
        more_funds: &[(String, u64)],
    ) -> Result<Self, GenesisError> {
        let mut funds_lovelace = BTreeMap::new();
        let faucet = std::iter::once((Account::faucet(seed).address, FAUCET_LOVELACE));
        let accounts = (0..DEFAULT_ACCOUNTS)
            .map(|index| (Account::derive(seed, index).address, ACCOUNT_LOVELACE));
        for (address, lovelace) in faucet.chain(accounts) {
            funds_lovelace.insert(hex::encode(address), lovelace);
        }
        for (address, lovelace) in more_funds {
            let held = funds_lovelace
                .entry(hex::encode(address_bytes(address)?))
                .or_insert(0u64);
            *held = held.saturating_add(*lovelace);
        }
        let genesis = Self {
            version: VERSION,
            network_magic,
            profile,
            seed,
            system_start_ms,
            funds_lovelace,
        };
        genesis.check()?;
        Ok(genesis)
    }

    fn check(&self) -> Result<(), GenesisError> {
        if self.version != VERSION {
            return Err(GenesisError::Version {
                provided: self.version,
                expected: VERSION,
            });
        }
        self.funds_lovelace
            .keys()
            .try_for_each(|address| address_bytes(address).map(drop))?;
        let provided = self
            .funds_lovelace
            .values()
            .map(|lovelace| u128::from(*lovelace))
            .sum();
        if provided > u128::from(MAX_LOVELACE_SUPPLY) {
            return Err(GenesisError::Supply {
                provided,
                maximum: MAX_LOVELACE_SUPPLY,
            });
        }
        Ok(())
    }

    /// The genesis' hash, from which the first nonces come. The start of time is left out: two devnets with the same
    /// seed and commands at the same slots have the same blocks, whenever they were started.
    pub fn hash(&self) -> Hash {
        let timeless = Self {
            system_start_ms: 0,
            ..self.clone()
        };
        blake2b_256(&[&serde_json::to_vec(&timeless).unwrap_or_default()])
    }

    /// Who has how much: address bytes and lovelace.
    pub fn funds(&self) -> impl Iterator<Item = (Vec<u8>, u64)> + '_ {
        self.funds_lovelace
            .iter()
            .filter_map(|(address, lovelace)| Some((hex::decode(address).ok()?, *lovelace)))
    }

    /// The pools' keys.
    pub fn pool_keys(&self) -> Vec<PoolKeys> {
        (0..POOLS)
            .map(|index| PoolKeys::derive(self.seed, index))
            .collect()
    }

    /// The pools that headers are verified against.
    pub fn pools(&self) -> Pools {
        self.pool_keys()
            .iter()
            .map(|pool| (pool.id(), Hasher::<256>::hash(&pool.vrf_public())))
            .collect()
    }

    /// The genesis in `path`, or this one, which is then written there. A file that says something else is refused; the
    /// start of time is the file's.
    pub fn load_or_create(self, path: &Path) -> Result<Self, GenesisError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.create(path),
            Err(error) => return Err(error.into()),
        };
        let stored: Self = serde_json::from_slice(&text)?;
        stored.check()?;
        stored.refuse_other(&self)?;
        Ok(stored)
    }

    fn create(self, path: &Path) -> Result<Self, GenesisError> {
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, serde_json::to_vec_pretty(&self)?)?;
        fs::File::open(&unfinished)?.sync_all()?;
        fail::fail_point!("devnet-genesis-before-rename");
        fs::rename(&unfinished, path)?;
        fail::fail_point!("devnet-genesis-renamed");
        Ok(self)
    }

    fn refuse_other(&self, asked: &Self) -> Result<(), GenesisError> {
        let fields = [
            (
                "network magic",
                self.network_magic.to_string(),
                asked.network_magic.to_string(),
            ),
            (
                "profile",
                self.profile.to_string(),
                asked.profile.to_string(),
            ),
            ("seed", self.seed.to_string(), asked.seed.to_string()),
            ("genesis", self.hash().to_string(), asked.hash().to_string()),
        ];
        match fields
            .into_iter()
            .find(|(_, provided, expected)| provided != expected)
        {
            Some((field, provided, expected)) => Err(GenesisError::Other {
                field,
                provided,
                expected,
            }),
            None => Ok(()),
        }
    }
}

/// The bytes of an address given as bech32 or hexadecimal.
pub fn address_bytes(text: &str) -> Result<Vec<u8>, GenesisError> {
    let refused = |reason: String| GenesisError::Address {
        address: text.to_owned(),
        reason,
    };
    let address = match hex::decode(text) {
        Ok(bytes) => Address::from_bytes(&bytes),
        Err(_) => Address::from_bech32(text),
    };
    address
        .map(|address| address.to_vec())
        .map_err(|e| refused(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genesis(seed: u64, start: u64) -> Genesis {
        Genesis::new(DEFAULT_MAGIC, Profile::Fast, seed, start, &[]).expect("a genesis")
    }

    #[test]
    fn the_hash_depends_on_the_seed_and_not_on_the_time() {
        assert_eq!(genesis(42, 1).hash(), genesis(42, 2).hash());
        assert_ne!(genesis(42, 1).hash(), genesis(43, 1).hash());
    }

    #[test]
    fn accounts_are_testnet_addresses() {
        assert!(Account::derive(42, 0).bech32().starts_with("addr_test1q"));
        assert!(Account::faucet(42).bech32().starts_with("addr_test1v"));
        assert_ne!(Account::derive(42, 0), Account::derive(42, 1));
    }

    #[test]
    fn funds_can_be_added_and_must_be_addresses() {
        let account = Account::derive(7, 0);
        let funds = [(account.bech32(), 5), (hex::encode(&account.address), 6)];
        let genesis = Genesis::new(42, Profile::Fast, 42, 0, &funds).expect("a genesis");
        assert_eq!(
            genesis.funds_lovelace.get(&hex::encode(&account.address)),
            Some(&11)
        );
        let error =
            Genesis::new(42, Profile::Fast, 42, 0, &[("addr".into(), 1)]).expect_err("is refused");
        assert!(matches!(error, GenesisError::Address { .. }), "{error}");
    }

    #[test]
    fn more_than_there_is_cannot_be_given_out() {
        let funds = [(Account::derive(7, 0).bech32(), u64::MAX)];
        let error = Genesis::new(42, Profile::Fast, 42, 0, &funds).expect_err("is refused");
        assert!(
            matches!(
                error,
                GenesisError::Supply {
                    maximum: MAX_LOVELACE_SUPPLY,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_folder_keeps_its_genesis_and_refuses_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("genesis.json");
        let first = genesis(42, 1).load_or_create(&path).expect("is written");
        assert_eq!(
            genesis(42, 2).load_or_create(&path).expect("is read"),
            first
        );
        let error = genesis(43, 1)
            .load_or_create(&path)
            .expect_err("is refused");
        assert!(
            matches!(error, GenesisError::Other { field: "seed", .. }),
            "{error}"
        );
    }
}
