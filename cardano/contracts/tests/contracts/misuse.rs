//! Every script, called for what it is not made for.

use nupeer_contracts::Validator;
use nupeer_outbox::Value;
use nupeer_primitives::plutus::Data;

use crate::harness::{
    Attack, Tx, World, refused,
    tx::Mint,
    world::{place, to_key},
};

/// Spends an output at the script.
fn spending(world: &World, validator: Validator) -> Tx {
    let mut tx = world.transaction(&[]);
    let out = world.at(validator, Value::lovelace(5_000_000), Data::Int(0));
    tx.inputs
        .insert(place(0x30), (out, Some(Data::Constr(0, vec![]))));
    tx.outputs = vec![to_key(4_000_000)];
    tx
}

/// Mints a token under the script.
fn minting(world: &World, validator: Validator) -> Tx {
    let mut tx = world.transaction(&[]);
    let mint = Mint {
        tokens: [(b"x".to_vec(), 1)].into(),
        redeemer: Some(Data::Constr(0, vec![])),
    };
    tx.mint.insert(world.scripts.hash(validator), mint);
    tx.outputs = vec![to_key(4_000_000)];
    tx
}

/// Withdraws nothing by the script.
fn withdrawing(world: &World, validator: Validator) -> Tx {
    let mut tx = world.transaction(&[]);
    tx.withdrawals
        .insert(world.scripts.hash(validator), Data::Constr(0, vec![]));
    tx.outputs = vec![to_key(4_000_000)];
    tx
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "the committee spent",
        codes: &["K05"],
        tx: |w| spending(w, Validator::Committee),
    },
    Attack {
        claim: "the committee's script as a policy",
        codes: &["K05"],
        tx: |w| minting(w, Validator::Committee),
    },
    Attack {
        claim: "an anchor spent",
        codes: &["A01"],
        tx: |w| spending(w, Validator::Anchor),
    },
    Attack {
        claim: "the genesis policy as an address",
        codes: &["G13"],
        tx: |w| spending(w, Validator::Genesis),
    },
    Attack {
        claim: "the anchors' script as a policy",
        codes: &["A01"],
        tx: |w| minting(w, Validator::Anchor),
    },
    Attack {
        claim: "a token under the head's policy without the head",
        codes: &["M01"],
        tx: |w| minting(w, Validator::Head),
    },
    Attack {
        claim: "the head's script for a withdrawal",
        codes: &["H12"],
        tx: |w| withdrawing(w, Validator::Head),
    },
    Attack {
        claim: "the deposit's script as a policy",
        codes: &["D04"],
        tx: |w| minting(w, Validator::Deposit),
    },
    Attack {
        claim: "the vault's script as a policy",
        codes: &["V11"],
        tx: |w| minting(w, Validator::Vault),
    },
    Attack {
        claim: "the genesis policy for a withdrawal",
        codes: &["G13"],
        tx: |w| withdrawing(w, Validator::Genesis),
    },
    Attack {
        claim: "the committee's script for a withdrawal",
        codes: &["K05"],
        tx: |w| withdrawing(w, Validator::Committee),
    },
    Attack {
        claim: "the anchors' script for a withdrawal",
        codes: &["A01"],
        tx: |w| withdrawing(w, Validator::Anchor),
    },
    Attack {
        claim: "the deposit's script for a withdrawal",
        codes: &["D04"],
        tx: |w| withdrawing(w, Validator::Deposit),
    },
    Attack {
        claim: "the vault's script for a withdrawal",
        codes: &["V11"],
        tx: |w| withdrawing(w, Validator::Vault),
    },
];

#[test]
fn no_script_serves_another_purpose() {
    refused(ATTACKS);
}
