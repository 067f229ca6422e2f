//! Outputs in forms that no wallet writes: at strangers' addresses they are nothing, at ours they are told as what cannot be read.

use minicbor::{Encoder, data::Tag};
use nupeer_outbox::{OutputReference, Value};
use nupeer_primitives::{AssetId, Hash, Hash28, blake2b_256};

use super::made::{SCOPE, block, body, cbor, put};
use crate::{DepositDatum, DepositSeen, Observation, Part, UnreadableSeen, observe};

const STRANGER: Hash28 = Hash28([0x99; 28]);

/// Writes an output at the address of a script.
type Form = fn(&mut Encoder<Vec<u8>>, &[u8]);

fn address(script: &Hash28) -> Vec<u8> {
    [&[0x70][..], &script.0].concat()
}

/// One transaction with an output of that form at `script`, and a good deposit behind it.
fn observed(form: Form, script: &Hash28) -> (Hash, Vec<Observation>) {
    let odd = cbor(|e| form(e, &address(script)));
    let good = cbor(|e| {
        e.array(2).unwrap().bytes(&address(&SCOPE.deposit)).unwrap();
        e.u64(5).unwrap();
    });
    let body = body(&[], &[odd, good]);
    let id = blake2b_256(&[&body]);
    let mut seen = observe(&SCOPE, &block(&[body], &[])).expect("the block is taken");
    let last = seen.pop().expect("the deposit behind it is seen");
    assert!(
        matches!(&last, Observation::Deposit(seen) if seen.output.index == 1),
        "{last:?}"
    );
    (id, seen)
}

fn reference(transaction_id: Hash) -> OutputReference {
    OutputReference {
        transaction_id,
        index: 0,
    }
}

/// A map's output whose value `write`s.
fn valued(e: &mut Encoder<Vec<u8>>, address: &[u8], write: impl Fn(&mut Encoder<Vec<u8>>)) {
    e.map(2).unwrap().u8(0).unwrap().bytes(address).unwrap();
    write(e.u8(1).unwrap());
}

const ODD_VALUES: [Form; 7] = [
    |e, at| valued(e, at, |e| drop(e.tag(Tag::new(2)).unwrap().bytes(&[5]))),
    |e, at| valued(e, at, |e| drop(e.str("five"))),
    |e, at| valued(e, at, |e| drop(e.i8(-5))),
    |e, at| valued(e, at, |e| drop(e.array(0))),
    // A policy of three bytes.
    |e, at| {
        valued(e, at, |e| {
            e.array(2).unwrap().u8(5).unwrap().map(1).unwrap();
            e.bytes(&[1, 2, 3]).unwrap().map(0).unwrap();
        });
    },
    // A name longer than names are, and huge.
    |e, at| {
        valued(e, at, |e| {
            e.array(2).unwrap().u8(5).unwrap().map(1).unwrap();
            e.bytes(&[7; 28]).unwrap().map(1).unwrap();
            e.bytes(&[0; 60_000]).unwrap().u8(1).unwrap();
        });
    },
    // No value at all.
    |e, at| drop(e.map(1).unwrap().u8(0).unwrap().bytes(at)),
];

const ODD_DATUMS: [Form; 4] = [
    |e, at| said(e, at, |e| drop(e.str("no datum"))),
    |e, at| {
        said(e, at, |e| {
            drop(e.array(2).unwrap().u8(0).unwrap().bytes(&[7; 5]))
        })
    },
    |e, at| said(e, at, |e| drop(e.array(2).unwrap().u8(1).unwrap().u8(1))),
    |e, at| said(e, at, |e| drop(e.array(2).unwrap().i8(-1).unwrap().null())),
];

fn said(e: &mut Encoder<Vec<u8>>, address: &[u8], write: impl Fn(&mut Encoder<Vec<u8>>)) {
    e.map(3).unwrap().u8(0).unwrap().bytes(address).unwrap();
    write(e.u8(1).unwrap().u64(5).unwrap().u8(2).unwrap());
}

/// Forms without an address, which lie nowhere.
const NOWHERE: [Form; 5] = [
    |e, _| drop(e.str("no output")),
    |e, _| drop(e.null()),
    |e, _| drop(e.array(0)),
    |e, _| drop(e.map(1).unwrap().u8(1).unwrap().u8(5)),
    |e, _| drop(e.array(2).unwrap().u64(7).unwrap().u64(5)),
];

#[test]
fn what_is_odd_at_strangers_addresses_is_nothing_and_hides_nothing() {
    for form in ODD_VALUES.iter().chain(&ODD_DATUMS).chain(&NOWHERE) {
        let (_, seen) = observed(*form, &STRANGER);
        assert_eq!(seen, []);
    }
    for form in NOWHERE {
        assert_eq!(observed(form, &SCOPE.deposit).1, []);
    }
}

#[test]
fn an_odd_deposit_is_seen_as_one_that_nobody_can_read() {
    for (forms, value) in [
        (&ODD_VALUES[..], Value::default()),
        (&ODD_DATUMS[..], Value::lovelace(5)),
    ] {
        for form in forms {
            let (id, seen) = observed(*form, &SCOPE.deposit);
            let [
                Observation::Deposit(DepositSeen {
                    output,
                    datum,
                    value: held,
                    ..
                }),
            ] = &seen[..]
            else {
                panic!("{seen:?}")
            };
            assert_eq!(*output, reference(id));
            assert_eq!(*datum, DepositDatum::Malformed { reason: 3004 });
            assert_eq!(*held, value);
            let bytes = seen[0].to_bytes();
            assert_eq!(Observation::from_bytes(&bytes).as_ref(), Ok(&seen[0]));
        }
    }
}

/// Nobody can say that it does not hold the token.
#[test]
fn a_value_that_nobody_can_read_is_told_wherever_a_part_of_the_bridge_may_lie() {
    for (script, part) in [
        (SCOPE.head, Part::Head),
        (SCOPE.anchor, Part::Anchor),
        (SCOPE.vault, Part::Shard),
    ] {
        for form in ODD_VALUES {
            let (id, seen) = observed(form, &script);
            let output = reference(id);
            assert_eq!(
                seen,
                [Observation::Unreadable(UnreadableSeen { output, part })]
            );
        }
        // What holds no token is dust, whatever it says.
        for form in ODD_DATUMS {
            assert_eq!(observed(form, &script).1, []);
        }
    }
}

#[test]
fn unknown_fields_and_indefinite_lengths_change_nothing() {
    let forms: [Form; 3] = [
        // Fields of other numbers, and keys that are no numbers.
        |e, at| {
            e.map(5).unwrap().u8(0).unwrap().bytes(at).unwrap();
            e.u64(1 << 40).unwrap().str("?").unwrap();
            e.str("key").unwrap().array(0).unwrap();
            e.i8(-1).unwrap().bytes(&[0; 40_000]).unwrap();
            e.u8(1).unwrap().u64(5).unwrap();
        },
        // Nothing of definite length.
        |e, at| {
            let (front, back) = at.split_at(9);
            e.begin_map().unwrap().u8(0).unwrap().begin_bytes().unwrap();
            e.bytes(front).unwrap().bytes(back).unwrap().end().unwrap();
            e.u8(1).unwrap().begin_array().unwrap().u64(5).unwrap();
            e.begin_map().unwrap().end().unwrap();
            e.end().unwrap().end().unwrap();
        },
        // Numbers longer than they need be.
        |e, at| {
            put(e, &[0xb9, 0, 2, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0, 0x59, 0, 29]);
            put(e, at);
            put(e, &[0x18, 1, 0x1a, 0, 0, 0, 5]);
        },
    ];
    for form in forms {
        let (_, seen) = observed(form, &SCOPE.deposit);
        let [Observation::Deposit(seen)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(seen.value.of(&AssetId::Ada).units(), 5);
        assert_eq!(seen.datum, DepositDatum::Missing);
    }
}

#[test]
fn outputs_that_are_no_list_are_none_and_leave_the_next_transaction_alone() {
    let odd = cbor(|e| drop(e.map(1).unwrap().u8(1).unwrap().str("no list")));
    let none = cbor(|e| drop(e.array(0)));
    let good = cbor(|e| {
        e.array(2).unwrap().bytes(&address(&SCOPE.deposit)).unwrap();
        e.u64(5).unwrap();
    });
    let bodies = [odd, none, body(&[], &[good])];
    assert_eq!(observe(&SCOPE, &block(&bodies, &[])).unwrap().len(), 1);
}
