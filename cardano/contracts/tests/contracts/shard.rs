//! What the vault demands whatever it is called for, with the reading of anchors and the arithmetic of values: attacks
//! on a payment.

use nupeer_contracts::Validator;
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId, Credential, Hash, Hash28, plutus::Data};

use crate::{
    cases::pay::{CHANGE_OUT, Case, SHARD_OUT, payouts, shard},
    harness::{
        Attack, Datum, Tx, World,
        data::{field, inline},
        refused,
        world::{ANCHOR, SHARD, place, to_key, token},
    },
    pay::{less, redeemed, set_shard, value_of, with},
};

/// Pays in an asset of which the shard holds so much, listed or not.
fn paying_in(world: &World, asset: AssetId, held: u64) -> Tx {
    let mut tx = Case::of(payouts(2, Some(&asset))).tx(world);
    let value = tx.spent(&SHARD).value.clone();
    tx.spent(&SHARD).value = value.with(asset, Amount::from(held));
    tx
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "a forged anchor token at another address",
        codes: &["R01"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&ANCHOR).address = to_key(1).address
            })
        },
    },
    Attack {
        claim: "an anchor of another bridge",
        codes: &["R01"],
        tx: |w| {
            with(w, |tx, _| {
                let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
                let anchor = tx.referenced(&ANCHOR);
                anchor.address = other.scripts.address(Validator::Anchor);
                anchor.value =
                    Value::lovelace(3_000_000).with(other.scripts.anchor_token(), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "another bridge's token at our anchors' address",
        codes: &["R02"],
        tx: |w| {
            with(w, |tx, _| {
                let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
                let value =
                    Value::lovelace(3_000_000).with(other.scripts.anchor_token(), Amount::new(1));
                tx.referenced(&ANCHOR).value = value;
            })
        },
    },
    Attack {
        claim: "an anchor that somebody made up",
        codes: &["R02"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&ANCHOR).value = Value::lovelace(3_000_000)
            })
        },
    },
    Attack {
        claim: "an anchor without an inline datum",
        codes: &["R03"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&ANCHOR).datum = Datum::Hash(Hash([1; 32]))
            })
        },
    },
    Attack {
        claim: "an anchor with trees of other kinds alone",
        codes: &["R04"],
        tx: |w| {
            with(w, |tx, _| {
                let Data::Map(roots) = field(inline(tx.referenced(&ANCHOR)), 4) else {
                    panic!("a map")
                };
                roots[0].0 = Data::Int(7);
            })
        },
    },
    Attack {
        claim: "no anchor at all",
        codes: &["X01"],
        tx: |w| with(w, |tx, _| *redeemed(tx, 0) = Data::Int(99)),
    },
    Attack {
        claim: "an anchor at a place before the first",
        codes: &["X01"],
        tx: |w| with(w, |tx, _| *redeemed(tx, 0) = Data::Int(-1)),
    },
    Attack {
        claim: "an asset that the shard does not hold",
        codes: &["Q01"],
        tx: |w| paying_in(w, token(b"GBP"), 0),
    },
    Attack {
        claim: "a policy that the shard does not hold",
        codes: &["Q01"],
        tx: |w| {
            let asset = AssetId::Native {
                policy: Hash28([0xff; 28]),
                name: b"x".to_vec(),
            };
            paying_in(w, asset, 0)
        },
    },
    Attack {
        claim: "more than the shard holds",
        codes: &["Q02"],
        tx: |w| paying_in(w, token(b"EUR"), 2_000_000),
    },
    Attack {
        claim: "an asset that the shard does not list",
        codes: &["L01"],
        tx: |w| paying_in(w, token(b"GBP"), 5_000_000),
    },
    Attack {
        claim: "a redeemer that is reserved",
        codes: &["V01"],
        tx: |w| with(w, |tx, _| tx.redeem(&SHARD, Data::Constr(2, vec![]))),
    },
    Attack {
        claim: "a malformed redeemer",
        codes: &["V01"],
        tx: |w| with(w, |tx, _| *redeemed(tx, 5) = Data::List(vec![])),
    },
    Attack {
        claim: "a shard with a malformed datum",
        codes: &["V02"],
        tx: |w| {
            with(w, |tx, _| {
                *inline(tx.spent(&SHARD)) = Data::Constr(1, vec![])
            })
        },
    },
    Attack {
        claim: "a shard without a datum",
        codes: &["V02"],
        tx: |w| with(w, |tx, _| tx.spent(&SHARD).datum = Datum::None),
    },
    Attack {
        claim: "a shard that somebody made up",
        codes: &["V03"],
        tx: |w| {
            with(w, |tx, w| {
                let without =
                    |value: &Value| value.clone().with(w.scripts.shard_token(1), Amount::ZERO);
                tx.outputs[SHARD_OUT].value = without(&tx.outputs[SHARD_OUT].value);
                tx.spent(&SHARD).value = without(&tx.inputs[&SHARD].0.value);
            })
        },
    },
    Attack {
        claim: "two shards in one transaction",
        codes: &["V04"],
        tx: |w| {
            with(w, |tx, w| {
                let mut other = tx.inputs[&SHARD].clone();
                other.0.value = other
                    .0
                    .value
                    .with(w.scripts.shard_token(1), Amount::ZERO)
                    .with(w.scripts.shard_token(0), Amount::new(1));
                *inline(&mut other.0) = shard(0).to_data();
                tx.inputs.insert(place(0x67), other);
            })
        },
    },
    Attack {
        claim: "a stranger's script that takes a payout for its own",
        codes: &["V05"],
        tx: |w| {
            with(w, |tx, _| {
                let mut order = to_key(5_000_000);
                order.address.payment = Credential::Script(Hash28([0x31; 28]));
                tx.inputs.insert(place(0x21), (order, Some(Data::Int(0))));
            })
        },
    },
    Attack {
        claim: "an output at the vault's address that is no shard",
        codes: &["V05", "V03"],
        tx: |w| {
            with(w, |tx, w| {
                let dust = w.at(
                    Validator::Vault,
                    Value::lovelace(2_000_000),
                    shard(1).to_data(),
                );
                let redeemer = tx.inputs[&SHARD].1.clone();
                tx.inputs.insert(place(0x68), (dust, redeemer));
            })
        },
    },
    Attack {
        claim: "no place for the change",
        codes: &["V06"],
        tx: |w| with(w, |tx, _| tx.outputs.truncate(CHANGE_OUT)),
    },
    Attack {
        claim: "the shard taken home",
        codes: &["V07"],
        tx: |w| with(w, |tx, _| tx.outputs[SHARD_OUT].address = to_key(1).address),
    },
    Attack {
        claim: "the shard's staking part swapped",
        codes: &["V07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[SHARD_OUT].address.stake = Some(Credential::Key(Hash28([1; 28])))
            })
        },
    },
    Attack {
        claim: "the fee paid by the shard",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                let value = value_of(tx, SHARD_OUT);
                *value = less(value, 400_000);
            })
        },
    },
    Attack {
        claim: "a token smuggled into the shard",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                let value = value_of(tx, SHARD_OUT);
                *value = value.clone().with(token(b"dust"), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "a token taken out of the shard",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                let value = value_of(tx, SHARD_OUT);
                *value = value.clone().with(token(b"USD"), Amount::ZERO);
            })
        },
    },
    Attack {
        claim: "the shard's NFT taken",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, w| {
                let value = value_of(tx, SHARD_OUT);
                *value = value.clone().with(w.scripts.shard_token(1), Amount::ZERO);
            })
        },
    },
    Attack {
        claim: "a shard that does not count",
        codes: &["V09"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.next_seq = 17)),
    },
    Attack {
        claim: "a payment that is not booked",
        codes: &["V09"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| {
                    shard.holdings[0].paid = Amount::new(120_000_000)
                })
            })
        },
    },
    Attack {
        claim: "the shard's datum swapped for another's",
        codes: &["V09"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.shard = 0)),
    },
    Attack {
        claim: "exits forgotten",
        codes: &["V09"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| shard.exited_root.0[31] ^= 1)
            })
        },
    },
    Attack {
        claim: "the shard's datum hidden behind a hash",
        codes: &["V09"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[SHARD_OUT].datum = Datum::Hash(Hash([1; 32]))
            })
        },
    },
    Attack {
        claim: "a reference script put on the shard",
        codes: &["V10"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[SHARD_OUT].script = Some(Hash28([1; 28]))
            })
        },
    },
];

#[test]
fn a_shard_is_not_cheated() {
    refused(ATTACKS);
}
