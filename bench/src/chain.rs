//! A chain of four validators and 10^5 accounts, and transfers between them, signed before any clock starts.

use ed25519_dalek::SigningKey;
use nupeer_ledger::Params;
use nupeer_primitives::{AccountId, Amount, AssetId, PublicKey, TimeMs};
use nupeer_runtime::{
    Chain, Genesis,
    genesis::{Credit, GenesisValidator, Limits},
};

/// How many validators.
pub(crate) const VALIDATORS: u8 = 4;
/// How many accounts hold something.
pub(crate) const ACCOUNTS: u32 = 100_000;
/// Time between blocks, in ms: the product's default.
pub(crate) const BLOCK_TARGET_MS: u64 = 1_000;
/// What each account starts with, in lovelace.
const BALANCE: u128 = 100_000_000;

/// The chain with its accounts' keys.
pub(crate) struct BenchChain {
    pub(crate) genesis: Genesis,
    pub(crate) chain: Chain,
    keys: Vec<SigningKey>,
}

impl BenchChain {
    pub(crate) fn new() -> Self {
        crate::note("keys of 100,000 accounts");
        let keys: Vec<SigningKey> = (0..ACCOUNTS).map(account_key).collect();
        let credit = |key: &SigningKey| Credit {
            account: account(key),
            asset: AssetId::Ada,
            amount: Amount::new(BALANCE),
        };
        let validator = |n| GenesisValidator {
            consensus_key: public(&consensus_key(n)),
            bridge_key: public(&bridge_key(n)),
            power: 1,
        };
        let genesis = Genesis {
            name: "bench".into(),
            cardano_network: 0,
            cardano: None,
            start: TimeMs(1_000),
            validators: (0..VALIDATORS).map(validator).collect(),
            limits: Limits::default(),
            params: Params::default(),
            credits: keys.iter().map(credit).collect(),
            lease: nupeer_lease::Params {
                kinds: vec![nupeer_paas::kind_params()],
                ..nupeer_lease::Params::default()
            },
            bridge: None,
        };
        let chain = genesis.chain().expect("a genesis made here is in order");
        BenchChain {
            genesis,
            chain,
            keys,
        }
    }

    /// The first transfer of each account in `senders`, to an account half way round.
    pub(crate) fn transfers(&self, senders: std::ops::Range<u32>) -> Vec<Vec<u8>> {
        let count = self.keys.len();
        let sign = |sender: u32| {
            let from = sender as usize % count;
            let to = account(&self.keys[(from + count / 2) % count]);
            signed::transfer(&self.chain, &self.keys[from], to)
        };
        senders.map(sign).collect()
    }
}

/// The key of an account.
fn account_key(n: u32) -> SigningKey {
    let mut seed = [1; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    SigningKey::from_bytes(&seed)
}

pub(crate) fn consensus_key(validator: u8) -> SigningKey {
    SigningKey::from_bytes(&[100 + 2 * validator; 32])
}

pub(crate) fn bridge_key(validator: u8) -> SigningKey {
    SigningKey::from_bytes(&[101 + 2 * validator; 32])
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn account(key: &SigningKey) -> AccountId {
    AccountId::of_key(public(key).hash())
}

/// Making and signing one transaction.
mod signed {
    use ed25519_dalek::{Signer, SigningKey};
    use nupeer_ledger::actions::Transfer;
    use nupeer_primitives::{AccountId, Amount, AssetId, Signature, TimeMs};
    use nupeer_runtime::{
        Action, Chain, Sender, SignedTransaction, Transaction, Witness, witness::signing_hash,
    };

    pub(super) fn transfer(chain: &Chain, key: &SigningKey, to: AccountId) -> Vec<u8> {
        let account = super::account(key);
        let transaction = Transaction {
            network: chain.id,
            sender: Sender {
                account,
                key: account.hash(),
            },
            sequence: 0,
            valid_until: TimeMs(u64::MAX),
            action: Action::Ledger(nupeer_ledger::Action::Transfer(Transfer {
                to,
                asset: AssetId::Ada,
                amount: Amount::new(1_000_000),
            })),
        };
        let signature = key.sign(&signing_hash(&transaction.id()).0);
        let witness = Witness::Key {
            public_key: super::public(key),
            signature: Signature(signature.to_bytes()),
        };
        SignedTransaction {
            transaction,
            witness,
        }
        .to_bytes()
    }
}
