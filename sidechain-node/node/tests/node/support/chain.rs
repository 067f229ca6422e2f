//! A small chain: accounts with keys and balances, validators, signed transfers.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use nupeer_ledger::{Params, actions::Transfer};
use nupeer_primitives::{
    AccountId, Amount, AssetId, Hash28, Height, PublicKey, Signature, TimeMs,
    consensus::{Certificate, precommit_preimage},
};
use nupeer_runtime::{
    Action, Chain, Genesis, Sender, SignedTransaction, Transaction, Witness,
    genesis::{Credit, GenesisValidator, Limits},
    witness::signing_hash,
};

/// What each account starts with, in lovelace.
pub const BALANCE: u128 = 100_000_000;
/// A time that no test reaches.
pub const NEVER: TimeMs = TimeMs(u64::MAX);

/// The key of an account.
pub fn key(account: u16) -> SigningKey {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&account.to_be_bytes());
    SigningKey::from_bytes(&seed)
}

/// The consensus key of a validator; its bridge key is one further.
pub fn validator_key(validator: u8) -> SigningKey {
    SigningKey::from_bytes(&[100 + 2 * validator; 32])
}

pub fn bridge_key(validator: u8) -> SigningKey {
    SigningKey::from_bytes(&[101 + 2 * validator; 32])
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

pub fn account(n: u16) -> AccountId {
    AccountId::of_key(public(&key(n)).hash())
}

/// A chain of `validators` validators and `accounts` accounts that started long ago.
pub fn genesis(validators: u8, accounts: u16) -> Genesis {
    let validator = |n| GenesisValidator {
        consensus_key: public(&validator_key(n)),
        bridge_key: public(&bridge_key(n)),
        power: 1,
    };
    let credit = |n| Credit {
        account: account(n),
        asset: AssetId::Ada,
        amount: Amount::new(BALANCE),
    };
    Genesis {
        name: "test".into(),
        cardano_network: 0,
        cardano: None,
        start: TimeMs(1_000),
        validators: (0..validators).map(validator).collect(),
        limits: Limits::default(),
        params: Params::default(),
        credits: (0..accounts).map(credit).collect(),
        lease: nupeer_lease::Params {
            kinds: vec![nupeer_paas::kind_params()],
            ..nupeer_lease::Params::default()
        },
        bridge: None,
    }
}

/// A transfer that anybody signs for an account.
pub struct Pay {
    pub from: u16,
    pub to: u16,
    pub sequence: u64,
    pub lovelace: u128,
    pub valid_until: TimeMs,
}

impl Pay {
    pub fn new(from: u16, to: u16, sequence: u64) -> Self {
        Pay {
            from,
            to,
            sequence,
            lovelace: 1_000_000,
            valid_until: NEVER,
        }
    }

    pub fn signed(&self, chain: &Chain) -> SignedTransaction {
        let transfer = Transfer {
            to: account(self.to),
            asset: AssetId::Ada,
            amount: Amount::new(self.lovelace),
        };
        let action = nupeer_ledger::Action::Transfer(transfer);
        sign(&key(self.from), self.transaction(chain, action))
    }

    pub fn bytes(&self, chain: &Chain) -> Bytes {
        self.signed(chain).to_bytes().into()
    }

    fn transaction(&self, chain: &Chain, action: nupeer_ledger::Action) -> Transaction {
        let account = account(self.from);
        Transaction {
            network: chain.id,
            sender: Sender {
                account,
                key: account.hash(),
            },
            sequence: self.sequence,
            valid_until: self.valid_until,
            action: Action::Ledger(action),
        }
    }
}

pub fn sign(key: &SigningKey, transaction: Transaction) -> SignedTransaction {
    let signature = key.sign(&signing_hash(&transaction.id()).0);
    let witness = Witness::Key {
        public_key: public(key),
        signature: Signature(signature.to_bytes()),
    };
    SignedTransaction {
        transaction,
        witness,
    }
}

/// The certificate that the first `signers` validators make.
pub fn certificate(
    chain: &Chain,
    height: Height,
    block: nupeer_primitives::Hash,
    signers: u8,
) -> Certificate {
    let message = precommit_preimage(&chain.id, height, 0, &block);
    let sign = |n| {
        let key = validator_key(n);
        (
            public(&key).hash(),
            Signature(key.sign(&message).to_bytes()),
        )
    };
    let mut signatures: Vec<(Hash28, Signature)> = (0..signers).map(sign).collect();
    signatures.sort_by_key(|(id, _)| *id);
    Certificate {
        height,
        round: 0,
        block,
        signatures,
    }
}
