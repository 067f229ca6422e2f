//! The deposit's Sweep and the vault's Absorb, which always go together.

use nupeer_contracts::Validator;
use nupeer_outbox::{Shard, Value, credited::CreditedTree};
use nupeer_primitives::{Amount, Credential, Hash, Hash28, plutus::Data};

use crate::{
    cases::{
        pay,
        sweep::{Case, SHARD_OUT, deposit, of_ada, reference, tx, with_datum},
    },
    harness::{
        Attack, Build, Datum, Tx, World, accepted,
        data::{field, inline, items},
        refused,
        world::{ANCHOR, FUNDS, SHARD, place, to_key, token},
    },
};

fn with(world: &World, change: fn(&mut Tx, &World)) -> Tx {
    let mut tx = tx(world);
    change(&mut tx, world);
    tx
}

/// A field of Absorb's redeemer: anchor, paths.
fn redeemed(tx: &mut Tx, at: usize) -> &mut Data {
    field(
        tx.inputs
            .get_mut(&SHARD)
            .and_then(|input| input.1.as_mut())
            .expect("a redeemer"),
        at,
    )
}

fn set_shard(tx: &mut Tx, change: fn(&mut Shard)) {
    let mut shard = Shard::from_data(inline(&mut tx.outputs[SHARD_OUT])).expect("a shard");
    change(&mut shard);
    tx.outputs[SHARD_OUT].datum = Datum::Inline(shard.to_data());
}

fn change_value(tx: &mut Tx, change: fn(&Value) -> Value) {
    let value = &mut tx.outputs[SHARD_OUT].value;
    *value = change(value);
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "a deposit without a proof",
        codes: &["B01"],
        tx: |w| with(w, |tx, _| drop(items(redeemed(tx, 1)).pop())),
    },
    Attack {
        claim: "a deposit that is not credited",
        codes: &["B02"],
        tx: |w| {
            let mut case = Case::of(w, vec![Value::lovelace(5_000_000); 3]);
            let others = [case.deposits[0].0, case.deposits[2].0];
            let tree = CreditedTree::new(&others);
            case.anchor.credited_deposits_root = tree.root();
            case.paths = vec![
                tree.proof(&others[0]).expect("credited"),
                tree.proof(&others[0]).expect("credited"),
                tree.proof(&others[1]).expect("credited"),
            ];
            case.tx(w)
        },
    },
    Attack {
        claim: "another deposit's proof",
        codes: &["B02"],
        tx: |w| with(w, |tx, _| items(redeemed(tx, 1)).swap(0, 1)),
    },
    Attack {
        claim: "a proof under another anchor's root",
        codes: &["B02"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(tx.referenced(&ANCHOR)), 5) = Data::bytes([9; 32])
            })
        },
    },
    Attack {
        claim: "a proof that starts too high",
        codes: &["B02"],
        tx: |w| {
            with(w, |tx, _| {
                let Data::Bytes(path) = field(redeemed(tx, 1), 0) else {
                    panic!("a path")
                };
                path.drain(..32);
            })
        },
    },
    Attack {
        claim: "a proof without a deposit",
        codes: &["B03"],
        tx: |w| with(w, |tx, _| items(redeemed(tx, 1)).push(Data::bytes([]))),
    },
    Attack {
        claim: "nothing to absorb",
        codes: &["B04"],
        tx: |w| Case::of(w, vec![]).tx(w),
    },
    Attack {
        claim: "a deposit in an asset that the shard does not list",
        codes: &["L01"],
        tx: |w| {
            let dust = Value::lovelace(5_000_000).with(token(b"dust"), Amount::new(1));
            Case::of(w, vec![Value::lovelace(5_000_000), dust]).tx(w)
        },
    },
    Attack {
        claim: "a deposit kept by the submitter",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                change_value(tx, |v| {
                    v.checked_sub(&Value::lovelace(500_000_000)).expect("held")
                })
            })
        },
    },
    Attack {
        claim: "the fee taken out of a deposit",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                change_value(tx, |v| v.checked_sub(&Value::lovelace(1)).expect("held"))
            })
        },
    },
    Attack {
        claim: "a deposit's token kept by the submitter",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                change_value(tx, |v| {
                    v.checked_sub(&Value::default().with(token(b"EUR"), Amount::new(1)))
                        .expect("held")
                })
            })
        },
    },
    Attack {
        claim: "a token smuggled into the shard",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                change_value(tx, |v| v.clone().with(token(b"dust"), Amount::new(1)))
            })
        },
    },
    Attack {
        claim: "more than was deposited booked as swept",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, _| {
                change_value(tx, |v| {
                    v.checked_add(&Value::lovelace(1)).expect("in range")
                })
            })
        },
    },
    Attack {
        claim: "a sweep that is not booked",
        codes: &["V09"],
        tx: |w| {
            with(w, |tx, _| {
                set_shard(tx, |shard| shard.holdings[0].swept = Amount::new(1))
            })
        },
    },
    Attack {
        claim: "the shard's datum swapped for another's",
        codes: &["V09"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.shard = 0)),
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
        claim: "a sweep that counts as a payment",
        codes: &["V09"],
        tx: |w| with(w, |tx, _| set_shard(tx, |shard| shard.next_seq += 1)),
    },
    Attack {
        claim: "the shard's NFT taken",
        codes: &["V08"],
        tx: |w| {
            with(w, |tx, w| {
                let value = &mut tx.outputs[SHARD_OUT].value;
                *value = value.clone().with(w.scripts.shard_token(1), Amount::ZERO);
            })
        },
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
        claim: "a reference script put on the shard",
        codes: &["V10"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[SHARD_OUT].script = Some(Hash28([1; 28]))
            })
        },
    },
    Attack {
        claim: "no output",
        codes: &["V06"],
        tx: |w| with(w, |tx, _| tx.outputs.clear()),
    },
    Attack {
        claim: "two shards for one deposit",
        codes: &["V04"],
        tx: |w| {
            with(w, |tx, w| {
                let mut other = tx.inputs[&SHARD].clone();
                other.0.value = pay::shard_value(w, 0);
                *inline(&mut other.0) = pay::shard(0).to_data();
                tx.inputs.insert(place(0xf0), other);
            })
        },
    },
    Attack {
        claim: "a stranger's script beside the shard",
        codes: &["V05"],
        tx: |w| {
            with(w, |tx, _| {
                let mut order = to_key(5_000_000);
                order.address.payment = Credential::Script(Hash28([0x31; 28]));
                tx.inputs.insert(place(0xf1), (order, Some(Data::Int(0))));
            })
        },
    },
    Attack {
        claim: "a deposit of another bridge",
        codes: &["V05"],
        tx: |w| {
            with(w, |tx, _| {
                let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
                let theirs = deposit(&other, 9, Value::lovelace(5_000_000));
                tx.inputs.insert(place(0xf1), (theirs, Some(Data::Int(0))));
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
        claim: "a forged anchor token at another address",
        codes: &["R01"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&ANCHOR).address = to_key(1).address
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
        claim: "a deposit taken back by a redeemer that is reserved",
        codes: &["D01"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            tx.redeem(&reference(0), Data::Constr(1, vec![]));
            tx
        },
    },
    Attack {
        claim: "a deposit spent beside the submitter's own funds",
        codes: &["D02"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            tx.inputs.remove(&SHARD);
            let ix = tx.input_ix(&FUNDS) as i128;
            tx.redeem(&reference(0), Data::Constr(0, vec![Data::Int(ix)]));
            tx
        },
    },
    Attack {
        claim: "the head taken for a shard",
        codes: &["D02"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            tx.inputs.remove(&SHARD);
            let head = Value::lovelace(3_000_000).with(w.scripts.head_token(), Amount::new(1));
            tx.spent(&FUNDS).value = head;
            let ix = tx.input_ix(&FUNDS) as i128;
            tx.redeem(&reference(0), Data::Constr(0, vec![Data::Int(ix)]));
            tx
        },
    },
    Attack {
        claim: "an output at the vault's address taken for a shard",
        codes: &["D02", "V03"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            let value = tx.spent(&SHARD).value.clone();
            tx.spent(&SHARD).value = value.with(w.scripts.shard_token(1), Amount::ZERO);
            tx
        },
    },
    Attack {
        claim: "another bridge's shard taken for ours",
        codes: &["D02"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
            let shard = tx.spent(&SHARD);
            shard.address = other.scripts.address(Validator::Vault);
            shard.value = pay::shard_value(&other, 1);
            tx
        },
    },
    Attack {
        claim: "a deposit spent beside a payment",
        codes: &["D03", "V05"],
        tx: |w| {
            let mut tx = pay::tx(w);
            let out = deposit(w, 1, Value::lovelace(5_000_000));
            tx.inputs.insert(reference(1), (out, None));
            let ix = tx.input_ix(&SHARD) as i128;
            tx.redeem(&reference(1), Data::Constr(0, vec![Data::Int(ix)]));
            tx
        },
    },
    Attack {
        claim: "a shard's NFT at a key's address",
        codes: &["X03"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            tx.inputs.remove(&SHARD);
            tx.spent(&FUNDS).value = pay::shard_value(w, 1);
            let ix = tx.input_ix(&FUNDS) as i128;
            tx.redeem(&reference(0), Data::Constr(0, vec![Data::Int(ix)]));
            tx
        },
    },
    Attack {
        claim: "a shard that is not there",
        codes: &["X01"],
        tx: |w| {
            let mut tx = of_ada(w, 1);
            tx.redeem(&reference(0), Data::Constr(0, vec![Data::Int(3)]));
            tx
        },
    },
];

#[test]
fn credited_deposits_go_into_a_shard() {
    accepted("ADA, one token, two tokens", tx);
    accepted("one deposit", |w| of_ada(w, 1));
    accepted("five deposits", |w| of_ada(w, 5));
}

#[test]
fn a_datum_that_nobody_can_read_stalls_no_sweep() {
    accepted("no datum", |w| with_datum(w, Datum::None));
    accepted("a hash", |w| with_datum(w, Datum::Hash(Hash([1; 32]))));
    accepted("nonsense", |w| {
        with_datum(w, Datum::Inline(Data::List(vec![Data::bytes([0; 2_000])])))
    });
}

#[test]
fn a_deposit_with_a_staking_part_is_swept_whole() {
    accepted("staking part", |w| {
        let mut tx = of_ada(w, 2);
        tx.spent(&reference(1)).address.stake = Some(Credential::Key(Hash28([1; 28])));
        tx
    });
}

#[test]
fn the_only_credited_deposit_needs_no_siblings() {
    accepted("a single leaf", |w| {
        let mut case = Case::of(w, vec![Value::lovelace(5_000_000)]);
        let tree = CreditedTree::new([&case.deposits[0].0]);
        case.anchor.credited_deposits_root = tree.root();
        case.paths = vec![tree.proof(&case.deposits[0].0).expect("credited")];
        assert_eq!(case.paths, [Vec::<u8>::new()]);
        case.tx(w)
    });
}

/// Ten is what a relayer takes at once (`bridge/relayer`); a group that did not fit would be tried for ever.
#[test]
fn ten_deposits_with_every_asset_that_a_shard_can_list_fit_a_transaction() {
    let used = accepted("ten deposits of ADA and four tokens", |w| {
        let tokens = [b"EUR", b"GBP", b"JPY", b"USD"].map(|name| token(name));
        let value = |i: u64| {
            let ada = Value::lovelace(5_000_000 + i);
            let tokens = tokens.iter().cloned();
            tokens.fold(ada, |value, token| value.with(token, Amount::from(7 + i)))
        };
        let mut case = Case::of(w, (0..10).map(value).collect());
        case.before = Shard::new(1, tokens.clone()).expect("few assets");
        case.tx(w)
    });
    // Mainnet's limits for one transaction.
    assert!(used.mem <= 14_000_000, "{used:?}");
    assert!(used.cpu <= 10_000_000_000, "{used:?}");
}

#[test]
fn inputs_come_in_the_ledgers_order_and_proofs_with_them() {
    let tx = of_ada(World::of(Build::Silent), 5);
    let places: Vec<_> = tx.inputs.keys().collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
    let shard = tx.input_ix(&SHARD);
    assert!(
        shard > 0 && shard < places.len() - 1,
        "deposits lie on both sides of the shard"
    );
}

#[test]
fn nothing_else_is_swept() {
    refused(ATTACKS);
}
