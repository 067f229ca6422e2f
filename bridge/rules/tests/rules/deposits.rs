//! What a deposit becomes.

use nupeer_bridge::{Event, Refusal, view};
use nupeer_observe::{DepositDatum, DepositSeen, Observation};
use nupeer_outbox::{Deposit, Value, credited::CreditedTree};
use nupeer_primitives::{AccountId, Amount, AssetId, Credential, Hash, Hash28, Slot};

use crate::world::{ADA, World, account, datum, token};

#[test]
fn a_deposit_is_credited_with_all_that_it_holds() {
    let mut world = World::new();
    let value = Value::lovelace(5 * ADA).with(token(), Amount::new(7));
    let seen = world.cardano.deposit(value.clone(), datum(1));
    let events = world.block(vec![Observation::Deposit(seen.clone())]);
    let credited = Event::DepositCredited {
        index: 0,
        output: seen.output,
        account: account(1),
        value: value.clone(),
    };
    assert_eq!(events[0], credited);
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(5 * ADA));
    assert_eq!(world.balance(1, &token()), Amount::new(7));
    let [(0, listed)] = &view::deposits(&world.state, None, 9)[..] else {
        panic!("one deposit")
    };
    assert_eq!((listed.output, &listed.value), (seen.output, &value));
    assert_eq!(listed.swept, None);
    world.assert_sound();
}

#[test]
fn what_became_of_a_deposit_is_told_by_its_output() {
    let mut world = World::new();
    let good = world.deposit_ada(1, 5);
    let seen = world.cardano.deposit(Value::lovelace(5 * ADA), datum(1));
    let (bad, has_reference_script) = (seen.output, true);
    assert_eq!(view::settled(&world.state, &bad), None);
    world.block(vec![Observation::Deposit(DepositSeen {
        has_reference_script,
        ..seen
    })]);
    let credited = view::deposits(&world.state, None, 9).remove(0);
    let refused = view::refused(&world.state, None, 9).remove(0);
    let (index, deposit) = credited;
    let expected = view::Settled::Credited(index, deposit);
    assert_eq!(view::settled(&world.state, &good), Some(expected));
    let expected = view::Settled::Refused(refused.0, refused.1);
    assert_eq!(view::settled(&world.state, &bad), Some(expected));
}

#[test]
fn no_deposit_is_credited_twice() {
    let mut world = World::new();
    let seen = world.cardano.deposit(Value::lovelace(5 * ADA), datum(1));
    let twice = vec![
        Observation::Deposit(seen.clone()),
        Observation::Deposit(seen.clone()),
    ];
    world.block(twice);
    assert_eq!(world.block(vec![Observation::Deposit(seen)])[..], []);
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(5 * ADA));
    world.assert_sound();
}

/// Each deposit that cannot be credited is listed with its own reason, and what comes after it is credited all the same.
#[test]
fn what_cannot_be_credited_is_refused_for_its_reason_and_stalls_nothing() {
    type Change = fn(&mut DepositSeen);
    let stranger = AssetId::Native {
        policy: Hash28([0x55; 28]),
        name: vec![],
    };
    let cases: [(Change, Refusal); 10] = [
        (
            |d| {
                let recipient = AccountId(Credential::Script(Hash28([6; 28])));
                d.datum = DepositDatum::WellFormed(Deposit {
                    recipient,
                    ..datum(1)
                });
            },
            Refusal::ScriptAccount {
                script: Hash28([6; 28]),
            },
        ),
        (
            |d| d.datum = DepositDatum::Malformed { reason: 3050 },
            Refusal::Malformed { reason: 3050 },
        ),
        (|d| d.datum = DepositDatum::Missing, Refusal::NoDatum),
        (
            |d| d.datum = DepositDatum::OnlyHash(Hash([1; 32])),
            Refusal::OnlyHash,
        ),
        (
            |d| d.datum = DepositDatum::Oversized { bytes: 5_000 },
            Refusal::Oversized { bytes: 5_000 },
        ),
        (|d| d.has_reference_script = true, Refusal::ReferenceScript),
        (|d| d.has_staking_part = true, Refusal::StakingPart),
        (
            |d| {
                let policy = Hash28([0x55; 28]);
                let asset = AssetId::Native {
                    policy,
                    name: vec![],
                };
                d.value = d.value.clone().with(asset, Amount::new(1));
            },
            Refusal::Unlisted { asset: stranger },
        ),
        (
            |d| d.value = Value::lovelace(2 * ADA - 1).with(token(), Amount::new(7)),
            Refusal::TooSmall {
                lovelace: Amount::from(2 * ADA - 1),
                smallest: Amount::from(2 * ADA),
            },
        ),
        (
            |d| {
                let credit_before = Slot(500);
                d.datum = DepositDatum::WellFormed(Deposit {
                    credit_before,
                    ..datum(1)
                });
            },
            Refusal::Late {
                slot: Slot(500),
                credit_before: Slot(500),
            },
        ),
    ];
    for (change, reason) in cases {
        let mut world = World::new();
        let mut bad = world.cardano.deposit(Value::lovelace(5 * ADA), datum(1));
        change(&mut bad);
        let good = world.cardano.deposit(Value::lovelace(3 * ADA), datum(2));
        let output = bad.output;
        let seen = vec![
            Observation::Deposit(bad.clone()),
            Observation::Deposit(good),
        ];
        let events = world.block(seen);
        assert_eq!(
            events[0],
            Event::DepositRefused {
                output,
                reason: reason.clone()
            }
        );
        assert_eq!(world.balance(1, &AssetId::Ada), Amount::ZERO);
        assert_eq!(world.balance(2, &AssetId::Ada), Amount::from(3 * ADA));
        let [(0, listed)] = &view::refused(&world.state, None, 9)[..] else {
            panic!("one refused deposit")
        };
        assert_eq!((listed.output, &listed.reason), (output, &reason));
        // Seen again, for whatever cause, it is neither credited nor listed twice.
        world.block(vec![Observation::Deposit(bad)]);
        assert_eq!(view::refused(&world.state, None, 9).len(), 1);
        world.assert_sound();
    }
}

#[test]
fn the_smallest_deposit_is_a_figure_of_the_genesis() {
    let least = nupeer_bridge::Params::default().deposit_min_lovelace;
    assert_eq!(least, 5 * ADA);
    for (smallest, lovelace, credited) in [
        (least, least - 1, 0),
        (least, least, least),
        (0, 1, 1),
        (1_000 * ADA, 1_000 * ADA - 1, 0),
    ] {
        let mut settings = crate::world::settings();
        settings.params.deposit_min_lovelace = smallest;
        let mut world = World::of(settings);
        let seen = world.cardano.deposit(Value::lovelace(lovelace), datum(1));
        world.block(vec![Observation::Deposit(seen)]);
        assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(credited));
        world.assert_sound();
    }
}

#[test]
fn a_deposit_one_slot_early_is_in_time() {
    let mut world = World::new();
    let credit_before = Slot(501);
    let just = Deposit {
        credit_before,
        ..datum(1)
    };
    let seen = world.cardano.deposit(Value::lovelace(3 * ADA), just);
    world.block(vec![Observation::Deposit(seen)]);
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(3 * ADA));
}

#[test]
fn an_anchor_names_the_root_over_exactly_the_deposits_that_it_counts() {
    let mut world = World::new();
    let first: Vec<_> = (1..=3).map(|n| world.deposit_ada(n, 10)).collect();
    world.wait_for_anchor();
    let later = world.deposit_ada(4, 10);
    let anchor = world.certify();
    let counted = anchor.record.credited_count as usize;
    let all: Vec<_> = first.iter().chain([&later]).copied().collect();
    let root = CreditedTree::new(&all[..counted]).root();
    assert_eq!(anchor.record.anchor.credited_deposits_root, root);
    assert!((1..4).contains(&counted), "{counted}");
}

#[test]
fn pages_of_deposits_cover_each_once_and_in_order() {
    let mut world = World::new();
    let all: Vec<_> = (0..7).map(|n| world.deposit_ada(n, 3)).collect();
    let (mut found, mut after) = (vec![], None);
    loop {
        let page = view::deposits(&world.state, after, 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().map(|(_, deposit)| deposit.output));
    }
    assert_eq!(found, all);
}
