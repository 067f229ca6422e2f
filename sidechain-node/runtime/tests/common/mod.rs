//! A chain of one validator and three accounts with keys, for the suites beside this file.
#![allow(dead_code, unreachable_pub)]

use ed25519_dalek::{Signer, SigningKey};
use nupeer_ledger::{Params, actions::Transfer};
use nupeer_primitives::{AccountId, Amount, AssetId, PublicKey, Signature, TimeMs};
use nupeer_runtime::{
    Action, BlockInput, Chain, Genesis, Sender, SignedTransaction, Tip, Transaction, Verified,
    Witness,
    execute::{self, Proposal},
    genesis::{Credit, GenesisValidator, Limits},
    memory::MemoryStore,
    witness::signing_hash,
};

pub const ADA: u128 = 1_000_000;

pub fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

pub fn account(n: u8) -> AccountId {
    AccountId::of_key(public(&key(n)).hash())
}

pub fn genesis() -> Genesis {
    let validator = GenesisValidator {
        consensus_key: public(&key(200)),
        bridge_key: public(&key(201)),
        power: 1,
    };
    let credit = |n| Credit {
        account: account(n),
        asset: AssetId::Ada,
        amount: Amount::new(100 * ADA),
    };
    Genesis {
        name: "test".into(),
        cardano_network: 0,
        cardano: None,
        start: TimeMs(1_000),
        validators: vec![validator],
        limits: Limits::default(),
        params: Params::default(),
        credits: vec![credit(1), credit(2), credit(3)],
        lease: nupeer_lease::Params {
            kinds: vec![nupeer_paas::kind_params()],
            ..nupeer_lease::Params::default()
        },
        bridge: None,
    }
}

/// A node's memory without a node.
pub struct World {
    pub chain: Chain,
    pub store: MemoryStore,
    pub tip: Tip,
}

impl World {
    pub fn new(genesis: &Genesis) -> World {
        let executed = genesis.execute().unwrap();
        let (mut store, tip) = (MemoryStore::default(), executed.tip.clone());
        store.commit(executed);
        World {
            chain: genesis.chain().unwrap(),
            store,
            tip,
        }
    }

    pub fn input(&self) -> BlockInput {
        BlockInput {
            time: TimeMs(self.tip.time.0 + 1_000),
            proposer: public(&key(200)).hash(),
            cardano: None,
            observations: vec![],
        }
    }

    pub fn propose(&self, transactions: &[SignedTransaction]) -> Proposal {
        let candidates: Vec<(Vec<u8>, Verified)> = transactions
            .iter()
            .map(|t| (t.to_bytes(), t.clone().verify(&self.chain).unwrap()))
            .collect();
        let candidates = candidates
            .iter()
            .map(|(bytes, verified)| (bytes.as_slice(), verified));
        execute::propose(
            &self.store,
            &self.chain,
            &self.tip,
            &self.input(),
            candidates,
        )
        .unwrap()
    }

    pub fn commit(&mut self, proposal: Proposal) {
        self.tip = proposal.executed.tip.clone();
        self.store.commit(proposal.executed);
    }

    /// A transaction of account `from`, signed by its own key.
    pub fn transaction(
        &self,
        from: u8,
        sequence: u64,
        action: nupeer_ledger::Action,
    ) -> Transaction {
        Transaction {
            network: self.chain.id,
            sender: Sender {
                account: account(from),
                key: account(from).hash(),
            },
            sequence,
            valid_until: TimeMs(1_000_000),
            action: Action::Ledger(action),
        }
    }

    pub fn transfer(&self, from: u8, to: u8, sequence: u64, lovelace: u128) -> SignedTransaction {
        let transfer = Transfer {
            to: account(to),
            asset: AssetId::Ada,
            amount: Amount::new(lovelace),
        };
        sign(
            self.transaction(from, sequence, nupeer_ledger::Action::Transfer(transfer)),
            &key(from),
        )
    }
}

pub fn sign(transaction: Transaction, key: &SigningKey) -> SignedTransaction {
    let signature = Signature(key.sign(&signing_hash(&transaction.id()).0).to_bytes());
    SignedTransaction {
        transaction,
        witness: Witness::Key {
            public_key: public(key),
            signature,
        },
    }
}
