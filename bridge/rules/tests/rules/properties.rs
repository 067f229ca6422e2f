//! Whatever order things come in, nothing is made, lost, credited or paid twice.

use nupeer_bridge::{WithdrawalState, actions::Withdraw, view};
use nupeer_observe::Observation;
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId};
use proptest::prelude::*;

use crate::world::{ADA, World, account, address_bytes, datum, leaves, token};

#[derive(Clone, Debug)]
enum Step {
    Deposit { to: u8, ada: u64, tokens: u64 },
    BadDeposit,
    TinyDeposit,
    Again,
    Withdraw { from: u8, ada: u64 },
    WithdrawTokens { from: u8, units: u64 },
    Cancel { by: u8, place: usize },
    Sign(u8),
    Publish,
    Sweep { shard: u8, count: usize },
    Pay { shard: u8 },
    Empty,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..4, 2u64..200, 0u64..50).prop_map(|(to, ada, tokens)| Step::Deposit { to, ada, tokens }),
        1 => Just(Step::BadDeposit),
        1 => Just(Step::TinyDeposit),
        1 => Just(Step::Again),
        3 => (0u8..4, 1u64..150).prop_map(|(from, ada)| Step::Withdraw { from, ada }),
        2 => (0u8..4, 1u64..60).prop_map(|(from, units)| Step::WithdrawTokens { from, units }),
        2 => (0u8..4, 0usize..12).prop_map(|(by, place)| Step::Cancel { by, place }),
        6 => (0u8..4).prop_map(Step::Sign),
        3 => Just(Step::Publish),
        3 => (0u8..2, 1usize..4).prop_map(|(shard, count)| Step::Sweep { shard, count }),
        4 => (0u8..2).prop_map(|shard| Step::Pay { shard }),
        3 => Just(Step::Empty),
    ]
}

/// A Cardano that anybody may act on, as far as its scripts allow.
struct Run {
    world: World,
    last: Option<Observation>,
}

impl Run {
    fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Deposit { to, ada, tokens } => {
                let value = Value::lovelace(ada * ADA).with(token(), Amount::from(*tokens));
                let seen = Observation::Deposit(world.cardano.deposit(value, datum(*to)));
                self.last = Some(seen.clone());
                world.block(vec![seen]);
            }
            Step::BadDeposit => {
                let mut seen = world.cardano.deposit(Value::lovelace(9 * ADA), datum(1));
                seen.has_reference_script = true;
                world.cardano.deposits.remove(&seen.output);
                world.block(vec![Observation::Deposit(seen)]);
            }
            Step::TinyDeposit => {
                let seen = world.cardano.deposit(Value::lovelace(ADA), datum(1));
                world.cardano.deposits.remove(&seen.output);
                world.block(vec![Observation::Deposit(seen)]);
            }
            Step::Again => {
                world.block(self.last.clone().into_iter().collect());
            }
            Step::Withdraw { from, ada } => {
                let withdraw = Withdraw::ada(address_bytes(*from), Amount::from(ada * ADA));
                let _ = world.withdraw(*from, withdraw);
            }
            Step::WithdrawTokens { from, units } => {
                let withdraw = Withdraw {
                    address: address_bytes(*from).into(),
                    asset: token(),
                    amount: Amount::from(*units),
                    lovelace_along: Amount::from(2 * ADA),
                };
                let _ = world.withdraw(*from, withdraw);
            }
            Step::Cancel { by, place } => self.cancel(*by, *place),
            Step::Sign(n) => {
                if view::to_sign(&world.state).is_some() {
                    let _ = world.sign(*n);
                }
            }
            Step::Publish => self.publish(),
            Step::Sweep { shard, count } => self.sweep(*shard, *count),
            Step::Pay { shard } => self.pay(*shard),
            Step::Empty => {
                world.block(vec![]);
            }
        }
    }

    /// Whoever tries it: the value comes back to whom it was taken from, or nothing changes.
    fn cancel(&mut self, by: u8, place: usize) {
        let world = &mut self.world;
        let all = view::withdrawals(&world.state, None, None, 100);
        let Some((id, withdrawal)) = all.get(place) else {
            return;
        };
        let before = world.state.clone();
        let had = [AssetId::Ada, token()].map(|asset| world.balance(by, &asset));
        let own = withdrawal.account == account(by);
        let queued = withdrawal.state == WithdrawalState::Queued;
        let done = world.cancel(by, *id).is_ok();
        assert_eq!(done, own && queued);
        if !done {
            assert_eq!(world.state, before);
            return;
        }
        for (asset, had) in [AssetId::Ada, token()].into_iter().zip(had) {
            let back = withdrawal.value().of(&asset);
            assert_eq!(Some(world.balance(by, &asset)), had.checked_add(back));
        }
    }

    fn publish(&mut self) {
        let world = &mut self.world;
        let certified = view::overview(&world.state).unwrap().certified;
        let next = world.cardano.anchors + 1;
        if let Some(anchor) = certified.filter(|anchor| anchor.record.anchor.seq == next) {
            let seen = world.cardano.publish(&anchor);
            world.block(seen);
        }
    }

    /// The script lets in what is under an anchor on Cardano.
    fn sweep(&mut self, shard: u8, count: usize) {
        let world = &mut self.world;
        let anchor = view::anchor(&world.state, world.cardano.anchors);
        let credited = anchor.map_or(0, |anchor| anchor.record.credited_count);
        let deposits = view::deposits(&world.state, None, 100);
        let open = deposits.iter().filter(|(index, deposit)| {
            *index < credited && world.cardano.deposits.contains_key(&deposit.output)
        });
        let taken: Vec<_> = open
            .map(|(_, deposit)| deposit.output)
            .take(count)
            .collect();
        if !taken.is_empty() {
            let seen = world.cardano.sweep(shard, &taken);
            world.block(vec![seen]);
        }
    }

    fn pay(&mut self, shard: u8) {
        let world = &mut self.world;
        let Some(anchor) = view::anchor(&world.state, world.cardano.anchors) else {
            return;
        };
        let next = world.cardano.shards[usize::from(shard)].1.next_seq;
        let due = leaves(&anchor);
        let due = due
            .iter()
            .find(|leaf| (leaf.shard(), leaf.seq()) == (shard, next));
        if let Some(leaf) = due {
            let seen = world.cardano.pay(leaf);
            world.block(vec![seen]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn books_are_in_order_after_every_step(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run { world: World::new(), last: None };
        for step in &steps {
            run.take(step);
            run.world.assert_sound();
            prop_assert_eq!(run.world.halted(), None);
        }
        in_the_end_everybody_is_paid(&mut run);
    }
}

/// With relayers at work, whatever was asked for and fits one shard is paid, and nothing is left over.
fn in_the_end_everybody_is_paid(run: &mut Run) {
    for _ in 0..60 {
        for n in 0..4 {
            run.take(&Step::Sign(n));
        }
        run.take(&Step::Publish);
        run.take(&Step::Sweep {
            shard: 0,
            count: 100,
        });
        for _ in 0..20 {
            run.take(&Step::Pay { shard: 0 });
            run.take(&Step::Pay { shard: 1 });
        }
        run.world.blocks(3);
    }
    run.world.assert_sound();
    let shards = &run.world.cardano.shards;
    let most = |asset: &AssetId| shards.iter().map(|(_, _, value)| value.of(asset)).max();
    for (_, withdrawal) in view::withdrawals(&run.world.state, None, None, 100) {
        let paid = withdrawal.state.is_closed();
        let reserve = 5 * ADA + withdrawal.value().of(&AssetId::Ada).to_u64().unwrap();
        let ada = most(&AssetId::Ada).unwrap() >= Amount::from(reserve);
        let tokens = most(&token()).unwrap() >= withdrawal.value().of(&token());
        // What waits waits because its shards are short: no shard has both what it takes.
        assert!(
            paid || !(ada && tokens) || withdrawal.asset != AssetId::Ada,
            "{withdrawal:?}"
        );
    }
}
