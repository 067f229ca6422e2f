//! The vault's Pay: what is paid, to whom, in which order.

use nupeer_outbox::{Leaf, Output, Shard, Value, leaf::PAYOUTS, shard::RESERVE_LOVELACE};
use nupeer_primitives::{Amount, AssetId, Credential, Hash28, TimeMs, plutus::Data};

use crate::{
    cases::pay::{
        CHANGE_OUT, Case, HELD, PAYOUT_OUT, SHARD_OUT, payouts, shard, tx, tx_with_token,
    },
    harness::{
        Attack, Datum, Out, Tx, World, accepted,
        data::{field, inline},
        refused,
        world::{ANCHOR, MINUTE_MS, NOW_MS, SHARD, place, to_key, token},
    },
};

pub(crate) fn with(world: &World, change: fn(&mut Tx, &World)) -> Tx {
    let mut tx = tx(world);
    change(&mut tx, world);
    tx
}

/// A leaf under the anchor that is not the shard's next.
pub(crate) fn claiming(world: &World, number: u8, seq: u64) -> Tx {
    let leaf = Leaf::new(number, seq, TimeMs(0), payouts(3, None)).expect("a leaf");
    Case::under(shard(1), leaf).tx(world)
}

/// The same, with a redeemer that calls it the shard's next.
pub(crate) fn lying(world: &World, number: u8, seq: u64) -> Tx {
    let mut tx = claiming(world, number, seq);
    *redeemed(&mut tx, 1) = Data::Int(1);
    *redeemed(&mut tx, 2) = Data::Int(17);
    *field(inline(&mut tx.outputs[SHARD_OUT]), 1) = Data::Int(18);
    tx
}

/// A field of Pay's redeemer: anchor, shard, seq, not before, totals, path.
pub(crate) fn redeemed(tx: &mut Tx, at: usize) -> &mut Data {
    field(
        tx.inputs
            .get_mut(&SHARD)
            .and_then(|input| input.1.as_mut())
            .expect("a redeemer"),
        at,
    )
}

pub(crate) fn value_of(tx: &mut Tx, out: usize) -> &mut Value {
    &mut tx.outputs[out].value
}

pub(crate) fn less(value: &Value, lovelace: u64) -> Value {
    value.checked_sub(&Value::lovelace(lovelace)).expect("held")
}

pub(crate) fn set_shard(tx: &mut Tx, change: fn(&mut Shard)) {
    let mut shard = Shard::from_data(inline(&mut tx.outputs[SHARD_OUT])).expect("a shard");
    change(&mut shard);
    tx.outputs[SHARD_OUT].datum = Datum::Inline(shard.to_data());
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "another shard's leaf",
        codes: &["P01"],
        tx: |w| claiming(w, 0, 17),
    },
    Attack {
        claim: "another shard's leaf, called ours",
        codes: &["P07"],
        tx: |w| lying(w, 0, 17),
    },
    Attack {
        claim: "a replayed leaf",
        codes: &["P02"],
        tx: |w| claiming(w, 1, 16),
    },
    Attack {
        claim: "a replayed leaf, called the next",
        codes: &["P07"],
        tx: |w| lying(w, 1, 16),
    },
    Attack {
        claim: "a leaf out of turn",
        codes: &["P02"],
        tx: |w| claiming(w, 1, 18),
    },
    Attack {
        claim: "a leaf before its time",
        codes: &["P03"],
        tx: |w| {
            let leaf = Leaf::new(1, 17, TimeMs(NOW_MS + 1), payouts(3, None)).expect("a leaf");
            Case::under(shard(1), leaf).tx(w)
        },
    },
    Attack {
        claim: "a leaf before its time, called due",
        codes: &["P07"],
        tx: |w| {
            let leaf = Leaf::new(1, 17, TimeMs(NOW_MS + 1), payouts(3, None)).expect("a leaf");
            let mut tx = Case::under(shard(1), leaf).tx(w);
            *redeemed(&mut tx, 3) = Data::Int(0);
            tx
        },
    },
    Attack {
        claim: "no start of the validity range",
        codes: &["T01"],
        tx: |w| with(w, |tx, _| tx.valid.0 = None),
    },
    Attack {
        claim: "a payout cut short",
        codes: &["P04"],
        tx: |w| {
            with(w, |tx, _| {
                let paid = value_of(tx, PAYOUT_OUT);
                *paid = less(paid, 1);
            })
        },
    },
    Attack {
        claim: "a payout of tokens cut short",
        codes: &["P04"],
        tx: |w| {
            let mut tx = tx_with_token(w);
            let paid = value_of(&mut tx, PAYOUT_OUT);
            *paid = paid
                .checked_sub(&Value::default().with(token(b"USD"), Amount::new(1)))
                .expect("held");
            tx
        },
    },
    Attack {
        claim: "a payout left out",
        codes: &["P04"],
        tx: |w| with(w, |tx, _| drop(tx.outputs.pop())),
    },
    Attack {
        claim: "a payout added",
        codes: &["P04"],
        tx: |w| with(w, |tx, _| tx.outputs.push(to_key(1_000_000))),
    },
    Attack {
        claim: "totals above what is paid out",
        codes: &["P04"],
        tx: |w| {
            with(w, |tx, _| {
                *redeemed(tx, 4) = Value::lovelace(21_000_000).to_data();
            })
        },
    },
    Attack {
        claim: "a token in a payout of ADA",
        codes: &["P05"],
        tx: |w| {
            with(w, |tx, _| {
                let paid = value_of(tx, PAYOUT_OUT);
                *paid = paid.clone().with(token(b"dust"), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "a payout in another token",
        codes: &["P05"],
        tx: |w| {
            let mut tx = tx_with_token(w);
            let paid = value_of(&mut tx, PAYOUT_OUT);
            let units = paid.of(&token(b"USD"));
            *paid = paid
                .clone()
                .with(token(b"USD"), Amount::ZERO)
                .with(token(b"EUR"), units);
            tx
        },
    },
    Attack {
        claim: "a payout without its token",
        codes: &["P05"],
        tx: |w| {
            let mut tx = tx_with_token(w);
            let paid = value_of(&mut tx, PAYOUT_OUT);
            *paid = paid.clone().with(token(b"USD"), Amount::ZERO);
            tx
        },
    },
    Attack {
        claim: "totals in three assets",
        codes: &["P05"],
        tx: |w| {
            let mut tx = tx_with_token(w);
            tx.spent(&SHARD).value = tx
                .spent(&SHARD)
                .value
                .clone()
                .with(token(b"EUR"), Amount::new(5));
            let totals = Value::lovelace(1)
                .with(token(b"EUR"), Amount::new(1))
                .with(token(b"USD"), Amount::new(1));
            *redeemed(&mut tx, 4) = totals.to_data();
            tx
        },
    },
    Attack {
        claim: "the shard's reserve paid out",
        codes: &["P06"],
        tx: |w| {
            with(w, |tx, _| {
                let totals: u64 = (0..10).map(|i| 2_000_000 + i).sum();
                let held = tx.spent(&SHARD).value.clone();
                tx.spent(&SHARD).value = less(&held, HELD - totals + 1);
            })
        },
    },
    Attack {
        claim: "a payout to another address",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[PAYOUT_OUT].address = to_key(1).address
            })
        },
    },
    Attack {
        claim: "a payout's staking part swapped",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[PAYOUT_OUT].address.stake = Some(Credential::Key(Hash28([0x13; 28])))
            })
        },
    },
    Attack {
        claim: "a datum put on a payout",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[PAYOUT_OUT].datum = Datum::Inline(Data::Int(1))
            })
        },
    },
    Attack {
        claim: "a reference script put on a payout",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[PAYOUT_OUT].script = Some(Hash28([1; 28]))
            })
        },
    },
    Attack {
        claim: "payouts in another order",
        codes: &["P07"],
        tx: |w| with(w, |tx, _| tx.outputs.swap(PAYOUT_OUT, PAYOUT_OUT + 1)),
    },
    Attack {
        claim: "one payout given to another",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                let (a, b) = (
                    value_of(tx, PAYOUT_OUT).clone(),
                    value_of(tx, PAYOUT_OUT + 1).clone(),
                );
                *value_of(tx, PAYOUT_OUT) = a.checked_add(&Value::lovelace(5)).expect("in range");
                *value_of(tx, PAYOUT_OUT + 1) = less(&b, 5);
            })
        },
    },
    Attack {
        claim: "the change taken for a payout",
        codes: &["P04"],
        tx: |w| with(w, |tx, _| drop(tx.outputs.remove(CHANGE_OUT))),
    },
    Attack {
        claim: "a proof cut short",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                let Data::Bytes(path) = redeemed(tx, 5) else {
                    panic!("a path")
                };
                path.truncate(path.len() - 32);
            })
        },
    },
    Attack {
        claim: "a proof cut within a sibling",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                let Data::Bytes(path) = redeemed(tx, 5) else {
                    panic!("a path")
                };
                path.pop();
            })
        },
    },
    Attack {
        claim: "a leaf that this anchor does not have",
        codes: &["P07"],
        tx: |w| {
            with(w, |tx, _| {
                let roots = Data::Map(vec![(Data::Int(PAYOUTS.into()), Data::bytes([8; 32]))]);
                *field(inline(tx.referenced(&ANCHOR)), 4) = roots;
            })
        },
    },
];

#[test]
fn a_shard_pays_its_next_leaf() {
    accepted("ADA", tx);
    accepted("ADA and a token", tx_with_token);
    accepted("one payout", |w| Case::of(payouts(1, None)).tx(w));
}

#[test]
fn the_submitter_may_bring_inputs_and_keep_the_change() {
    accepted("more inputs", |w| {
        with(w, |tx, _| {
            tx.inputs.insert(place(0x10), (to_key(4_000_000), None));
            tx.inputs.insert(place(0x70), (to_key(4_000_000), None));
            let change = &mut tx.outputs[CHANGE_OUT];
            *change = Out {
                value: Value::lovelace(5_000_000).with(token(b"mine"), Amount::new(3)),
                ..to_key(1)
            };
        })
    });
}

#[test]
fn a_payout_may_carry_a_datum_that_was_certified() {
    accepted("to a script with a datum", |w| {
        let mut outputs: Vec<Output> = payouts(2, None);
        outputs[1].address.payment = Credential::Script(Hash28([0x31; 28]));
        outputs[1].datum = Some(Data::Constr(3, vec![Data::bytes([1; 100])]));
        Case::of(outputs).tx(w)
    });
}

#[test]
fn a_shard_may_be_drained_to_its_reserve() {
    accepted("drained", |w| {
        let mut outputs = payouts(1, None);
        outputs[0].value = Value::lovelace(HELD);
        let tx = Case::of(outputs).tx(w);
        assert_eq!(
            tx.outputs[SHARD_OUT].value.of(&AssetId::Ada),
            Amount::from(RESERVE_LOVELACE)
        );
        tx
    });
}

#[test]
fn all_of_a_token_may_be_paid_out() {
    accepted("drained of a token", |w| {
        let mut outputs = payouts(1, Some(&token(b"USD")));
        outputs[0].value = outputs[0]
            .value
            .clone()
            .with(token(b"USD"), Amount::from(HELD));
        Case::of(outputs).tx(w)
    });
}

#[test]
fn a_leaf_alone_in_its_tree_needs_no_siblings() {
    accepted("a single leaf", |w| {
        let leaf = Leaf::new(1, 17, TimeMs(NOW_MS - MINUTE_MS), payouts(2, None)).expect("a leaf");
        let mut case = Case::under(shard(1), leaf);
        case.anchor.outbox_roots = [(PAYOUTS, case.leaf.hash())].into();
        case.path = Vec::new();
        case.tx(w)
    });
}

#[test]
fn the_rust_side_takes_the_same_step() {
    let case = Case::of(payouts(10, None));
    let after = case
        .before
        .after_paying(&case.leaf)
        .expect("paid")
        .to_data();
    let mut tx = case.tx(World::of(crate::harness::Build::Silent));
    assert_eq!(*inline(&mut tx.outputs[SHARD_OUT]), after);
    assert_eq!(
        *redeemed(&mut tx, 4),
        Case::of(payouts(10, None)).leaf.totals().to_data()
    );
}

#[test]
fn nothing_else_is_paid() {
    refused(ATTACKS);
}
