//! Taking back a withdrawal that waits.

use nupeer_bridge::{
    Action, BridgeError, Contradiction, Event, WithdrawalState, actions::CancelWithdrawal,
    actions::Withdraw, view,
};
use nupeer_ledger::Scope;
use nupeer_observe::{HeadSeen, Observation};
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, Hash, Height, Numbered};

use crate::world::{ADA, World, account, address_bytes, datum, place, token};

/// 500 ADA and 1,000 tokens of account 1, unswept: no shard can pay anything.
fn funded() -> World {
    let mut world = World::new();
    let value = Value::lovelace(500 * ADA).with(token(), Amount::new(1_000));
    let seen = world.cardano.deposit(value, datum(1));
    world.block(vec![Observation::Deposit(seen)]);
    world
}

#[test]
fn what_is_queued_comes_back_in_full_with_the_ada_that_went_along() {
    let mut world = funded();
    let withdraw = Withdraw {
        address: address_bytes(9).into(),
        asset: token(),
        amount: Amount::new(300),
        lovelace_along: Amount::from(2 * ADA),
    };
    let tokens = world.withdraw(1, withdraw).unwrap();
    let ada = world.withdraw_ada(1, 400);
    world.blocks(5);
    for id in [tokens, ada] {
        let value = view::withdrawal(&world.state, &id).unwrap().value();
        let account = account(1);
        let expected = Event::WithdrawalCancelled { id, account, value };
        assert_eq!(world.cancel(1, id), Ok(vec![expected]));
        let height = Height(world.height);
        assert_eq!(world.state_of(&id), WithdrawalState::Cancelled { height });
        world.assert_sound();
    }
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(500 * ADA));
    assert_eq!(world.balance(1, &token()), Amount::new(1_000));
    assert_eq!(view::in_flight(&world.state, &account(1)), vec![]);
    let listed = view::withdrawals(&world.state, Some(&account(1)), None, 9);
    assert_eq!(listed.len(), 2, "what was taken back is still told of");
}

#[test]
fn what_was_taken_back_is_never_paid() {
    let mut world = funded();
    let id = world.withdraw_ada(1, 400);
    world.cancel(1, id).unwrap();
    world.sweep_all(0);
    let other = world.withdraw_ada(1, 50);
    let anchor = world.anchor();
    world.pay_all(&anchor);
    let word = |id| world.state_of(id).word();
    assert_eq!((word(&id), word(&other)), ("cancelled", "paid"));
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(450 * ADA));
    world.assert_sound();
}

#[test]
fn one_of_another_an_unknown_one_and_one_on_its_way_are_refused_by_number() {
    let mut world = funded();
    let queued = world.withdraw_ada(1, 400);
    let (provided, expected) = (account(2), account(1));
    let refused = BridgeError::NotWithdrawer { provided, expected };
    refuses(&mut world, 2, queued, (refused, 3026));
    let id = nupeer_bridge::WithdrawalId(Hash([0x99; 32]));
    refuses(
        &mut world,
        1,
        id,
        (BridgeError::UnknownWithdrawal { id }, 3025),
    );
    world.cancel(1, queued).unwrap();
    refuses_as(&mut world, queued, "cancelled");
    world.sweep_all(0);
    let id = world.withdraw_ada(1, 40);
    world.wait_for_anchor();
    refuses_as(&mut world, id, "assigned");
    let anchor = world.certify();
    let seen = world.cardano.publish(&anchor);
    world.block(seen);
    refuses_as(&mut world, id, "anchored");
    world.pay_all(&anchor);
    refuses_as(&mut world, id, "paid");
    world.assert_sound();
}

fn refuses_as(world: &mut World, id: nupeer_bridge::WithdrawalId, provided: &'static str) {
    let refused = BridgeError::NotQueued { id, provided };
    refuses(world, 1, id, (refused, 3027));
}

fn refuses(
    world: &mut World,
    by: u8,
    id: nupeer_bridge::WithdrawalId,
    (expected, code): (BridgeError, u16),
) {
    let before = world.state.clone();
    let refused = world.cancel(by, id).unwrap_err();
    assert_eq!((refused.code().0, refused), (code, expected));
    assert_eq!(world.state, before);
}

#[test]
fn a_chain_without_a_bridge_has_nothing_to_take_back() {
    let mut world = World::new();
    world.state = nupeer_ledger::memory::MemoryState::default();
    let id = nupeer_bridge::WithdrawalId(Hash([1; 32]));
    assert_eq!(world.cancel(1, id), Err(BridgeError::NoBridge));
}

#[test]
fn a_halt_keeps_nobody_from_what_is_still_theirs() {
    let mut world = funded();
    let id = world.withdraw_ada(1, 400);
    let skipping = HeadSeen {
        output: place(7, 0),
        seq: 2,
    };
    world.block(vec![Observation::Head(skipping)]);
    let (provided, expected) = (2, 1);
    let halted = Contradiction::HeadOutOfOrder { provided, expected };
    assert_eq!(world.halted(), Some(halted));
    world.cancel(1, id).unwrap();
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(500 * ADA));
}

#[test]
fn a_key_that_may_spend_may_take_back_and_the_line_says_what() {
    let id = nupeer_bridge::WithdrawalId(Hash([0xab; 32]));
    let action = Action::CancelWithdrawal(CancelWithdrawal { id });
    assert_eq!(action.scope(), Some(Scope::SPEND));
    assert!(!action.is_system(), "it pays its fee");
    let text = action.text(CardanoNetwork::Testnet);
    assert_eq!(text, format!("cancel withdrawal {}", "ab".repeat(32)));
}
