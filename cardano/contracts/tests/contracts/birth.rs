//! The genesis policy.

use nupeer_contracts::Validator;
use nupeer_outbox::{Shard, Value};
use nupeer_primitives::{Amount, plutus::Data};

use crate::{
    cases::birth::{COMMITTEE_OUT, HEAD_OUT, SHARD_OUT, tx},
    harness::{
        Attack, Datum, Tx, World, accepted,
        data::{field, inline, items},
        refused,
        tx::Mint,
        world::{MINUTE_MS, NOW_MS, SEED, token},
    },
};

fn minted<'a>(tx: &'a mut Tx, world: &World) -> &'a mut Mint {
    tx.mint
        .get_mut(&world.scripts.hash(Validator::Genesis))
        .expect("a mint")
}

fn with(world: &World, change: fn(&mut Tx, &World)) -> Tx {
    let mut tx = tx(world);
    change(&mut tx, world);
    tx
}

fn committee_field(tx: &mut Tx, at: usize) -> &mut Data {
    field(inline(&mut tx.outputs[COMMITTEE_OUT]), at)
}

fn set_shard(tx: &mut Tx, change: impl FnOnce(&mut Shard)) {
    let mut shard = Shard::from_data(inline(&mut tx.outputs[SHARD_OUT])).expect("a shard");
    change(&mut shard);
    tx.outputs[SHARD_OUT].datum = Datum::Inline(shard.to_data());
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "a bridge is not born without its seed",
        codes: &["G01"],
        tx: |w| with(w, |tx, _| drop(tx.inputs.remove(&SEED))),
    },
    Attack {
        claim: "an NFT is not minted twice",
        codes: &["G02"],
        tx: |w| {
            with(w, |tx, w| {
                minted(tx, w).tokens.insert(vec![b'S', 1], 2);
            })
        },
    },
    Attack {
        claim: "no further token is minted under the policy",
        codes: &["G02"],
        tx: |w| {
            with(w, |tx, w| {
                minted(tx, w).tokens.insert(vec![b'T'], 1);
            })
        },
    },
    Attack {
        claim: "shards are numbered without a gap",
        codes: &["G02"],
        tx: |w| {
            with(w, |tx, w| {
                let tokens = &mut minted(tx, w).tokens;
                tokens.remove(&vec![b'S', 1]);
                tokens.insert(vec![b'S', 2], 1);
            })
        },
    },
    Attack {
        claim: "a bridge has a head",
        codes: &["G02"],
        tx: |w| {
            with(w, |tx, w| {
                minted(tx, w).tokens.remove(&vec![b'H']);
            })
        },
    },
    Attack {
        claim: "a bridge has a shard",
        codes: &["G02"],
        tx: |w| {
            with(w, |tx, w| {
                minted(tx, w).tokens.retain(|name, _| name[0] != b'S')
            })
        },
    },
    Attack {
        claim: "the NFTs go to the outputs in their order",
        codes: &["G03"],
        tx: |w| with(w, |tx, _| tx.outputs.swap(COMMITTEE_OUT, HEAD_OUT)),
    },
    Attack {
        claim: "a datum is inline",
        codes: &["G03"],
        tx: |w| with(w, |tx, _| tx.outputs[COMMITTEE_OUT].datum = Datum::None),
    },
    Attack {
        claim: "every shard has an output",
        codes: &["G03"],
        tx: |w| with(w, |tx, _| tx.outputs.truncate(SHARD_OUT + 1)),
    },
    Attack {
        claim: "there is a head's output",
        codes: &["G03"],
        tx: |w| with(w, |tx, _| tx.outputs.truncate(HEAD_OUT)),
    },
    Attack {
        claim: "the committee's datum is a committee",
        codes: &["G04"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[COMMITTEE_OUT].datum = Datum::Inline(Data::Int(1))
            })
        },
    },
    Attack {
        claim: "the committee bears this bridge's id",
        codes: &["G05"],
        tx: |w| with(w, |tx, _| *committee_field(tx, 0) = Data::bytes([9; 32])),
    },
    Attack {
        claim: "the first epoch is 0",
        codes: &["G06"],
        tx: |w| with(w, |tx, _| *committee_field(tx, 1) = Data::Int(1)),
    },
    Attack {
        claim: "the scheme is ed25519",
        codes: &["G06"],
        tx: |w| with(w, |tx, _| *committee_field(tx, 4) = Data::Int(1)),
    },
    Attack {
        claim: "no key is listed twice",
        codes: &["G07"],
        tx: |w| {
            with(w, |tx, _| {
                let keys = items(committee_field(tx, 2));
                keys[1] = keys[0].clone();
            })
        },
    },
    Attack {
        claim: "keys ascend",
        codes: &["G07"],
        tx: |w| with(w, |tx, _| items(committee_field(tx, 2)).swap(0, 1)),
    },
    Attack {
        claim: "a key has 32 bytes",
        codes: &["G07"],
        tx: |w| {
            with(w, |tx, _| {
                items(committee_field(tx, 2))[3] = Data::bytes([0xff; 31])
            })
        },
    },
    Attack {
        claim: "the quorum is not below two thirds and one",
        codes: &["G08"],
        tx: |w| with(w, |tx, _| *committee_field(tx, 3) = Data::Int(2)),
    },
    Attack {
        claim: "the quorum is not above it either",
        codes: &["G08"],
        tx: |w| with(w, |tx, _| *committee_field(tx, 3) = Data::Int(4)),
    },
    Attack {
        claim: "the head starts with anchor 0",
        codes: &["G09"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(&mut tx.outputs[HEAD_OUT]), 0) = Data::Int(1)
            })
        },
    },
    Attack {
        claim: "the head starts now",
        codes: &["G09"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(&mut tx.outputs[HEAD_OUT]), 1) = Data::Int(NOW_MS.into())
            })
        },
    },
    Attack {
        claim: "a shard has paid nothing at its birth",
        codes: &["G10"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.next_seq = 5)),
    },
    Attack {
        claim: "a shard bears its NFT's number",
        codes: &["G10"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.shard = 1)),
    },
    Attack {
        claim: "nobody has left a shard at its birth",
        codes: &["G10"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| shard.exited_root.0[0] ^= 1)
            })
        },
    },
    Attack {
        claim: "a shard's datum is a shard",
        codes: &["G10"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[SHARD_OUT].datum = Datum::Inline(Data::List(vec![]))
            })
        },
    },
    Attack {
        claim: "a shard lists ADA first",
        codes: &["G11"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| drop(shard.holdings.remove(0)))
            })
        },
    },
    Attack {
        claim: "a shard lists no asset twice",
        codes: &["G11"],
        tx: |w| {
            with(w, |tx, _| {
                items(field(inline(&mut tx.outputs[SHARD_OUT]), 3)).swap(1, 2)
            })
        },
    },
    Attack {
        claim: "a shard has swept nothing at its birth",
        codes: &["G11"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| shard.holdings[2].swept = Amount::new(1))
            })
        },
    },
    Attack {
        claim: "a shard starts with its reserve alone",
        codes: &["G12"],
        tx: |w| {
            with(w, |tx, _| {
                let value = &mut tx.outputs[SHARD_OUT].value;
                *value = value.checked_add(&Value::lovelace(1)).expect("in range");
            })
        },
    },
    Attack {
        claim: "a shard starts without a stranger's token",
        codes: &["G12"],
        tx: |w| {
            with(w, |tx, _| {
                let value = &mut tx.outputs[SHARD_OUT].value;
                *value = value.clone().with(token(b"USD"), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "the birth's range has a start",
        codes: &["T01"],
        tx: |w| with(w, |tx, _| tx.valid.0 = None),
    },
    Attack {
        claim: "the birth's range has an end",
        codes: &["T02"],
        tx: |w| with(w, |tx, _| tx.valid.1 = None),
    },
    Attack {
        claim: "the birth's range is an hour at most",
        codes: &["T03"],
        tx: |w| with(w, |tx, _| tx.valid.0 = Some(NOW_MS - 51 * MINUTE_MS)),
    },
];

#[test]
fn a_bridge_is_born_from_its_seed() {
    accepted("birth", tx);
}

#[test]
fn a_bridge_is_not_born_otherwise() {
    refused(ATTACKS);
}
