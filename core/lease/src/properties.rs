//! Random markets: whatever everybody does in whatever order, and however time passes, the invariants hold and nobody's money is stuck.

use std::collections::BTreeSet;

use nupeer_ledger::{Pot, Purse};
use nupeer_primitives::Amount;
use proptest::prelude::*;

use crate::{
    LeaseId, MachineId,
    actions::{
        CancelRequest, CloseLease, EndLease, Match, Progress, ReportLease, SubmitUsage, TopUp,
        UpdateMachine, WithdrawMachine,
        testing::{
            BOND, FUNDS, OPERATOR, OWNER, STRANGER, TENANT, World, register, request, terms,
        },
    },
    due,
    usage::SignedUsage,
    view,
};

/// One thing that somebody tries: which verb, on which of the things there are, with which number.
type Step = (u8, u8, u32);

struct Seen {
    machines: Vec<MachineId>,
    leases: Vec<LeaseId>,
}

impl Seen {
    /// The machines and requests that there are.
    fn of(world: &World) -> Seen {
        let tenant = world.account(TENANT);
        let machines = view::machines(&world.state, None, 100).into_iter();
        let leases = view::requests_of(&world.state, &tenant, None, 100).into_iter();
        Seen {
            machines: machines.map(|(id, _)| id).collect(),
            leases: leases.map(|(id, _)| id).collect(),
        }
    }
}

/// A market in which `active` leases run already, and what follows is tried.
fn play(active: u8, steps: Vec<Step>, due_per_block_max: u32) -> World {
    let mut world = World::new();
    let mut params = world.params();
    params.due_per_block_max = due_per_block_max;
    params.store(&mut world.state).unwrap();
    for _ in 0..active {
        world.active();
    }
    for one in steps {
        let seen = Seen::of(&world);
        step(&mut world, &seen, one);
    }
    world
}

fn pick<T: Copy>(of: &[T], n: u8) -> Option<T> {
    of.get(usize::from(n) % of.len().max(1)).copied()
}

/// Tries one step; refusals are part of the game. The world checks its invariants after each.
fn step(world: &mut World, seen: &Seen, (verb, which, number): Step) -> Option<()> {
    let tenant_or_not = if number % 7 == 0 { OWNER } else { TENANT };
    let owner_or_not = if number % 7 == 0 { TENANT } else { OWNER };
    match verb {
        0 => {
            let mut action = register();
            action.bonds[0].amount = Amount::new(BOND + u128::from(number % 1_000));
            action.terms.capacity.cpu_milli = 150 + number % 600;
            world.run(OWNER, action).ok()?;
        }
        1 => {
            let mut action = request();
            action.wanted.expires.0 = world.time.0 + 1 + u64::from(number % 1_000_000);
            action.wanted.resources.cpu_milli = 10 + number % 400;
            action.wanted.price_max_lovelace_per_hour = 2_000_000 + u64::from(number) % 7_000_000;
            action.wanted.duration_ms = 1 + u64::from(number % 500_000);
            action.escrow_lovelace = Amount::new(100_000 + u128::from(number % 300_000));
            world.run(TENANT, action).ok()?;
        }
        2 | 3 => {
            let request = pick(&seen.leases, which)?;
            let mut offer = world.offer(pick(&seen.machines, which / 16)?);
            offer.leases_max = 1 + number % 3;
            offer.price = crate::Price::Whole {
                lovelace_per_hour: u64::from(number) % 3_000_000,
            };
            let offer = world.sign(offer, OPERATOR);
            world.run(STRANGER, Match { request, offer }).ok()?;
        }
        4..=6 => {
            let lease = pick(&seen.leases, which)?;
            let progress = match number % 4 {
                0 => Progress::Provisioning,
                3 => Progress::Paused,
                _ => Progress::Active,
            };
            world
                .run(owner_or_not, ReportLease { lease, progress })
                .ok()?;
        }
        7 | 8 => {
            let lease = pick(&seen.leases, which)?;
            let usage = note(world, lease, number);
            world.run(owner_or_not, SubmitUsage { usage }).ok()?;
        }
        9 => {
            let lease = pick(&seen.leases, which)?;
            let amount_lovelace = Amount::new(u128::from(number % 200_000));
            let action = TopUp {
                lease,
                amount_lovelace,
            };
            world.run(tenant_or_not, action).ok()?;
        }
        10 => {
            let lease = pick(&seen.leases, which)?;
            let usage = (number % 2 == 0).then(|| note(world, lease, number));
            world.run(tenant_or_not, CloseLease { lease, usage }).ok()?;
        }
        11 => {
            let lease = pick(&seen.leases, which)?;
            let usage = (number % 2 == 0).then(|| note(world, lease, number));
            world.run(owner_or_not, EndLease { lease, usage }).ok()?;
        }
        12 => {
            let request = pick(&seen.leases, which)?;
            world.run(tenant_or_not, CancelRequest { request }).ok()?;
        }
        13 => {
            let machine = pick(&seen.machines, which)?;
            world.run(owner_or_not, WithdrawMachine { machine }).ok()?;
        }
        14 => {
            let machine = pick(&seen.machines, which)?;
            let mut terms = terms();
            terms.capacity.cpu_milli = 1 + number % 900;
            let nonce_floor = u64::from(number % 3);
            let action = UpdateMachine {
                machine,
                terms,
                nonce_floor,
            };
            world.run(owner_or_not, action).ok()?;
        }
        _ => {
            world.pass(u64::from(number % 200_000));
        }
    }
    Some(())
}

/// A note about what the clock shows, give or take.
fn note(world: &World, lease: LeaseId, number: u32) -> SignedUsage {
    let clock_ms = view::lease(&world.state, &lease).map_or(0, |l| l.clock_ms(world.time));
    let metered_ms = match number % 5 {
        0 => clock_ms.saturating_add(u64::from(number % 3)),
        n => clock_ms / u64::from(n),
    };
    world.usage(lease, metered_ms)
}

/// Nobody does anything any more: every deadline passes, in blocks that come late and fire few deadlines each.
fn let_everything_pass(world: &mut World) {
    for _ in 0..400 {
        world.pass(86_400_000 / 16);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0u8..20, any::<u8>(), any::<u32>()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_order_of_acts_breaks_an_invariant_or_leaves_money_stuck(active in 0u8..4, steps in steps(), due_per_block_max in 1u32..4) {
        let mut world = play(active, steps, due_per_block_max);
        for machine in Seen::of(&world).machines {
            let _ = world.run(OWNER, WithdrawMachine { machine });
        }
        let_everything_pass(&mut world);
        // Every request, lease, offer and machine is forgotten, so no hold is left: all value is in accounts and the pot.
        prop_assert_eq!(due::until(&world.state, world.time, 9), due::Part::default());
        prop_assert!(view::leases(&world.state, None, 9).is_empty());
        prop_assert!(view::machines(&world.state, None, 9).is_empty());
        let spendable = world.balance(OWNER) + world.balance(TENANT);
        prop_assert_eq!(spendable + world.held(&Purse::Pot(Pot::Protocol)), 2 * FUNDS);
    }
}

/// The random markets must reach what they are to test: leases beyond those they begin with, pay, and each kind of end.
#[test]
fn random_markets_reach_matches_pay_and_several_ends() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut matched, mut paid, mut states) = (0, 0, BTreeSet::new());
    for _ in 0..96 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let world = play(1, steps, 2);
        let leases = view::leases(&world.state, None, 100);
        matched += leases.len() - 1;
        states.extend(leases.iter().map(|(_, lease)| lease.state.name()));
        paid += u32::from(world.held(&Purse::Pot(Pot::Protocol)) > 0);
    }
    assert!(
        matched > 8 && paid > 16 && states.len() >= 5,
        "{matched} {paid} {states:?}"
    );
}

#[test]
fn deadlines_beyond_a_blocks_share_wait_for_the_next() {
    let mut world = World::new();
    let mut params = world.params();
    params.due_per_block_max = 2;
    params.store(&mut world.state).unwrap();
    let before = world.balance(TENANT);
    for _ in 0..5 {
        world.request();
    }
    let fired: Vec<usize> = (0..4)
        .map(|n| world.pass(if n == 0 { 600_000 } else { 1 }).len())
        .collect();
    assert_eq!(fired, [2, 2, 1, 0]);
    assert_eq!(world.balance(TENANT), before);
}
