//! Conway blocks written field by field: every shape that the ledger takes, and some that it does not.

use minicbor::{Encoder, data::Tag};
use nupeer_outbox::{
    Address, Anchor, Deposit, Head, OutputReference, Shard, Value,
    shard::{EMPTY_SPARSE_ROOT, RESERVE_LOVELACE},
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, Credential, Hash, Hash28, Height, Slot, blake2b_256, plutus::Data,
};

use crate::{
    AnchorSeen, DepositDatum, DepositSeen, HeadSeen, Observation, ObserveError, Part, Portion,
    Scope, ShardSeen, UnreadableSeen, observe, portion,
};

pub(super) const SCOPE: Scope = Scope {
    genesis: Hash28([1; 28]),
    head: Hash28([2; 28]),
    anchor: Hash28([3; 28]),
    vault: Hash28([4; 28]),
    deposit: Hash28([5; 28]),
};

type E = Encoder<Vec<u8>>;

pub(super) fn cbor(write: impl FnOnce(&mut E)) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    write(&mut e);
    e.into_writer()
}

pub(super) fn put(e: &mut E, raw: &[u8]) {
    e.writer_mut().extend_from_slice(raw);
}

/// How an output's datum is written.
#[derive(Clone)]
enum Says {
    Nothing,
    Hash([u8; 32]),
    Inline(Vec<u8>),
}

#[derive(Clone)]
pub(super) struct Out {
    address: Vec<u8>,
    value: Value,
    says: Says,
    script: bool,
}

pub(super) fn at(script: Hash28, value: Value, datum: &Data) -> Out {
    Out {
        address: [&[0x70][..], &script.0].concat(),
        value,
        says: Says::Inline(datum.to_cbor()),
        script: false,
    }
}

fn value_cbor(value: &Value) -> Vec<u8> {
    let tokens: Vec<_> = value
        .entries()
        .filter_map(|(asset, amount)| match asset {
            AssetId::Ada => None,
            AssetId::Native { policy, name } => Some((policy, name, amount)),
        })
        .collect();
    let units = |amount: Amount| amount.to_u64().unwrap();
    let ada = units(value.of(&AssetId::Ada));
    cbor(|e| {
        if tokens.is_empty() {
            e.u64(ada).unwrap();
            return;
        }
        e.array(2).unwrap().u64(ada).unwrap();
        e.map(tokens.len() as u64).unwrap();
        for (policy, name, amount) in tokens {
            e.bytes(&policy.0).unwrap().map(1).unwrap();
            e.bytes(name).unwrap().u64(units(amount)).unwrap();
        }
    })
}

impl Out {
    fn cbor(&self) -> Vec<u8> {
        cbor(|e| {
            let says = !matches!(self.says, Says::Nothing);
            e.map(2 + u64::from(says) + u64::from(self.script)).unwrap();
            e.u8(0)
                .unwrap()
                .bytes(&self.address)
                .unwrap()
                .u8(1)
                .unwrap();
            put(e, &value_cbor(&self.value));
            match &self.says {
                Says::Nothing => {}
                Says::Hash(hash) => {
                    e.u8(2).unwrap().array(2).unwrap().u8(0).unwrap();
                    e.bytes(hash).unwrap();
                }
                Says::Inline(bytes) => {
                    e.u8(2).unwrap().array(2).unwrap().u8(1).unwrap();
                    e.tag(Tag::new(24)).unwrap().bytes(bytes).unwrap();
                }
            }
            if self.script {
                e.u8(3).unwrap().tag(Tag::new(24)).unwrap();
                e.bytes(&[0x82, 0x03, 0x41, 0x00]).unwrap();
            }
        })
    }
}

pub(super) fn reference(n: u8, index: u32) -> OutputReference {
    OutputReference {
        transaction_id: Hash([n; 32]),
        index,
    }
}

pub(super) fn body(inputs: &[OutputReference], outputs: &[Vec<u8>]) -> Vec<u8> {
    cbor(|e| {
        e.map(3).unwrap();
        e.u8(0).unwrap().tag(Tag::new(258)).unwrap();
        e.array(inputs.len() as u64).unwrap();
        for input in inputs {
            e.array(2).unwrap().bytes(&input.transaction_id.0).unwrap();
            e.u32(input.index).unwrap();
        }
        e.u8(1).unwrap().array(outputs.len() as u64).unwrap();
        outputs.iter().for_each(|output| put(e, output));
        e.u8(2).unwrap().u64(200_000).unwrap();
    })
}

const SLOT: u64 = 777;

pub(super) fn block(bodies: &[Vec<u8>], invalid: &[u64]) -> Vec<u8> {
    block_of(7, bodies, invalid)
}

fn block_of(era: u64, bodies: &[Vec<u8>], invalid: &[u64]) -> Vec<u8> {
    cbor(|e| {
        e.array(2).unwrap().u64(era).unwrap().array(5).unwrap();
        // A header's first two fields; what follows is not read.
        e.array(2).unwrap().array(3).unwrap();
        e.u64(99)
            .unwrap()
            .u64(SLOT)
            .unwrap()
            .bytes(&[0; 32])
            .unwrap();
        e.bytes(&[0; 448]).unwrap();
        e.array(bodies.len() as u64).unwrap();
        bodies.iter().for_each(|body| put(e, body));
        e.begin_array().unwrap().end().unwrap().map(0).unwrap();
        e.array(invalid.len() as u64).unwrap();
        for index in invalid {
            e.u64(*index).unwrap();
        }
    })
}

pub(super) fn one(outputs: &[Out]) -> (Vec<u8>, Hash) {
    let outputs: Vec<Vec<u8>> = outputs.iter().map(Out::cbor).collect();
    let body = body(&[reference(9, 1), reference(8, 0)], &outputs);
    let id = blake2b_256(&[&body]);
    (block(&[body], &[]), id)
}

fn seen(outputs: &[Out]) -> Vec<Observation> {
    observe(&SCOPE, &one(outputs).0).unwrap()
}

pub(super) fn deposit() -> Deposit {
    Deposit {
        recipient: AccountId(Credential::Key(Hash28([7; 28]))),
        refund: Address::enterprise(Credential::Key(Hash28([8; 28]))),
        nonce: 1,
        credit_before: Slot(1_000),
    }
}

fn deposited(says: Says) -> DepositSeen {
    let out = Out {
        says,
        ..at(SCOPE.deposit, Value::lovelace(5), &Data::Int(0))
    };
    match &seen(&[out])[..] {
        [Observation::Deposit(seen)] => seen.clone(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn token(policy: u8, name: &[u8]) -> AssetId {
    AssetId::Native {
        policy: Hash28([policy; 28]),
        name: name.to_vec(),
    }
}

#[test]
fn a_deposit_is_seen_with_all_that_it_holds_and_says() {
    let value = Value::lovelace(5_000_000)
        .with(token(9, b"a"), Amount::new(1))
        .with(token(10, b""), Amount::from(u64::MAX));
    let out = at(SCOPE.deposit, value.clone(), &deposit().to_data());
    let (block, id) = one(&[out]);
    let expected = Observation::Deposit(DepositSeen {
        output: OutputReference {
            transaction_id: id,
            index: 0,
        },
        slot: Slot(SLOT),
        value,
        datum: DepositDatum::WellFormed(deposit()),
        has_reference_script: false,
        has_staking_part: false,
    });
    assert_eq!(observe(&SCOPE, &block), Ok(vec![expected]));
}

#[test]
fn deposits_of_every_staking_part_are_seen_and_those_of_keys_are_not() {
    let script = SCOPE.deposit.0;
    let address = |header: u8, rest: usize| [&[header][..], &script, &vec![0xab; rest]].concat();
    for (bytes, is_seen) in [
        (address(0x70, 0), true),
        (address(0x71, 0), true),
        (address(0x10, 28), true),
        (address(0x30, 28), true),
        (address(0x50, 3), true),
        // The same 28 bytes as the hash of a key, as a staking part, or cut short.
        (address(0x60, 0), false),
        (address(0x00, 28), false),
        ([&[0x00][..], &[0; 28], &script].concat(), false),
        (address(0x70, 0)[..20].to_vec(), false),
        (vec![0x82, 0xd8, 0x18], false),
        (vec![], false),
    ] {
        let out = Out {
            address: bytes.clone(),
            ..at(SCOPE.deposit, Value::lovelace(5), &deposit().to_data())
        };
        assert_eq!(seen(&[out]).len(), usize::from(is_seen), "{bytes:02x?}");
    }
}

/// Each datum by its kind, and none of them stops what comes after it.
#[test]
fn what_is_no_deposits_datum_is_seen_for_what_it_is() {
    let deep = [vec![0x81; 500], vec![0x80]].concat();
    for (says, datum) in [
        (Says::Nothing, DepositDatum::Missing),
        (Says::Hash([7; 32]), DepositDatum::OnlyHash(Hash([7; 32]))),
        (
            Says::Inline(Data::Int(5).to_cbor()),
            DepositDatum::Malformed { reason: 3050 },
        ),
        (
            Says::Inline(Data::Constr(0, vec![Data::Int(2); 5]).to_cbor()),
            DepositDatum::Malformed { reason: 3051 },
        ),
        (
            Says::Inline(vec![0xff]),
            DepositDatum::Malformed { reason: 3003 },
        ),
        (Says::Inline(deep), DepositDatum::Malformed { reason: 3003 }),
        (
            Says::Inline(Data::Bytes(vec![0; 2_000]).to_cbor()),
            DepositDatum::Oversized { bytes: 2_065 },
        ),
    ] {
        assert_eq!(deposited(says).datum, datum);
    }
}

/// A wallet that writes lists of definite length means the same as one that does not.
#[test]
fn a_deposit_is_read_however_it_is_written() {
    let canonical = deposit().to_data().to_cbor();
    assert_eq!(canonical.iter().filter(|byte| **byte == 0x9f).count(), 4);
    let definite = cbor(|e| {
        e.tag(Tag::new(121))
            .unwrap()
            .array(5)
            .unwrap()
            .u8(1)
            .unwrap();
        e.tag(Tag::new(121))
            .unwrap()
            .array(1)
            .unwrap()
            .bytes(&[7; 28])
            .unwrap();
        e.tag(Tag::new(121)).unwrap().array(2).unwrap();
        e.tag(Tag::new(121)).unwrap().array(1).unwrap();
        e.begin_bytes()
            .unwrap()
            .bytes(&[8; 14])
            .unwrap()
            .bytes(&[8; 14])
            .unwrap();
        e.end()
            .unwrap()
            .tag(Tag::new(122))
            .unwrap()
            .array(0)
            .unwrap();
        e.tag(Tag::new(2))
            .unwrap()
            .bytes(&[1])
            .unwrap()
            .u64(1_000)
            .unwrap();
    });
    for bytes in [canonical, definite] {
        let datum = deposited(Says::Inline(bytes)).datum;
        assert_eq!(datum, DepositDatum::WellFormed(deposit()));
    }
}

#[test]
fn a_reference_script_is_noticed() {
    let out = Out {
        script: true,
        ..at(SCOPE.deposit, Value::lovelace(5), &deposit().to_data())
    };
    let [Observation::Deposit(seen)] = &seen(&[out])[..] else {
        panic!("one deposit")
    };
    assert!(seen.has_reference_script);
}

pub(super) fn nft(asset: AssetId) -> Value {
    Value::lovelace(RESERVE_LOVELACE).with(asset, Amount::new(1))
}

fn anchor() -> Anchor {
    Anchor {
        seq: 4,
        sidechain_height: Height(2),
        observed: (Slot(3), Hash([4; 32])),
        decided_until: Slot(5),
        outbox_roots: [(0, Hash([6; 32]))].into(),
        credited_deposits_root: EMPTY_SPARSE_ROOT,
        state_root: Hash([9; 32]),
        assets: Default::default(),
    }
}

#[test]
fn head_and_anchor_are_seen_in_the_order_of_their_outputs() {
    let head = Head {
        last_anchor_seq: 4,
        last_anchor_time: nupeer_primitives::TimeMs(1),
    };
    let outputs = [
        at(SCOPE.head, nft(SCOPE.head_token()), &head.to_data()),
        at(SCOPE.anchor, nft(SCOPE.anchor_token()), &anchor().to_data()),
    ];
    let (block, transaction_id) = one(&outputs);
    let output = |index| OutputReference {
        transaction_id,
        index,
    };
    let expected = vec![
        Observation::Head(HeadSeen {
            output: output(0),
            seq: 4,
        }),
        Observation::Anchor(AnchorSeen {
            output: output(1),
            seq: 4,
            body_hash: anchor().body_hash(),
        }),
    ];
    assert_eq!(observe(&SCOPE, &block), Ok(expected));
}

#[test]
fn a_shard_is_seen_with_what_its_transaction_spent() {
    let state = Shard::new(3, [token(9, b"x")]).unwrap();
    let value = nft(SCOPE.shard_token(3));
    let (block, transaction_id) = one(&[at(SCOPE.vault, value.clone(), &state.to_data())]);
    let expected = Observation::Shard(ShardSeen {
        output: OutputReference {
            transaction_id,
            index: 0,
        },
        state,
        value,
        spent: vec![reference(8, 0), reference(9, 1)],
    });
    assert_eq!(observe(&SCOPE, &block), Ok(vec![expected]));
}

#[test]
fn dust_and_forgeries_are_not_parts_of_the_bridge() {
    let shard = Shard::new(0, []).unwrap().to_data();
    let head = Data::Constr(0, vec![Data::Int(1), Data::Int(1)]);
    let ada = Value::lovelace(5);
    for out in [
        at(SCOPE.vault, ada.clone(), &shard),
        at(SCOPE.vault, nft(token(66, &[b'S', 0])), &shard),
        at(SCOPE.vault, nft(SCOPE.head_token()), &shard),
        at(SCOPE.vault, nft(token(1, &[b'S', 0, 0])), &shard),
        at(SCOPE.head, ada.clone(), &head),
        at(SCOPE.head, nft(token(66, b"H")), &head),
        at(SCOPE.anchor, ada, &anchor().to_data()),
        // The very tokens, at addresses where they prove nothing.
        at(
            Hash28([99; 28]),
            nft(SCOPE.anchor_token()),
            &anchor().to_data(),
        ),
        at(SCOPE.anchor, nft(SCOPE.head_token()), &anchor().to_data()),
    ] {
        assert_eq!(seen(&[out]), []);
    }
}

#[test]
fn a_part_with_another_datum_is_unreadable_not_unseen() {
    let other = Data::Int(1);
    let wrong_shard = Shard::new(1, []).unwrap().to_data();
    for (out, part) in [
        (at(SCOPE.head, nft(SCOPE.head_token()), &other), Part::Head),
        (
            at(SCOPE.anchor, nft(SCOPE.anchor_token()), &other),
            Part::Anchor,
        ),
        (
            at(SCOPE.vault, nft(SCOPE.shard_token(0)), &other),
            Part::Shard,
        ),
        (
            at(SCOPE.vault, nft(SCOPE.shard_token(0)), &wrong_shard),
            Part::Shard,
        ),
    ] {
        let (block, transaction_id) = one(&[out]);
        let output = OutputReference {
            transaction_id,
            index: 0,
        };
        let expected = Observation::Unreadable(UnreadableSeen { output, part });
        assert_eq!(observe(&SCOPE, &block), Ok(vec![expected]));
    }
}

#[test]
fn what_failed_phase_two_made_nothing() {
    let out = |ada| at(SCOPE.deposit, Value::lovelace(ada), &deposit().to_data()).cbor();
    let bodies = [1, 2, 3].map(|ada| body(&[reference(1, 0)], &[out(ada)]));
    let lovelace = |invalid: &[u64]| -> Vec<_> {
        let seen = observe(&SCOPE, &block(&bodies, invalid)).unwrap();
        let of = |seen: &Observation| match seen {
            Observation::Deposit(seen) => seen.value.of(&AssetId::Ada).units(),
            other => panic!("{other:?}"),
        };
        seen.iter().map(of).collect()
    };
    assert_eq!(lovelace(&[]), [1, 2, 3]);
    assert_eq!(lovelace(&[1]), [1, 3]);
    assert_eq!(lovelace(&[0, 2]), [2]);
}

#[test]
fn outputs_in_the_older_form_are_seen_and_say_nothing_that_can_be_read() {
    let address = [&[0x70][..], &SCOPE.deposit.0].concat();
    let old = cbor(|e| {
        e.array(3).unwrap().bytes(&address).unwrap().u64(5).unwrap();
        e.bytes(&[7; 32]).unwrap();
    });
    let block = block(&[body(&[], &[old])], &[]);
    let [Observation::Deposit(seen)] = &observe(&SCOPE, &block).unwrap()[..] else {
        panic!("one deposit")
    };
    assert_eq!(seen.datum, DepositDatum::OnlyHash(Hash([7; 32])));
    assert_eq!(seen.value, Value::lovelace(5));
}

/// The most that one block can hold: what a portion counts is made for it.
#[test]
fn a_block_full_of_the_smallest_outputs_is_seen_whole_and_fits_a_portion() {
    let address = [&[0x70][..], &SCOPE.deposit.0].concat();
    let smallest = cbor(|e| {
        // (160 + 37) × 4310 lovelace, what Cardano asks of it.
        e.array(2).unwrap().bytes(&address).unwrap();
        e.u64(849_070).unwrap();
    });
    assert_eq!(smallest.len(), portion::OUTPUT_BYTES_MIN);
    let count = portion::BODY_BYTES_MAX / smallest.len();
    let block = block(&[body(&[], &vec![smallest; count])], &[]);
    let seen = observe(&SCOPE, &block).unwrap();
    assert_eq!(seen.len(), count);
    let encoded: Vec<_> = seen.iter().map(Observation::to_bytes).collect();
    let mut portion = Portion::default();
    assert!(portion.takes(&encoded) && portion.takes(&[]));
}

#[test]
fn earlier_eras_have_nothing_for_us_and_later_ones_are_refused() {
    let (block, _) = one(&[at(SCOPE.deposit, Value::lovelace(5), &deposit().to_data())]);
    for era in 0..7 {
        let mut old = block.clone();
        old[1] = era;
        assert_eq!(observe(&SCOPE, &old), Ok(vec![]));
    }
    let later = block_of(8, &[], &[]);
    let (provided, maximum) = (8, 7);
    let refused = ObserveError::Era { provided, maximum };
    assert_eq!(observe(&SCOPE, &later), Err(refused));
}

/// 90,000 nested lists in a witness, a datum and metadata: pallas' trees need megabytes of stack for that, this none.
#[test]
fn deep_nesting_anywhere_needs_no_stack() {
    let deep = [vec![0x9f; 90_000], vec![0xff; 90_000]].concat();
    let out = Out {
        says: Says::Inline(deep.clone()),
        ..at(SCOPE.deposit, Value::lovelace(5), &Data::Int(0))
    };
    let (plain, _) = one(&[out]);
    let seen = std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(move || observe(&SCOPE, &plain))
        .unwrap()
        .join()
        .expect("no overflow");
    let [Observation::Deposit(seen)] = &seen.unwrap()[..] else {
        panic!("one deposit")
    };
    assert_eq!(seen.datum, DepositDatum::Oversized { bytes: 180_000 });
    let anchor = Out {
        says: Says::Inline(deep),
        ..at(SCOPE.anchor, nft(SCOPE.anchor_token()), &Data::Int(0))
    };
    let (plain, _) = one(&[anchor]);
    assert!(matches!(
        observe(&SCOPE, &plain).unwrap()[..],
        [Observation::Unreadable(_)]
    ));
}
