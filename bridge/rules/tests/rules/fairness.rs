//! Whatever a shard covers each time it has room is given to it in the end: whoever decides when it has room, however much waits that nobody can pay,
//! and however busy other assets are.

use nupeer_bridge::{
    WithdrawalId,
    actions::Withdraw,
    queue::{NEXT_MAX, OLDEST_MAX},
    view,
};
use nupeer_observe::Observation;
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId};
use proptest::prelude::*;

use crate::world::{ADA, World, address_bytes, datum, leaves, token};

/// What each shard holds: enough of both for all that is payable here.
const HELD_ADA: u64 = 5_000;
const HELD_TOKENS: u64 = 50_000;
/// More than any shard ever holds.
const STUCK_ADA: u64 = 20_000;
const STUCK_TOKENS: u64 = 900_000;
/// Account 1 owns what is not swept, and so may ask for what no shard can pay.
const OWNER: u8 = 1;

/// Two shards all of whose places are taken.
struct Crowded(World);

impl Crowded {
    fn new() -> Self {
        let mut world = World::new();
        for shard in 0..2 {
            let value = Value::lovelace(HELD_ADA * ADA).with(token(), Amount::from(HELD_TOKENS));
            let seen = world.cardano.deposit(value, datum(2));
            world.block(vec![Observation::Deposit(seen)]);
            world.sweep_all(shard);
        }
        let value = Value::lovelace(1_000_000_000 * ADA)
            .with(token(), Amount::from(STUCK_TOKENS * 1_000_000));
        let seen = world.cardano.deposit(value, datum(OWNER));
        world.block(vec![Observation::Deposit(seen)]);
        let mut crowded = Crowded(world);
        // Sixteen payments of three at each shard.
        for _ in 0..96 {
            crowded.ask_ada(2);
        }
        // An anchor over the deposit alone may come first.
        while crowded.0.anchor().leaves.len() < 32 {}
        crowded
    }

    fn ask_ada(&mut self, ada: u64) -> WithdrawalId {
        self.0.withdraw_ada(OWNER, ada)
    }

    fn ask_tokens(&mut self, units: u64) -> WithdrawalId {
        let withdraw = Withdraw {
            address: address_bytes(9).into(),
            asset: token(),
            amount: Amount::from(units),
            lovelace_along: Amount::from(2 * ADA),
        };
        self.0.withdraw(OWNER, withdraw).expect("a withdrawal")
    }

    fn ask(&mut self, asset: &AssetId, ada: u64, units: u64) -> WithdrawalId {
        match asset {
            AssetId::Ada => self.ask_ada(ada),
            AssetId::Native { .. } => self.ask_tokens(units),
        }
    }

    /// So many of an asset that nobody can pay. Ids are made of heights, so that blocks come between.
    fn stuck(&mut self, asset: &AssetId, count: usize) {
        for n in 1..=count {
            self.ask(asset, STUCK_ADA, STUCK_TOKENS);
            if n % 100 == 0 {
                self.0.block(vec![]);
            }
        }
        self.0.block(vec![]);
    }

    /// The shard makes its next payment, and so has room for one more; blocks pass; what was ordered is anchored.
    fn make_room(&mut self, shard: u8, blocks: u64) {
        let world = &mut self.0;
        let anchor = view::anchor(&world.state, world.cardano.anchors).expect("an anchor");
        let next = world.cardano.shards[usize::from(shard)].1.next_seq;
        let due = leaves(&anchor).into_iter();
        let mut due = due.filter(|leaf| (leaf.shard(), leaf.seq()) == (shard, next));
        if let Some(leaf) = due.next() {
            let seen = world.cardano.pay(&leaf);
            world.block(vec![seen]);
        }
        world.blocks(blocks);
        if view::to_sign(&world.state).is_some() {
            let anchor = world.certify();
            let seen = world.cardano.publish(&anchor);
            world.block(seen);
        }
    }

    fn is_assigned(&self, id: &WithdrawalId) -> bool {
        self.0.state_of(id).leaf().is_some()
    }

    /// How often room was made until it is assigned.
    fn rooms_until_assigned(&mut self, id: &WithdrawalId, blocks: u64) -> usize {
        for rooms in 0..200 {
            if self.is_assigned(id) {
                return rooms;
            }
            self.make_room((rooms % 2) as u8, blocks);
        }
        panic!("it is never its turn");
    }
}

/// Each shard walks by itself, has every second room, and may have to begin a walk anew; with two assets it has every second turn.
fn rooms_max(stuck: usize, assets: usize) -> usize {
    2 * assets * (2 * (stuck / NEXT_MAX) + 4)
}

#[test]
fn no_rhythm_of_room_starves_what_can_be_paid() {
    for (stuck, blocks) in [
        (0, 0),
        (300, 1),
        (600, 0),
        (600, 1),
        (600, 2),
        (600, 3),
        (600, 4),
    ] {
        let mut crowded = Crowded::new();
        crowded.stuck(&AssetId::Ada, stuck);
        let id = crowded.ask_ada(2);
        let rooms = crowded.rooms_until_assigned(&id, blocks);
        let maximum = rooms_max(stuck, 1);
        assert!(rooms <= maximum, "{stuck} {blocks}: {rooms} of {maximum}");
        crowded.0.assert_sound();
    }
}

#[test]
fn no_busy_asset_starves_another_however_much_of_that_is_stuck() {
    for (asset, busy) in [(token(), AssetId::Ada), (AssetId::Ada, token())] {
        // Parts of the queue and rhythms of room, of which some would meet never if looks without room counted.
        for (stuck, blocks) in (0..16).map(|n| ([200, 330, 460, 590][n / 4], n as u64 % 4)) {
            let mut crowded = Crowded::new();
            crowded.stuck(&asset, stuck);
            // Every place there will be is asked for by the other.
            for _ in 0..220 {
                crowded.ask(&busy, 2, 5);
            }
            crowded.0.block(vec![]);
            let id = crowded.ask(&asset, 2, 5);
            let rooms = crowded.rooms_until_assigned(&id, blocks);
            let maximum = rooms_max(stuck, 2);
            let case = format!("{stuck} of {asset}, {blocks} blocks");
            assert!(rooms <= maximum, "{case}: {rooms} of {maximum}");
            crowded.0.assert_sound();
        }
    }
}

#[test]
fn more_that_comes_each_time_does_not_make_the_way_longer() {
    let mut crowded = Crowded::new();
    crowded.stuck(&AssetId::Ada, 500);
    // The walk that is under way has passed it by when it comes: it waits for the next.
    for _ in 0..3 {
        crowded.make_room(0, 0);
        crowded.make_room(1, 0);
    }
    let id = crowded.ask_ada(2);
    let mut rooms = 0;
    while !crowded.is_assigned(&id) {
        // More than a turn looks at.
        for _ in 0..NEXT_MAX + 10 {
            crowded.ask_ada(STUCK_ADA);
        }
        crowded.make_room((rooms % 2) as u8, 0);
        rooms += 1;
        assert!(rooms <= rooms_max(500, 1), "the queue's end runs away");
    }
    crowded.0.assert_sound();
}

#[test]
fn a_place_that_lacks_room_alone_keeps_its_part() {
    let mut crowded = Crowded::new();
    // The part after the oldest has seven that can be paid, three to a payment: that takes three rooms, and no second walk.
    crowded.stuck(&AssetId::Ada, OLDEST_MAX);
    let ids: Vec<_> = (0..7).map(|_| crowded.ask_ada(2)).collect();
    crowded.stuck(&AssetId::Ada, 500);
    let rooms = crowded.rooms_until_assigned(&ids[6], 2);
    assert_eq!(rooms, 3);
    for id in &ids {
        assert!(crowded.is_assigned(id), "the older one goes first");
    }
}

/// One thing that happens between two looks.
#[derive(Clone, Copy, Debug)]
struct Step {
    shard: u8,
    blocks: u64,
    busy_ada: u8,
    busy_tokens: u8,
    stuck: u8,
    sweep: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (0u8..2, 0u64..4, 0u8..4, 0u8..4, 0u8..60, any::<bool>()).prop_map(
        |(shard, blocks, busy_ada, busy_tokens, stuck, sweep)| Step {
            shard,
            blocks,
            busy_ada,
            busy_tokens,
            stuck,
            sweep,
        },
    )
}

impl Crowded {
    fn take(&mut self, step: Step) {
        for _ in 0..step.busy_ada {
            self.ask_ada(2);
        }
        for _ in 0..step.busy_tokens {
            self.ask_tokens(5);
        }
        for _ in 0..step.stuck {
            self.ask_ada(STUCK_ADA);
        }
        if step.sweep {
            self.sweep_some(step.shard);
        }
        self.make_room(step.shard, step.blocks);
    }

    /// A little more comes in, and what is credited of it goes into the shard: never the treasure of the one who asks.
    fn sweep_some(&mut self, shard: u8) {
        let world = &mut self.0;
        let seen = world.cardano.deposit(Value::lovelace(20 * ADA), datum(3));
        world.block(vec![Observation::Deposit(seen)]);
        let anchor = view::anchor(&world.state, world.cardano.anchors);
        let credited = anchor.map_or(0, |anchor| anchor.record.credited_count);
        let deposits = view::deposits(&world.state, None, 100).into_iter();
        let small = deposits.filter(|(index, deposit)| {
            let lies_there = world.cardano.deposits.contains_key(&deposit.output);
            *index < credited
                && lies_there
                && deposit.value.of(&AssetId::Ada) < Amount::from(ADA * 100)
        });
        let small: Vec<_> = small.map(|(_, deposit)| deposit.output).collect();
        if !small.is_empty() {
            let seen = world.cardano.sweep(shard, &small);
            world.block(vec![seen]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Shards always cover what is asked for here, but have room only when somebody makes it, in any rhythm that repeats.
    #[test]
    fn whatever_is_payable_is_given_to_a_shard_under_any_sequence_of_sweeps_and_payments(
        stuck in 0usize..700,
        in_tokens: bool,
        cycle in prop::collection::vec(step(), 1..6),
    ) {
        let (asset, busy) = if in_tokens { (token(), AssetId::Ada) } else { (AssetId::Ada, token()) };
        let mut crowded = Crowded::new();
        crowded.stuck(&asset, stuck);
        // Every place there will be is asked for by the other asset.
        for n in 0..360 {
            if n == 180 {
                crowded.0.block(vec![]);
            }
            crowded.ask(&busy, 2, 5);
        }
        crowded.0.block(vec![]);
        let id = crowded.ask(&asset, 2, 5);
        let mut turns = 0;
        while !crowded.is_assigned(&id) {
            crowded.take(cycle[turns % cycle.len()]);
            turns += 1;
            prop_assert!(turns < 90, "never: {} stuck of {}, {:?}", stuck, asset, cycle);
        }
        crowded.0.assert_sound();
        prop_assert_eq!(crowded.0.halted(), None);
    }
}
