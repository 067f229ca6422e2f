//! What waits for a shard: nothing that is stuck or busy keeps others waiting, and no block looks at much.

use nupeer_bridge::{
    End, Event, Settings, WithdrawalId,
    actions::Withdraw,
    block,
    queue::{NEXT_MAX, OLDEST_MAX},
};
use nupeer_ledger::{StateRead, counting::Counting};
use nupeer_observe::Observation;
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, Hash, Height};

use crate::world::{ADA, World, address_bytes, datum, settings, token};

/// 50 ADA in shard 0 and none in shard 1; account 1 owns 100,000 more that are not swept, and so can ask for what no shard can pay.
fn with_small_shards() -> World {
    let mut world = World::new();
    world.deposit_ada(2, 50);
    world.sweep_all(0);
    world.deposit_ada(1, 100_000);
    world
}

/// Withdrawals of 60 ADA, none of which any shard can pay. Ids are made of heights, so that blocks come between.
fn stuck(world: &mut World, count: usize) {
    for n in 0..count {
        world.withdraw_ada(1, 60);
        if n % 200 == 199 {
            world.block(vec![]);
        }
    }
    world.block(vec![]);
}

/// Goes on, each anchor paid as it comes, until one is assigned; how many times there was a look.
fn looks_until_assigned(world: &mut World, id: &WithdrawalId) -> usize {
    for looks in 1..100 {
        world.blocks(settings().params.anchor_interval_blocks);
        if world.state_of(id).leaf().is_some() {
            return looks;
        }
    }
    panic!("it is never looked at");
}

#[test]
fn however_many_are_stuck_what_can_be_paid_is() {
    for count in [1, OLDEST_MAX, 400, 900] {
        let mut world = with_small_shards();
        world.anchor();
        stuck(&mut world, count);
        let id = world.withdraw_ada(2, 10);
        let looks = looks_until_assigned(&mut world, &id);
        let bound = count / NEXT_MAX + 2;
        assert!(looks <= bound, "{count} stuck, {looks} looks, not {bound}");
        world.assert_sound();
    }
}

#[test]
fn a_short_queue_is_looked_at_whole_and_the_oldest_are_paid_first() {
    let mut world = with_small_shards();
    world.anchor();
    let ids: Vec<_> = [20, 15, 10, 5].map(|ada| world.withdraw_ada(2, ada)).into();
    let events = world.blocks(2);
    let assigned: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::WithdrawalAssigned { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    // Three in a payment, which is the most, and one in the next.
    assert_eq!(assigned, ids);
}

/// One shard that holds ADA and tokens.
fn with_tokens() -> World {
    let one = Settings {
        shards: 1,
        ..settings()
    };
    let mut world = World::of(one);
    let value = Value::lovelace(5_000 * ADA).with(token(), Amount::new(1_000));
    let seen = world.cardano.deposit(value, datum(1));
    world.block(vec![Observation::Deposit(seen)]);
    world.sweep_all(0);
    world
}

fn tokens(world: &mut World) -> WithdrawalId {
    let withdraw = Withdraw {
        address: address_bytes(9).into(),
        asset: token(),
        amount: Amount::new(10),
        lovelace_along: Amount::from(2 * ADA),
    };
    world.withdraw(1, withdraw).unwrap()
}

#[test]
fn a_busy_asset_leaves_the_others_their_turn() {
    let mut world = with_tokens();
    // More than sixteen payments of three: every place is asked for by ADA.
    (0..100).for_each(|_| {
        world.withdraw_ada(1, 2);
    });
    let id = tokens(&mut world);
    let anchor = world.anchor();
    assert_eq!(world.state_of(&id).word(), "anchored");
    world.pay_all(&anchor);
    world.assert_sound();
}

#[test]
fn where_there_is_room_for_one_assets_take_turns() {
    let mut world = with_tokens();
    (0..100).for_each(|_| {
        world.withdraw_ada(1, 2);
    });
    let all = world.anchor();
    assert_eq!(all.leaves.len(), 16, "the shard has no room");
    let id = tokens(&mut world);
    let mut payments = crate::world::leaves(&all).into_iter();
    let mut anchors = 0;
    while world.state_of(&id).leaf().is_none() {
        // One payment is made, so that there is room for one more, which ADA would like to have too.
        let seen = world.cardano.pay(&payments.next().unwrap());
        world.block(vec![seen]);
        world.anchor();
        anchors += 1;
        assert!(anchors <= 2, "tokens never come first");
    }
    world.assert_sound();
}

#[test]
fn a_longer_queue_is_no_more_work_for_a_block() {
    let reads = |count: usize| {
        let mut world = with_small_shards();
        world.anchor();
        stuck(&mut world, count);
        let height = world.height + settings().params.anchor_interval_blocks;
        let context = End {
            height: Height(height),
            parent_state_root: Hash::ZERO,
        };
        let mut counting = Counting::new(world.state);
        assert_eq!(block::end(&mut counting, &context), vec![]);
        counting.reads()
    };
    // Each withdrawal by its place and by itself, of the part of each shard, and what a look begins with.
    let bound = 2 * (OLDEST_MAX + 2 * NEXT_MAX) + 50;
    for count in [10, OLDEST_MAX + NEXT_MAX, 700, 1_400] {
        let reads = reads(count);
        assert!(reads <= bound, "{count} wait: {reads} reads, not {bound}");
    }
}

/// Everything of a block's end with so many shards, of which none covers what waits.
fn reads_with(shards: u8, count: usize) -> usize {
    let many = Settings {
        shards,
        ..settings()
    };
    let mut world = World::of(many);
    world.deposit_ada(1, 100_000);
    world.anchor();
    stuck(&mut world, count);
    let height = world.height + settings().params.anchor_interval_blocks;
    let context = End {
        height: Height(height),
        parent_state_root: Hash::ZERO,
    };
    let mut counting = Counting::new(world.state);
    assert_eq!(block::end(&mut counting, &context), vec![]);
    counting.reads()
}

#[test]
fn more_shards_share_what_a_block_looks_at() {
    let (few, many) = (reads_with(2, 1_400), reads_with(100, 1_400));
    // A shard is read a few times, however long the queues: for its room, its turn, what it covers.
    let each = 12;
    let bound = few + 100 * each;
    assert!(
        many <= bound,
        "{many} reads with 100 shards, {few} with two"
    );
}

#[test]
fn where_no_shard_has_room_no_queue_is_read() {
    let mut world = with_tokens();
    for _ in 0..48 {
        world.withdraw_ada(1, 2);
    }
    world.anchor();
    for _ in 0..100 {
        world.withdraw_ada(1, 2);
    }
    let height = world.height + settings().params.anchor_interval_blocks;
    let context = End {
        height: Height(height),
        parent_state_root: Hash::ZERO,
    };
    let mut counting = Counting::new(world.state.clone());
    assert_eq!(block::end(&mut counting, &context), vec![]);
    // Sixteen open payments, and what an anchor would say.
    assert!(counting.reads() < 60, "{} reads", counting.reads());
    let turns = |world: &World| world.state.plain(b"bridge/turns");
    let before = turns(&world);
    world.blocks(5);
    assert_eq!(turns(&world), before, "nobody's turn is used up");
}
