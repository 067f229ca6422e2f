//! What several tests need: transactions made by hand and chains without a clock.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

pub mod node;
pub mod peer;

use nupeer_cardano_ledger::{TxId, TxIn};
use nupeer_devnet::{
    Profile,
    chain::Chain,
    genesis::{Account, DEFAULT_MAGIC, Genesis},
    view::Block,
};
use pallas_codec::minicbor::Encoder;
use pallas_crypto::{hash::Hasher, key::ed25519};

/// What each transaction made here pays, in lovelace: more than any of them needs.
pub const FEE_LOVELACE: u64 = 200_000;

/// The genesis of all tests: it begins at the epoch's start, so that nothing depends on the day of the test.
pub fn genesis(profile: Profile, seed: u64) -> Genesis {
    Genesis::new(DEFAULT_MAGIC, profile, seed, 0, &[]).expect("a genesis")
}

/// A chain in memory whose slots follow one another.
pub fn chain() -> Chain {
    Chain::in_memory(genesis(Profile::Fast, 42)).expect("a chain")
}

/// The blocks of a chain.
pub fn blocks(chain: &Chain) -> Vec<Block> {
    let view = chain.view();
    (0..view.tip().height)
        .filter_map(|number| view.block(number))
        .collect()
}

/// An output with its owner.
#[derive(Clone, Debug)]
pub struct Coin {
    pub reference: TxIn,
    pub lovelace: u64,
    pub owner: Account,
}

impl Coin {
    /// What account number `index` holds at the beginning.
    pub fn genesis(seed: u64, index: u64) -> Self {
        let owner = Account::derive(seed, index);
        let reference = TxIn {
            tx_id: *Hasher::<256>::hash(&owner.address),
            index: 0,
        };
        Self {
            reference,
            lovelace: nupeer_devnet::genesis::ACCOUNT_LOVELACE,
            owner,
        }
    }
}

/// A signed payment.
#[derive(Clone, Debug)]
pub struct Payment {
    pub id: TxId,
    pub raw: Vec<u8>,
    /// The output that goes to the payee.
    pub paid: Coin,
    /// What returns to the payer.
    pub change: Coin,
}

/// Pays `lovelace` out of a coin, valid before `invalid_hereafter` if that is given.
pub fn pay(from: &Coin, to: &Account, lovelace: u64, invalid_hereafter: Option<u64>) -> Payment {
    let change_lovelace = from.lovelace - lovelace - FEE_LOVELACE;
    let mut body = Vec::new();
    let mut e = Encoder::new(&mut body);
    e.map(3 + u64::from(invalid_hereafter.is_some()))
        .expect("memory");
    e.u8(0)
        .and_then(|e| {
            e.array(1)?
                .array(2)?
                .bytes(&from.reference.tx_id)?
                .u16(from.reference.index)
        })
        .expect("memory");
    e.u8(1).and_then(|e| e.array(2)).expect("memory");
    for (address, lovelace) in [
        (&to.address, lovelace),
        (&from.owner.address, change_lovelace),
    ] {
        e.map(2)
            .and_then(|e| e.u8(0)?.bytes(address)?.u8(1)?.u64(lovelace))
            .expect("memory");
    }
    e.u8(2).and_then(|e| e.u64(FEE_LOVELACE)).expect("memory");
    if let Some(slot) = invalid_hereafter {
        e.u8(3).and_then(|e| e.u64(slot)).expect("memory");
    }
    let id = *Hasher::<256>::hash(&body);
    let coin = |index, lovelace, owner: &Account| Coin {
        reference: TxIn { tx_id: id, index },
        lovelace,
        owner: owner.clone(),
    };
    Payment {
        id,
        raw: signed(&body, &id, &from.owner),
        paid: coin(0, lovelace, to),
        change: coin(1, change_lovelace, &from.owner),
    }
}

fn signed(body: &[u8], id: &TxId, owner: &Account) -> Vec<u8> {
    let secret = ed25519::SecretKey::from(owner.payment_secret);
    let signature = secret.sign(id);
    let mut witnesses = Vec::new();
    let mut e = Encoder::new(&mut witnesses);
    e.map(1)
        .and_then(|e| e.u8(0)?.array(1)?.array(2))
        .expect("memory");
    e.bytes(secret.public_key().as_ref())
        .and_then(|e| e.bytes(signature.as_ref()))
        .expect("memory");
    [&[0x84], body, &witnesses, &[0xf5, 0xf6]].concat()
}
