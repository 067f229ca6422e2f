//! What a node tells of its books at any time, and what telling it costs.

use nupeer_bridge::{invariants, view};
use nupeer_ledger::{
    Purse, StateRead, StateWrite, counting::Counting, memory::MemoryState, purse, totals,
};
use nupeer_primitives::{Amount, AssetId};

use crate::world::{ADA, World, account};

/// One deposit swept and one not, one withdrawal paid, one on its way, one queued.
fn busy() -> World {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    world.sweep_all(0);
    world.withdraw_ada(1, 10);
    let anchor = world.anchor();
    world.pay_all(&anchor);
    world.deposit_ada(2, 500);
    world.withdraw_ada(1, 20);
    world.anchor();
    world.withdraw_ada(2, 400);
    world.assert_sound();
    world
}

#[test]
fn a_long_past_makes_the_check_no_dearer() {
    let reads = |rounds: usize| {
        let mut world = World::new();
        world.deposit_ada(1, 1_000);
        world.sweep_all(0);
        for _ in 0..rounds {
            world.deposit_ada(1, 10);
            world.sweep_all(0);
            world.withdraw_ada(1, 10);
            let anchor = world.anchor();
            world.pay_all(&anchor);
            let back = world.withdraw_ada(1, 900);
            world.cancel(1, back).unwrap();
        }
        world.assert_sound();
        let counting = Counting::new(world.state);
        assert_eq!(invariants::standing(&counting), vec![]);
        let standing = counting.reads();
        assert_eq!(invariants::violations(&counting), vec![]);
        (standing, counting.reads() - standing)
    };
    let (short, long) = (reads(2), reads(12));
    assert_eq!(short.0, long.0);
    assert!(short.1 < long.1, "an audit reads the whole past");
}

#[test]
fn each_broken_sentence_is_told() {
    type Break = fn(&mut MemoryState);
    let hold = |state: &MemoryState| {
        let open = view::in_flight(state, &account(2));
        open[0].0.hold(account(2))
    };
    assert_eq!(
        purse::balance(&busy().state, &hold(&busy().state), &AssetId::Ada),
        Amount::from(400 * ADA)
    );
    let cases: [(Break, &str); 5] = [
        (
            |state| {
                let (to, more) = (Purse::Account(account(3)), Amount::new(1));
                totals::credit(state, &to, &AssetId::Ada, more).unwrap();
            },
            "credited is what was swept and what is unswept",
        ),
        (
            |state| {
                let (from, less) = (Purse::Account(account(1)), Amount::new(1));
                totals::pay_out(state, &from, &AssetId::Ada, less).unwrap();
            },
            "paid out is what all shards paid",
        ),
        (
            |state| drop_all(state, b"bridge/unswept/"),
            "unswept is the sum of deposits not yet swept",
        ),
        (
            |state| drop_all(state, b"bridge/credited/"),
            "the tree has the deposits that are unswept",
        ),
        (
            |state| drop_all(state, b"bridge/queue/"),
            "a withdrawal is held and placed until it is paid",
        ),
    ];
    for (change, sentence) in cases {
        let mut world = busy();
        change(&mut world.state);
        let found = invariants::standing(&world.state);
        assert!(
            found
                .iter()
                .any(|violation| violation.invariant == sentence),
            "{sentence}: {found:?}"
        );
    }
}

fn drop_all(state: &mut MemoryState, prefix: &[u8]) {
    let entries = state.plain_prefix(prefix, usize::MAX);
    assert!(!entries.is_empty());
    entries
        .into_iter()
        .for_each(|(key, _)| state.set_plain(key, None));
}
