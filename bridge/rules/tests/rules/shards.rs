//! What shards do, and what they must not.

use nupeer_bridge::{Contradiction, Event, invariants, view};
use nupeer_observe::{Observation, Part, ShardSeen, UnreadableSeen};
use nupeer_outbox::{Shard, Value, shard::RESERVE_LOVELACE};
use nupeer_primitives::{Amount, AssetId};

use crate::world::{ADA, World, leaves, place, settings};

/// 100 ADA in shard 0, and a payment of 10 that is ordered and on Cardano.
fn ordered() -> (World, nupeer_outbox::Leaf) {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    world.sweep_all(0);
    world.withdraw_ada(1, 10);
    let anchor = world.anchor();
    let leaf = leaves(&anchor).remove(0);
    (world, leaf)
}

#[test]
fn a_sweep_moves_deposits_into_the_shard_and_solvency_stays() {
    let mut world = World::new();
    let outputs: Vec<_> = (1..=3).map(|who| world.deposit_ada(who, 20)).collect();
    world.anchor();
    let swept = world.cardano.sweep(1, &outputs[..2]);
    let events = world.block(vec![swept]);
    let transaction = world.cardano.shards[1].0.transaction_id;
    for (index, event) in (0..2).zip(&events) {
        let shard = 1;
        let expected = Event::DepositSwept {
            index,
            shard,
            transaction,
        };
        assert_eq!(*event, expected);
    }
    let row = view::solvency(&world.state).remove(0);
    assert_eq!(row.vault, Amount::from(40 * ADA));
    assert_eq!(row.unswept, Amount::from(20 * ADA));
    assert_eq!(row.liabilities, Amount::from(60 * ADA));
    world.assert_sound();
}

#[test]
fn the_birth_of_a_shard_is_no_move() {
    let mut world = World::new();
    let state = Shard::new(0, settings().assets).unwrap();
    let birth = ShardSeen {
        output: settings().born(2),
        value: Value::lovelace(RESERVE_LOVELACE),
        state,
        spent: vec![place(1, 0)],
    };
    assert_eq!(world.block(vec![Observation::Shard(birth)]), []);
    assert_eq!(world.halted(), None);
}

#[test]
fn a_payment_that_was_not_ordered_halts_the_bridge() {
    let (mut world, leaf) = ordered();
    let paid = world.cardano.pay(&leaf);
    world.block(vec![paid]);
    world.assert_sound();
    let stolen = world.cardano.step(0, &[], |state, value| {
        state.next_seq += 1;
        state.holdings[0].paid = Amount::from(15 * ADA);
        *value = value.checked_sub(&Value::lovelace(5 * ADA)).unwrap();
    });
    let events = world.block(vec![Observation::Shard(stolen)]);
    let (shard, seq) = (0, 1);
    let reason = Contradiction::UnorderedPayment { shard, seq };
    assert_eq!(events, [Event::Halted { reason }]);
    // The deficit is there for everybody to see.
    let row = view::solvency(&world.state).remove(0);
    assert!(!row.holds());
    assert_eq!(row.vault, Amount::from(85 * ADA));
    let violations = invariants::violations(&world.state);
    assert!(
        violations
            .iter()
            .any(|v| v.invariant.starts_with("vault and unswept"))
    );
}

#[test]
fn a_shard_that_loses_value_or_lies_about_it_halts_the_bridge() {
    type Change = fn(&mut Shard, &mut Value);
    let cases: [Change; 5] = [
        |_, value| *value = Value::lovelace(RESERVE_LOVELACE),
        |state, _| state.holdings[0].swept = Amount::new(1),
        |state, _| state.holdings[1].paid = Amount::new(1),
        |state, _| state.holdings.truncate(1),
        |state, value| {
            // A sequence that goes back.
            state.next_seq = 0;
            *value = value.checked_add(&Value::lovelace(1)).unwrap();
        },
    ];
    for change in cases {
        let (mut world, _) = ordered();
        let seen = world.cardano.step(0, &[], change);
        let output = seen.output;
        world.block(vec![Observation::Shard(seen)]);
        let shard = 0;
        assert_eq!(
            world.halted(),
            Some(Contradiction::ShardBooks { shard, output })
        );
    }
}

#[test]
fn a_deposit_that_was_never_credited_cannot_be_swept_unnoticed() {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    let unseen = world
        .cardano
        .deposit(Value::lovelace(50 * ADA), crate::world::datum(2));
    let swept = world.cardano.sweep(0, &[unseen.output]);
    world.block(vec![swept]);
    let output = world.cardano.shards[0].0;
    let shard = 0;
    assert_eq!(
        world.halted(),
        Some(Contradiction::ShardBooks { shard, output })
    );
}

#[test]
fn a_shard_from_elsewhere_or_of_another_number_halts_the_bridge() {
    let (mut world, _) = ordered();
    let mut seen = world.cardano.step(0, &[], |_, _| {});
    seen.spent = vec![place(9, 9)];
    let (shard, output) = (0, seen.output);
    world.block(vec![Observation::Shard(seen)]);
    assert_eq!(
        world.halted(),
        Some(Contradiction::ShardFromNowhere { shard, output })
    );

    let (mut world, _) = ordered();
    let mut seen = world.cardano.step(0, &[], |_, _| {});
    seen.state.shard = 2;
    world.block(vec![Observation::Shard(seen)]);
    assert_eq!(
        world.halted(),
        Some(Contradiction::UnknownShard { shard: 2 })
    );
}

#[test]
fn what_cannot_be_read_halts_the_bridge() {
    let mut world = World::new();
    let (output, part) = (place(3, 0), Part::Shard);
    world.block(vec![Observation::Unreadable(UnreadableSeen {
        output,
        part,
    })]);
    assert_eq!(
        world.halted(),
        Some(Contradiction::Unreadable { output, part })
    );
}

#[test]
fn a_number_beyond_all_orders_stalls_nothing() {
    let (mut world, _) = ordered();
    let seen = world
        .cardano
        .step(0, &[], |state, _| state.next_seq = u64::MAX);
    world.block(vec![Observation::Shard(seen)]);
    let (shard, seq) = (0, 1);
    assert_eq!(
        world.halted(),
        Some(Contradiction::UnorderedPayment { shard, seq })
    );
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(90 * ADA));
}

#[test]
fn two_moves_of_a_shard_in_one_block_are_taken_one_after_the_other() {
    let (mut world, leaf) = ordered();
    let deposit = world.deposit_ada(2, 7);
    world.anchor();
    let paid = world.cardano.pay(&leaf);
    let swept = world.cardano.sweep(0, &[deposit]);
    world.block(vec![paid, swept]);
    assert_eq!(world.halted(), None);
    world.assert_sound();
}
