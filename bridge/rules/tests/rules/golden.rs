//! Wire and storage formats. Writing another text here is approving a change of format.

use nupeer_bridge::{
    Action, Event, LeafId, WithdrawalId, WithdrawalState,
    actions::{CancelWithdrawal, SignAnchor, Withdraw},
    view,
};
use nupeer_ledger::StateRead;
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, Hash, Height, Signature, cbor};

use crate::world::{ADA, World, account, address_bytes, token};

fn hex(value: &impl minicbor::Encode<()>) -> String {
    hex::encode(cbor::encode(value))
}

#[test]
fn actions_are_pinned() {
    let ada = Action::Withdraw(Withdraw::ada(address_bytes(1), Amount::from(5 * ADA)));
    let pinned = format!("82008184583900{}401a004c4b4000", "01".repeat(56));
    assert_eq!(hex(&ada), pinned);
    let tokens = Action::Withdraw(Withdraw {
        address: address_bytes(1).into(),
        asset: token(),
        amount: Amount::new(7),
        lovelace_along: Amount::from(2 * ADA),
    });
    let asset = format!("5820{}5553444d", "77".repeat(28));
    let pinned = format!("82008184583900{}{asset}071a001e8480", "01".repeat(56));
    assert_eq!(hex(&tokens), pinned);
    let signature = Signature([9; 64]);
    let sign = Action::SignAnchor(SignAnchor { seq: 3, signature });
    assert_eq!(hex(&sign), format!("82018182035840{}", "09".repeat(64)));
    let id = WithdrawalId(Hash([8; 32]));
    let cancel = Action::CancelWithdrawal(CancelWithdrawal { id });
    assert_eq!(hex(&cancel), format!("820281815820{}", "08".repeat(32)));
    for action in [ada, tokens, sign, cancel] {
        assert_eq!(cbor::decode::<Action>(&cbor::encode(&action)), Ok(action));
    }
}

#[test]
fn events_are_pinned() {
    let leaf = LeafId { shard: 1, seq: 2 };
    let id = WithdrawalId(Hash([8; 32]));
    let event = Event::WithdrawalAssigned { id, leaf };
    assert_eq!(hex(&event), format!("8204825820{}820102", "08".repeat(32)));
    let (account, value) = (account(5), Value::lovelace(7));
    let event = Event::WithdrawalCancelled { id, account, value };
    let pinned = format!(
        "820b835820{}581d00{}81824007",
        "08".repeat(32),
        "05".repeat(28)
    );
    assert_eq!(hex(&event), pinned);
    let event = Event::AnchorCertified { seq: 9 };
    assert_eq!(hex(&event), "82088109");
}

#[test]
fn states_of_a_withdrawal_are_pinned() {
    let leaf = LeafId { shard: 1, seq: 2 };
    let (anchor_seq, height, transaction) = (3, Height(4), Hash([8; 32]));
    for (state, pinned) in [
        (WithdrawalState::Queued, "820080".to_owned()),
        (WithdrawalState::Assigned(leaf), "820181820102".to_owned()),
        (
            WithdrawalState::Anchored { leaf, anchor_seq },
            "82028282010203".to_owned(),
        ),
        (
            WithdrawalState::Paid {
                leaf,
                anchor_seq: None,
                transaction,
                height,
            },
            format!("820384820102f65820{}04", "08".repeat(32)),
        ),
        (WithdrawalState::Cancelled { height }, "82048104".to_owned()),
    ] {
        assert_eq!(hex(&state), pinned);
        assert_eq!(cbor::decode(&cbor::encode(&state)), Ok(state));
    }
}

/// A whole life of the bridge, hashed: any change in what is stored, or in when, shows here.
#[test]
fn the_state_after_a_story_is_pinned() {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    world.sweep_all(0);
    world.withdraw_ada(1, 10);
    let anchor = world.anchor();
    world.pay_all(&anchor);
    world.assert_sound();
    let entries = world.state.plain_prefix(b"bridge/", usize::MAX);
    let keys: Vec<String> = entries.iter().map(|(key, _)| name(key)).collect();
    assert_eq!(keys, KEYS);
    let parts: Vec<Vec<u8>> = entries
        .into_iter()
        .flat_map(|(key, value)| [cbor::encode(&(key.len() as u64)), key, value])
        .collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let all = nupeer_primitives::blake2b_256(&parts).to_string();
    assert_eq!(all, PINNED);
    assert_eq!(view::overview(&world.state).unwrap().status.last_anchor, 2);
}

/// The part of a key that is text.
fn name(key: &[u8]) -> String {
    let end = key
        .iter()
        .rposition(|byte| *byte == b'/')
        .filter(|_| key.len() > 16);
    let text = key.iter().take_while(|byte| byte.is_ascii_graphic());
    let text: String = text.map(|byte| char::from(*byte)).collect();
    match end {
        None => text,
        Some(_) => text
            .rsplit_once('/')
            .map_or(text.clone(), |(name, _)| name.to_owned()),
    }
}

const KEYS: [&str; 15] = [
    "bridge/anchor",
    "bridge/anchor",
    "bridge/committee",
    "bridge/credited",
    "bridge/deposit-at",
    "bridge/deposit",
    "bridge/leaf",
    "bridge/settings",
    "bridge/shard/",
    "bridge/shard/",
    "bridge/status",
    "bridge/turns",
    "bridge/withdrawal-no",
    "bridge/withdrawal-of",
    "bridge/withdrawal",
];
const PINNED: &str = "98802d27b316e2c0504f6694f4b43dcfce81bb89002effc70452f4c6472b01ee";
