//! Golden bytes: what Rust writes is what `lib/nupeer/wire.ak` states, where Aiken's tests serialise the same values.

use nupeer_contracts::redeemer;
use nupeer_outbox::{
    Address, Anchor, BridgeId, Committee, Deposit, Head, Leaf, Output, OutputReference, Shard,
    Value,
    anchor::AssetTotals,
    certificate::{Certificate, Kind, Statement},
    credited,
    leaf::PAYOUTS,
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, Credential, Hash, Hash28, Height, PublicKey, Signature, Slot,
    TimeMs, blake2b_256, plutus::Data,
};

const WIRE: &str = include_str!("../../lib/nupeer/wire.ak");

fn key(byte: u8) -> Credential {
    Credential::Key(Hash28([byte; 28]))
}

fn script(byte: u8) -> Credential {
    Credential::Script(Hash28([byte; 28]))
}

fn token() -> AssetId {
    AssetId::Native {
        policy: Hash28([0x60; 28]),
        name: b"USD".to_vec(),
    }
}

fn place() -> OutputReference {
    OutputReference {
        transaction_id: Hash([0x11; 32]),
        index: 258,
    }
}

fn committee() -> Committee {
    let keys = [3, 1, 2, 4].map(|byte| PublicKey([byte; 32]));
    Committee::new(BridgeId(Hash([0xbb; 32])), 7, keys.to_vec()).expect("a committee")
}

fn anchor() -> Anchor {
    let amount = Amount::new;
    let ada = AssetTotals {
        liabilities: amount(45_000_000_000_000_000),
        paid: amount(24),
        swept: amount(0),
        unswept: amount(65_536),
    };
    let usd = AssetTotals {
        liabilities: amount(1 << 70),
        ..ada
    };
    Anchor {
        seq: 42,
        sidechain_height: Height(123_456),
        observed: (Slot(150_000_000), Hash([1; 32])),
        decided_until: Slot(149_990_000),
        outbox_roots: [(PAYOUTS, Hash([2; 32])), (3, Hash([3; 32]))].into(),
        credited_deposits_root: Hash([4; 32]),
        state_root: Hash([5; 32]),
        assets: [(AssetId::Ada, ada), (token(), usd)].into(),
    }
}

fn shard() -> Shard {
    let mut shard = Shard::new(3, [token()]).expect("few assets");
    shard.next_seq = 17;
    shard.holdings[0].paid = Amount::new(70_000_000_000);
    shard.holdings[1].swept = Amount::new(1 << 62);
    shard
}

fn leaf() -> Leaf {
    let output = |payment, stake, usd: u128, datum| Output {
        address: Address { payment, stake },
        value: Value::lovelace(1_500_000).with(token(), Amount::new(usd)),
        datum,
    };
    let long: Vec<u8> = (0..100).collect();
    let outputs = vec![
        output(key(1), Some(key(2)), 23, None),
        output(script(3), None, 24, Some(Data::Bytes(long))),
        output(
            script(4),
            Some(script(5)),
            1 << 40,
            Some(Data::List(vec![])),
        ),
    ];
    Leaf::new(3, 17, TimeMs(1_600_000_000_000), outputs).expect("a leaf")
}

fn deposit() -> Deposit {
    let refund = Address {
        payment: key(1),
        stake: Some(script(2)),
    };
    Deposit {
        recipient: AccountId(key(9)),
        refund,
        nonce: 5,
        credit_before: Slot(151_000_000),
    }
}

fn statement() -> Statement {
    Statement {
        network_magic: 42,
        bridge_id: BridgeId(Hash([0xbb; 32])),
        epoch: 7,
        kind: Kind::Anchor,
        spent: place(),
        body_hash: Hash([6; 32]),
    }
}

/// The root above `leaf` along `path`, by the rule of `nupeer_outbox::merkle`.
fn root_above(leaf: Hash, path: &[u8]) -> Hash {
    path.chunks(Hash::LEN).fold(leaf, |hash, sibling| {
        let (lesser, greater) = match hash.0.as_slice() < sibling {
            true => (&hash.0[..], sibling),
            false => (sibling, &hash.0[..]),
        };
        blake2b_256(&[&[1], lesser, greater])
    })
}

/// Name in `wire.ak` and bytes from here.
fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let sibling = [[0x21; 32], [0x22; 32], [0x23; 32]].concat();
    let signed = |byte: u8| Data::bytes(Signature([byte; 64]).0);
    let slots = Data::List(vec![signed(1), Data::bytes([]), signed(3)]);
    vec![
        ("committee", committee().to_data().to_cbor()),
        (
            "head",
            Head {
                last_anchor_seq: 41,
                last_anchor_time: TimeMs(1_750_000_000_000),
            }
            .to_data()
            .to_cbor(),
        ),
        ("anchor", anchor().to_data().to_cbor()),
        ("shard", shard().to_data().to_cbor()),
        ("leaf", leaf().to_data().to_cbor()),
        ("deposit", deposit().to_data().to_cbor()),
        (
            "anchored",
            Data::Constr(0, vec![Data::Int(2), slots]).to_cbor(),
        ),
        ("pay", redeemer::pay(1, &leaf(), &sibling).to_cbor()),
        (
            "absorb",
            redeemer::absorb(1, &[sibling.clone(), vec![]]).to_cbor(),
        ),
        ("sweep", redeemer::sweep(3).to_cbor()),
        ("bridge_id", BridgeId::derive(42, &place()).0.0.to_vec()),
        ("digest", statement().digest().0.to_vec()),
        ("leaf_hash", leaf().hash().0.to_vec()),
        (
            "merkle_root",
            root_above(leaf().hash(), &sibling).0.to_vec(),
        ),
        ("credited_key", credited::key(&place()).0.to_vec()),
    ]
}

/// The bytes that `wire.ak` states under a name.
fn stated(name: &str) -> String {
    let (_, rest) = WIRE
        .split_once(&format!("const {name}_bytes"))
        .unwrap_or_else(|| panic!("{name} is not in wire.ak"));
    let (_, rest) = rest.split_once("#\"").expect("bytes");
    rest.split_once('"').expect("an end").0.to_owned()
}

#[test]
fn rust_and_aiken_write_the_same_bytes() {
    let ours: Vec<_> = vectors()
        .into_iter()
        .map(|(name, bytes)| (name, hex::encode(bytes)))
        .collect();
    let theirs: Vec<_> = ours.iter().map(|(name, _)| (*name, stated(name))).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_vector_is_compared() {
    assert_eq!(WIRE.matches("_bytes: ByteArray").count(), vectors().len());
}

#[test]
fn a_redeemer_carries_the_certificates_slots() {
    let members: Vec<_> = (1..=3)
        .map(|seed| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
        .collect();
    let keys = members
        .iter()
        .map(|key| PublicKey(key.verifying_key().to_bytes()));
    let committee =
        Committee::new(BridgeId(Hash([0; 32])), 0, keys.clone().collect()).expect("a committee");
    let digest = Hash([5; 32]);
    let sign = |key: &ed25519_dalek::SigningKey| {
        Signature(ed25519_dalek::Signer::sign(key, &digest.0).to_bytes())
    };
    let votes = keys.zip(members.iter().map(sign));
    let certificate = Certificate::assemble(&committee, &digest, votes).expect("a certificate");
    let Data::Constr(0, fields) = redeemer::anchored(4, &certificate) else {
        panic!("constructor 0")
    };
    let slots = certificate
        .slots()
        .iter()
        .map(|slot| Data::bytes(slot.expect("all signed").0))
        .collect();
    assert_eq!(fields, [Data::Int(4), Data::List(slots)]);
}
