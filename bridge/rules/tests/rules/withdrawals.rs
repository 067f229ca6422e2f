//! From a request to a payment.

use nupeer_bridge::{
    Action, BridgeError, WithdrawalState, actions::Withdraw, address, invariants, view,
};
use nupeer_ledger::LedgerError;
use nupeer_observe::Observation;
use nupeer_outbox::{Value, address::AddressError};
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, Hash28, Numbered};

use crate::world::{ADA, World, account, address_bytes, datum, leaves, settings, token};

fn funded() -> World {
    let mut world = World::new();
    let value = Value::lovelace(500 * ADA).with(token(), Amount::new(1_000));
    let seen = world.cardano.deposit(value, datum(1));
    world.block(vec![Observation::Deposit(seen)]);
    world
}

fn ada(lovelace: u64) -> Withdraw {
    Withdraw::ada(address_bytes(1), Amount::from(lovelace))
}

#[test]
fn a_withdrawal_goes_from_balance_to_hold_to_cardano() {
    let mut world = funded();
    world.sweep_all(0);
    let id = world.withdraw_ada(1, 40);
    let state = |world: &World| view::withdrawal(&world.state, &id).unwrap().state;
    assert_eq!(state(&world), WithdrawalState::Queued);
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(460 * ADA));
    world.wait_for_anchor();
    assert_eq!(state(&world).word(), "assigned");
    let anchor = world.certify();
    let seen = world.cardano.publish(&anchor);
    world.block(seen);
    assert_eq!(state(&world).word(), "anchored");
    assert_eq!(state(&world).anchor_seq(), Some(2));
    world.assert_sound();
    world.pay_all(&anchor);
    let WithdrawalState::Paid {
        transaction,
        anchor_seq,
        ..
    } = state(&world)
    else {
        panic!("not paid")
    };
    let paid_by = world.cardano.shards[0].0.transaction_id;
    assert_eq!((transaction, anchor_seq), (paid_by, Some(2)));
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(460 * ADA));
    world.assert_sound();
    let rows = view::solvency(&world.state);
    assert_eq!(rows[0].liabilities, Amount::from(460 * ADA));
    assert_eq!(rows[0].vault, Amount::from(460 * ADA));
}

#[test]
fn a_token_travels_with_the_ada_that_its_output_needs() {
    let mut world = funded();
    world.sweep_all(1);
    let along = Amount::from(2 * ADA);
    let withdraw = Withdraw {
        address: address_bytes(9).into(),
        asset: token(),
        amount: Amount::new(300),
        lovelace_along: along,
    };
    world.withdraw(1, withdraw).expect("a withdrawal");
    assert_eq!(world.balance(1, &token()), Amount::new(700));
    assert_eq!(world.balance(1, &AssetId::Ada), Amount::from(498 * ADA));
    let anchor = world.anchor();
    let leaf = &leaves(&anchor)[0];
    let expected = Value::lovelace(2 * ADA).with(token(), Amount::new(300));
    assert_eq!((leaf.shard(), leaf.totals()), (1, &expected));
    world.pay_all(&anchor);
    world.assert_sound();
}

#[test]
fn what_could_not_be_paid_is_refused_at_once_by_its_number() {
    let mainnet = crate::world::address(1).to_bytes(CardanoNetwork::Mainnet);
    let stranger = AssetId::Native {
        policy: Hash28([0x55; 28]),
        name: vec![],
    };
    let to = |bytes: Vec<u8>| Withdraw::ada(bytes, Amount::from(5 * ADA));
    let of = |asset: AssetId, amount: u128, along: u64| Withdraw {
        address: address_bytes(1).into(),
        asset,
        amount: Amount::new(amount),
        lovelace_along: Amount::from(along),
    };
    let testnet = CardanoNetwork::Testnet;
    // (160 + 62 + 6 + 1 + 30 + 1 + 5 + 1) × 4310: a base address and a token whose name has 4 bytes.
    let minimum_with_token = Amount::new(1_146_460);
    for (withdraw, error, code) in [
        (to(vec![0x82, 0xd8]), AddressError::Byron.into(), 3054),
        (
            to(vec![0xe0; 29]),
            AddressError::Header { header: 0xe0 }.into(),
            3055,
        ),
        (
            to(vec![]),
            AddressError::Length {
                provided: 0,
                expected: 29,
            }
            .into(),
            3056,
        ),
        (
            to(mainnet),
            BridgeError::WrongNetwork {
                provided: CardanoNetwork::Mainnet,
                expected: testnet,
            },
            3012,
        ),
        (ada(0), LedgerError::ZeroAmount.into(), 2002),
        (
            ada(978_369),
            BridgeError::BelowMinimum {
                provided: Amount::new(978_369),
                minimum: Amount::new(978_370),
            },
            3015,
        ),
        (
            ada(1_999_999),
            BridgeError::TooSmall {
                provided: Amount::new(1_999_999),
                smallest: Amount::new(2_000_000),
            },
            3016,
        ),
        (
            of(token(), 1 << 64, 2 * ADA),
            BridgeError::TooLarge {
                provided: Amount::new(1 << 64),
                maximum: u64::MAX,
            },
            3017,
        ),
        (
            of(token(), 1, 1_146_459),
            BridgeError::BelowMinimum {
                provided: Amount::new(1_146_459),
                minimum: minimum_with_token,
            },
            3015,
        ),
        (
            of(AssetId::Ada, 5_000_000, 1),
            BridgeError::AdaAlongAda {
                provided: Amount::new(1),
            },
            3018,
        ),
        (
            of(stranger.clone(), 1, 2 * ADA),
            BridgeError::Unlisted { asset: stranger },
            3014,
        ),
        (
            ada(501 * ADA),
            LedgerError::InsufficientFunds {
                asset: AssetId::Ada,
                available: Amount::from(500 * ADA),
                needed: Amount::from(501 * ADA),
            }
            .into(),
            2001,
        ),
    ] {
        let mut world = funded();
        let before = world.state.clone();
        let refused = world.withdraw(1, withdraw).unwrap_err();
        assert_eq!((refused.code().0, &refused), (code, &error));
        assert_eq!(world.state, before);
    }
    assert!(funded().withdraw(1, of(token(), 1, 1_146_460)).is_ok());
}

#[test]
fn a_chain_without_a_bridge_has_no_withdrawals() {
    let mut world = World::new();
    world.state = nupeer_ledger::memory::MemoryState::default();
    let refused = world.act(
        account(1),
        account(1).hash(),
        Action::Withdraw(ada(5 * ADA)),
    );
    assert_eq!(refused, Err(BridgeError::NoBridge));
    assert_eq!(world.block(vec![]), []);
    assert_eq!(invariants::violations(&world.state), vec![]);
}

#[test]
fn payments_wait_until_a_shard_holds_enough_beside_its_reserve() {
    let mut world = funded();
    let id = world.withdraw_ada(1, 400);
    // The deposit is under an anchor, and not yet in a shard.
    let first = world.anchor();
    assert_eq!(first.leaves.len(), 0);
    world.blocks(10);
    let state = view::withdrawal(&world.state, &id).unwrap().state;
    assert_eq!(state, WithdrawalState::Queued);
    let all: Vec<_> = world.cardano.deposits.keys().copied().collect();
    let swept = world.cardano.sweep(0, &all);
    world.block(vec![swept]);
    let second = world.anchor();
    assert_eq!(leaves(&second)[0].totals(), &Value::lovelace(400 * ADA));
    world.pay_all(&second);
    world.assert_sound();
}

#[test]
fn one_that_no_shard_can_pay_holds_up_nobody_else() {
    let mut world = World::new();
    // Each shard holds 100, nobody can pay 150 at once.
    for (shard, who) in [(0, 1), (1, 2)] {
        world.deposit_ada(who, 100);
        world.sweep_all(shard);
    }
    let transfer = nupeer_ledger::purse::transfer(
        &mut world.state,
        &nupeer_ledger::Purse::Account(account(2)),
        &nupeer_ledger::Purse::Account(account(1)),
        &AssetId::Ada,
        Amount::from(60 * ADA),
    );
    transfer.unwrap();
    let large = world.withdraw_ada(1, 150);
    let small = world.withdraw_ada(2, 30);
    let anchor = world.anchor();
    world.pay_all(&anchor);
    let word = |id| view::withdrawal(&world.state, &id).unwrap().state.word();
    assert_eq!((word(large), word(small)), ("queued", "paid"));
    world.assert_sound();
}

#[test]
fn many_travel_together_and_no_more_than_a_payment_holds() {
    let mut world = World::new();
    for who in 1..=8 {
        world.deposit_ada(who, 50);
    }
    world.sweep_all(0);
    let ids: Vec<_> = (1..=8).map(|who| world.withdraw_ada(who, 10)).collect();
    let mut sizes = vec![];
    while ids.iter().any(|id| {
        let state = view::withdrawal(&world.state, id).unwrap().state;
        !matches!(state, WithdrawalState::Paid { .. })
    }) {
        let anchor = world.anchor();
        sizes.extend(leaves(&anchor).iter().map(|leaf| leaf.outputs().len()));
        world.pay_all(&anchor);
        world.assert_sound();
    }
    // Three at a time (`leaf_outputs_max`), in the order of their requests.
    assert_eq!(sizes, [3, 3, 2]);
    let seq = |id| {
        view::withdrawal(&world.state, id)
            .unwrap()
            .state
            .leaf()
            .unwrap()
            .seq
    };
    let order: Vec<_> = ids.iter().map(seq).collect();
    assert_eq!(order, [0, 0, 0, 1, 1, 1, 2, 2]);
}

#[test]
fn listings_are_by_account_and_in_the_order_of_requests() {
    let mut world = World::new();
    for who in [1, 2] {
        world.deposit_ada(who, 100);
    }
    let ids: Vec<_> = [1, 2, 1, 1].map(|who| world.withdraw_ada(who, 5)).into();
    let listed = |account: Option<u8>, after: Option<usize>, limit| -> Vec<_> {
        let account = account.map(crate::world::account);
        let after = after.map(|place| ids[place]);
        let rows = view::withdrawals(&world.state, account.as_ref(), after.as_ref(), limit);
        rows.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(listed(None, None, 9), ids);
    assert_eq!(listed(None, Some(0), 2), ids[1..3]);
    assert_eq!(listed(Some(1), None, 9), [ids[0], ids[2], ids[3]]);
    assert_eq!(listed(Some(1), Some(0), 1), [ids[2]]);
    assert_eq!(view::in_flight(&world.state, &account(2)).len(), 1);
}

#[test]
fn a_signed_line_fits_every_request() {
    let network = CardanoNetwork::Testnet;
    let supply = ada(1_000_000_000 * ADA - 1);
    let text = Action::Withdraw(supply).text(network);
    let whole = address::to_bech32(&crate::world::address(1), network);
    assert_eq!(text, format!("withdraw 999999999.999999 ADA to {whole}"));
    for amount in [1, u128::MAX] {
        let withdraw = Withdraw {
            address: address_bytes(1).into(),
            asset: token(),
            amount: Amount::new(amount),
            lovelace_along: Amount::new(amount),
        };
        let text = Action::Withdraw(withdraw).text(network);
        assert!(text.is_ascii());
        let longest = text.len() <= 141 || amount == u128::MAX;
        assert!(longest, "{}: {text}", text.len());
    }
    assert_eq!(settings().params.withdrawal_min_lovelace, 2_000_000);
}
