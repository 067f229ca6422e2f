//! Golden bytes of every stored format: changing one is approving a format change, with another [`super::super::SCHEMA`].

use nupeer_primitives::{Hash28, Signature, TimeMs};
use nupeer_runtime::Tip;

use super::*;
use crate::{
    store::{SCHEMA, columns::Column},
    testing,
};

#[test]
fn keys_are_pinned() {
    assert_eq!(hex::encode(height_key(Height(258))), "0000000000000102");
    assert_eq!(
        hex::encode(undecided_key(&undecided_block())),
        format!("000000000000010200000003{}", "09".repeat(32))
    );
    let names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
    let pinned = [
        "proven",
        "plain",
        "nodes",
        "stale",
        "old",
        "blocks",
        "certificates",
        "transactions",
        "events",
        "undecided",
        "meta",
    ];
    assert_eq!(names, pinned);
}

fn undecided_block() -> Undecided {
    Undecided {
        height: Height(258),
        round: 3,
        valid_round: Some(1),
        proposer: Hash28([7; 28]),
        block: Block {
            id: Hash([9; 32]),
            bytes: vec![1, 2, 3].into(),
        },
    }
}

#[test]
fn values_are_pinned() {
    assert_eq!(SCHEMA.to_be_bytes(), [0, 0, 0, 4]);
    let location = Location {
        height: Height(258),
        index: 3,
        first: 261,
        length: 262,
        fee: Amount::new(263),
    };
    let pinned = "000000000000010200000003000001050000010600000000000000000000000000000107";
    assert_eq!(hex::encode(location.to_bytes()), pinned);
    assert_eq!(
        hex::encode(undecided_bytes(&undecided_block())),
        format!("8301581c{}43010203", "07".repeat(28))
    );
    let tip = Tip {
        height: Height(258),
        id: Hash([1; 32]),
        time: TimeMs(2),
        cardano: None,
        tree_version: Some(3),
        tree_root: Hash([4; 32]),
        journal: Hash([5; 32]),
    };
    assert_eq!(
        hex::encode(cbor::encode(&tip)),
        format!(
            "871901025820{}02f6035820{}5820{}",
            "01".repeat(32),
            "04".repeat(32),
            "05".repeat(32)
        )
    );
    let certificate = nupeer_primitives::consensus::Certificate {
        height: Height(258),
        round: 1,
        block: Hash([9; 32]),
        signatures: vec![(Hash28([7; 28]), Signature([8; 64]))],
    };
    assert_eq!(
        hex::encode(cbor::encode(&certificate)),
        format!(
            "84190102015820{}8182581c{}5840{}",
            "09".repeat(32),
            "07".repeat(28),
            "08".repeat(64)
        )
    );
}

#[test]
fn events_are_pinned() {
    let transferred = nupeer_ledger::Event::Transferred {
        from: testing::account(0),
        to: testing::account(1),
        asset: nupeer_primitives::AssetId::Ada,
        amount: nupeer_primitives::Amount::new(5),
    };
    let request = nupeer_lease::LeaseId(Hash([7; 32]));
    let expired = nupeer_lease::Event::RequestExpired { request };
    let happened = vec![
        (Some(3), Event::Ledger(transferred)),
        (None, Event::Lease(expired)),
    ];
    assert_eq!(
        hex::encode(events_bytes(&happened)),
        "828203820081820084\
         581d00340a0b6d2294f76b6fd6412896df15fb5cb4db0cc797e4daedd05376\
         581d001eba4633d8e9ae8687a994a44151869a59d88b901a2fb880216e4718\
         4005\
         82f6820181820681582007070707070707070707070707070707070707070707070707070707070707\
         07"
    );
    assert_eq!(events(&events_bytes(&happened)).unwrap(), happened);
    let of = |index| events_of(&events_bytes(&happened), index).unwrap();
    assert_eq!(of(3), [happened[0].1.clone()]);
    assert_eq!(of(0), []);
}

#[test]
fn notes_of_kept_nodes_are_pinned() {
    let genesis = testing::genesis(1, 2).execute().unwrap();
    let update = genesis.tree.unwrap();
    let node_key = update.batch.node_batch.nodes().keys().next_back().unwrap();
    let stale_since_version = 258;
    let index = StaleNodeIndex {
        stale_since_version,
        node_key: node_key.clone(),
    };
    let (key, own) = (stale_key(&index).unwrap(), node_key_bytes(node_key));
    assert_eq!(hex::encode(&key), format!("0000000000000102{own}"));
    assert_eq!(
        stale(&key).unwrap(),
        (258, 0, &hex::decode(own).unwrap()[..])
    );
    let old = hex::encode(old_key(&[7; 32], 258));
    assert_eq!(old, format!("{}0000000000000102", "07".repeat(32)));
}

fn node_key_bytes(key: &NodeKey) -> String {
    hex::encode(node_key(key).unwrap())
}

#[test]
fn tree_nodes_are_pinned() {
    let genesis = testing::genesis(1, 2).execute().unwrap();
    let update = genesis.tree.unwrap();
    let nodes: Vec<String> = update
        .batch
        .node_batch
        .nodes()
        .iter()
        .map(|(key, value)| {
            hex::encode(node_key(key).unwrap()) + " " + &hex::encode(node_bytes(value).unwrap())
        })
        .collect();
    // Sixteen places, two of them taken by leaves of version 0.
    let root = "0000000000000000000000000000000000000000 01\
         0000000000000000000001\
         1410a0d58f714c79d4344bb17fe9de5848b527ef04b5fcc63e3fdd3418b3f2c4000000000000000000\
         01a69ebc4d03718a131e4b9f82357862da574a6624d51f4631b7c95b451e02704e000000000000000000\
         00000000\
         02000000000000000200000000000000";
    let (left, right) = (
        "0000000000000000010000000000000001000000a0 \
         02af9e27eb2b542a09ed918dea0ac22553182efdd78d8dd700798f54e26b066cec\
         5a0885c8e65071844196c871d46c114c51063761ba859f4b6b69e6854bf11cbb",
        "0000000000000000010000000000000001000000b0 \
         02b9ed63e30d962f13701a830ac2c288568220ac5c3c1833c338ae0f5bf8b2c9b9\
         5a0885c8e65071844196c871d46c114c51063761ba859f4b6b69e6854bf11cbb",
    );
    assert_eq!(nodes, [root, left, right]);
}

#[test]
fn what_is_stored_is_read_back() {
    let block = undecided_block();
    assert_eq!(
        undecided(&undecided_key(&block), &undecided_bytes(&block)).unwrap(),
        block
    );
    let location = Location {
        height: Height(u64::MAX),
        index: u32::MAX,
        first: u32::MAX,
        length: u32::MAX,
        fee: Amount::new(u128::MAX),
    };
    assert_eq!(
        Location::from_bytes(&location.to_bytes()).unwrap(),
        location
    );
}

#[test]
fn damaged_values_are_named() {
    let what = |error: StoreError| match error {
        StoreError::Corrupt { what } => what,
        other => panic!("{other}"),
    };
    let block = undecided_block();
    assert_eq!(
        what(undecided(&undecided_key(&block), &[0x80]).unwrap_err()),
        "undecided block"
    );
    assert_eq!(
        what(undecided(&[0; 43], &undecided_bytes(&block)).unwrap_err()),
        "undecided block"
    );
    for length in [0, 12, 35, 37] {
        let short = Location::from_bytes(&vec![0; length]).unwrap_err();
        assert_eq!(what(short), "transaction location");
    }
    assert_eq!(what(stale(&[0; 15]).unwrap_err()), "stale node");
    for broken in [
        &[][..],
        &[0x82],
        &[0x82, 0x80, 0x9f],
        &[0x82, 0x80, 0x81, 0x01],
    ] {
        assert_eq!(what(places(broken).unwrap_err()), "block");
        assert_eq!(what(events_of(&[0x81], 0).unwrap_err()), "events");
    }
    assert_eq!(what(node(&[9]).unwrap_err()), "tree node");
    assert_eq!(what(header(&[0x82, 0x00]).unwrap_err()), "block");
    assert_eq!(what(schema(&[0; 3]).unwrap_err()), "schema version");
}
