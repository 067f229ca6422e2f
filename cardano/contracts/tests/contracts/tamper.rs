//! Every part of a redeemer and of a datum matters: each is changed in turn, and the silent build must refuse.

use nupeer_primitives::plutus::Data;

use crate::{
    cases::{anchor, birth, pay, sweep},
    harness::{Build, Datum, Tx, World, attack::execute},
};

/// Changed data, and where and how it was changed: `.3.0 + 1`.
type Change = (String, Data);

/// Each way to change one part of the data.
fn tampered(data: &Data) -> Vec<Change> {
    match data {
        Data::Int(int) => named([
            ("+ 1", Data::Int(int + 1)),
            ("- 1", Data::Int(int - 1)),
            ("a list", Data::List(vec![])),
        ]),
        Data::Bytes(bytes) => tampered_bytes(bytes),
        Data::List(items) => [within(items, Data::List), ends(items, Data::List)].concat(),
        Data::Constr(index, fields) => {
            let whole = |fields| Data::Constr(*index, fields);
            let other = named([("constructor + 1", Data::Constr(index + 1, fields.clone()))]);
            [within(fields, whole), ends(fields, whole), other].concat()
        }
        Data::Map(pairs) => {
            let flat: Vec<Data> = pairs
                .iter()
                .flat_map(|(key, value)| [key.clone(), value.clone()])
                .collect();
            within(&flat, |flat| {
                Data::Map(
                    flat.chunks(2)
                        .map(|pair| (pair[0].clone(), pair[1].clone()))
                        .collect(),
                )
            })
        }
    }
}

fn named<const N: usize>(changes: [(&str, Data); N]) -> Vec<Change> {
    changes
        .map(|(what, data)| (format!(" {what}"), data))
        .to_vec()
}

fn tampered_bytes(bytes: &[u8]) -> Vec<Change> {
    let mut changes = named([
        ("longer", Data::Bytes([bytes, &[0]].concat())),
        ("a number", Data::Int(0)),
    ]);
    if let Some((first, rest)) = bytes.split_first() {
        changes.extend(named([
            ("other", Data::Bytes([&[first ^ 1], rest].concat())),
            ("shorter", Data::bytes(rest)),
        ]));
    }
    changes
}

/// One item changed.
fn within(items: &[Data], whole: impl Fn(Vec<Data>) -> Data) -> Vec<Change> {
    let changes = items.iter().enumerate().flat_map(|(at, item)| {
        let new = |(what, new)| {
            (
                format!(".{at}{what}"),
                [&items[..at], &[new], &items[at + 1..]].concat(),
            )
        };
        tampered(item).into_iter().map(new).collect::<Vec<_>>()
    });
    changes.map(|(what, items)| (what, whole(items))).collect()
}

/// The last item left out, or once more.
fn ends(items: &[Data], whole: impl Fn(Vec<Data>) -> Data) -> Vec<Change> {
    let Some((last, rest)) = items.split_last() else {
        return Vec::new();
    };
    let longer = [items, std::slice::from_ref(last)].concat();
    named([
        ("without its last", whole(rest.to_vec())),
        ("with its last twice", whole(longer)),
    ])
}

/// Every transaction that differs in one part of one input's redeemer, or of one output's datum.
fn variants(tx: &Tx) -> Vec<(String, Tx)> {
    let mut variants = Vec::new();
    for (ix, (reference, (_, redeemer))) in tx.inputs.iter().enumerate() {
        for (what, new) in redeemer.iter().flat_map(tampered) {
            let mut tx = tx.clone();
            tx.redeem(reference, new);
            variants.push((format!("redeemer of input {ix}: {what}"), tx));
        }
    }
    for (ix, out) in tx.outputs.iter().enumerate() {
        let Datum::Inline(datum) = &out.datum else {
            continue;
        };
        for (what, new) in tampered(datum) {
            let mut tx = tx.clone();
            tx.outputs[ix].datum = Datum::Inline(new);
            variants.push((format!("datum of output {ix}: {what}"), tx));
        }
    }
    variants
}

/// What the silent build lets pass, of at least `least` variants.
fn passing(tx: fn(&World) -> Tx, least: usize) -> Vec<String> {
    let world = World::of(Build::Silent);
    let variants = variants(&tx(world));
    assert!(variants.len() >= least, "only {} variants", variants.len());
    let accepted = variants
        .into_iter()
        .filter(|(_, tx)| execute(world, tx).iter().all(|ran| ran.outcome.is_ok()));
    accepted.map(|(what, _)| what).collect()
}

#[test]
fn no_part_of_a_payment_can_be_changed() {
    assert_eq!(passing(pay::tx, 60), Vec::<String>::new());
    assert_eq!(passing(pay::tx_with_token, 60), Vec::<String>::new());
}

#[test]
fn no_part_of_a_sweep_can_be_changed() {
    assert_eq!(passing(sweep::tx, 60), Vec::<String>::new());
}

#[test]
fn no_part_of_an_anchor_can_be_changed_but_an_empty_slot_left_out() {
    assert_eq!(
        passing(anchor::tx, 60),
        ["redeemer of input 1: .1 without its last"]
    );
}

#[test]
fn no_part_of_a_birth_can_be_changed_but_who_the_members_are_and_which_assets_are_listed() {
    let chosen = |what: &String| {
        let members = what.starts_with("datum of output 0: .2");
        let assets = ["datum of output 2: .3", "datum of output 3: .3"]
            .iter()
            .any(|part| what.starts_with(part));
        members || assets
    };
    let (chosen, passed): (Vec<_>, Vec<_>) = passing(birth::tx, 100).into_iter().partition(chosen);
    assert_eq!(passed, Vec::<String>::new());
    assert!(!chosen.is_empty(), "other members make a bridge, too");
}
