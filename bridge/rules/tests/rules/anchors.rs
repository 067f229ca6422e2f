//! When an anchor is made, who signs it, what becomes of it.

use ed25519_dalek::Signer;
use nupeer_bridge::{
    Action, BridgeError, Contradiction, Event, actions::SignAnchor, anchor::KEPT, view,
};
use nupeer_observe::{AnchorSeen, HeadSeen, Observation};
use nupeer_outbox::{
    Value,
    certificate::{Certificate, Kind, Statement},
    leaf::PAYOUTS,
    merkle::{EMPTY_ROOT, Tree},
};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Height, Numbered, Signature, Slot};

use crate::world::{ADA, MAGIC, World, account, datum, leaves, member, place, public, settings};

fn with_deposit() -> World {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    world.wait_for_anchor();
    world
}

#[test]
fn without_anything_to_say_no_anchor_is_made() {
    let mut world = World::new();
    assert_eq!(world.blocks(100), []);
    assert_eq!(view::to_sign(&world.state), None);
}

#[test]
fn an_anchor_says_what_the_chain_says() {
    let mut world = World::new();
    world.deposit_ada(1, 100);
    let height = world.height;
    let anchor = world.certify();
    let says = &anchor.record.anchor;
    assert_eq!((says.seq, says.sidechain_height), (1, Height(height - 1)));
    assert_eq!(says.state_root, Hash([height as u8; 32]));
    assert_eq!(
        says.observed,
        (Slot(1_000 + height), Hash([height as u8; 32]))
    );
    assert_eq!(says.decided_until, Slot(1_001 + height));
    assert_eq!(says.outbox_roots[&PAYOUTS], EMPTY_ROOT);
    let ada = says.assets[&AssetId::Ada];
    let hundred = Amount::from(100 * ADA);
    assert_eq!((ada.liabilities, ada.unswept), (hundred, hundred));
    assert_eq!((ada.paid, ada.swept), (Amount::ZERO, Amount::ZERO));
    assert_eq!(says.assets.len(), 2, "each listed asset has its line");
}

#[test]
fn open_anchors_name_their_states_until_the_next_one_is_on_cardano() {
    let mut world = World::new();
    let named = |world: &World| view::anchored_heights(&world.state);
    assert_eq!(named(&world), []);
    world.deposit_ada(1, 100);
    let first = world.anchor().record.anchor.sidechain_height;
    assert_eq!(named(&world), [first]);
    world.deposit_ada(1, 100);
    world.wait_for_anchor();
    let second = world.certify().record.anchor.sidechain_height;
    assert!(second > first);
    assert_eq!(named(&world), [first, second]);
    let seen = world.cardano.publish(&world.certified());
    world.block(seen);
    assert_eq!(named(&world), [second]);
}

#[test]
fn the_root_is_over_the_open_payments_in_their_order() {
    let mut world = with_deposit();
    world.sweep_all(0);
    for _ in 0..4 {
        world.withdraw_ada(1, 10);
    }
    let anchor = world.anchor();
    let hashes: Vec<_> = leaves(&anchor).iter().map(|leaf| leaf.hash()).collect();
    let root = Tree::new(hashes).root();
    assert_eq!(anchor.record.anchor.outbox_roots[&PAYOUTS], root);
}

#[test]
fn three_of_four_certify_and_the_certificate_is_that_of_the_script() {
    let mut world = with_deposit();
    let spent = world.cardano.head;
    for n in [3, 0] {
        let events = world.sign(n).unwrap();
        let key = public(&member(n));
        assert_eq!(events, [Event::AnchorSigned { seq: 1, key }]);
    }
    assert!(view::overview(&world.state).unwrap().certified.is_none());
    let events = world.sign(1).unwrap();
    assert_eq!(events[1], Event::AnchorCertified { seq: 1 });
    let record = world.certified().record;
    let committee = view::overview(&world.state).unwrap().committee;
    let statement = Statement {
        network_magic: MAGIC,
        bridge_id: settings().bridge_id,
        epoch: 0,
        kind: Kind::Anchor,
        spent,
        body_hash: record.anchor.body_hash(),
    };
    let signed = committee.keys().iter().zip(&record.signatures);
    let signed = signed.filter_map(|(key, signature)| Some((*key, (*signature)?)));
    let certificate = Certificate::assemble(&committee, &statement.digest(), signed);
    assert_eq!(certificate.unwrap().signers(), 3);
}

#[test]
fn strangers_repeated_late_and_false_signatures_are_refused_by_number() {
    let world = with_deposit();
    let digest = view::to_sign(&world.state).unwrap().digest;
    let by = |n: u8, message: &Hash| Signature(member(n).sign(&message.0).to_bytes());
    let who = |n: u8| AccountId::of_key(public(&member(n)).hash());
    let sign = |world: &mut World, sender: AccountId, n: u8, seq, signature| {
        let action = Action::SignAnchor(SignAnchor { seq, signature });
        world.act(sender, public(&member(n)).hash(), action)
    };
    let good = by(0, &digest);
    for (sender, n, seq, signature, error, code) in [
        (
            who(9),
            9,
            1,
            by(9, &digest),
            BridgeError::NotMember { key: who(9).hash() },
            3020,
        ),
        (
            account(1),
            0,
            1,
            good,
            BridgeError::NotMember { key: who(0).hash() },
            3020,
        ),
        (
            who(0),
            0,
            2,
            good,
            BridgeError::WrongAnchor {
                provided: 2,
                expected: Some(1),
            },
            3021,
        ),
        (
            who(0),
            0,
            1,
            by(0, &Hash([0; 32])),
            BridgeError::BadAnchorSignature {
                seq: 1,
                key: public(&member(0)),
            },
            3024,
        ),
        (
            who(1),
            1,
            1,
            good,
            BridgeError::BadAnchorSignature {
                seq: 1,
                key: public(&member(1)),
            },
            3024,
        ),
    ] {
        let refused = sign(&mut world.clone(), sender, n, seq, signature).unwrap_err();
        assert_eq!((refused.code().0, refused), (code, error));
    }
    let mut world = world;
    world.sign(0).unwrap();
    let refused = world.sign(0).unwrap_err();
    assert_eq!(refused, BridgeError::AlreadySigned { seq: 1 });
    world.sign(1).unwrap();
    world.sign(2).unwrap();
    let refused = sign(&mut world, who(3), 3, 1, by(3, &digest)).unwrap_err();
    assert_eq!(refused, BridgeError::AlreadyCertified { seq: 1 });
    // Nothing waits any more once it is on Cardano.
    let anchor = world.certified();
    let seen = world.cardano.publish(&anchor);
    world.block(seen);
    let refused = sign(&mut world, who(3), 3, 1, by(3, &digest)).unwrap_err();
    let expected = None;
    assert_eq!(
        refused,
        BridgeError::WrongAnchor {
            provided: 1,
            expected
        }
    );
}

#[test]
fn a_signer_knows_whether_the_chain_waits_for_it() {
    let mut world = with_deposit();
    let waits = |world: &World, n| {
        let to_sign = view::to_sign(&world.state);
        to_sign.is_some_and(|anchor| anchor.waits_for(&public(&member(n))))
    };
    assert!(waits(&world, 0) && waits(&world, 1) && !waits(&world, 9));
    world.sign(0).unwrap();
    assert!(!waits(&world, 0) && waits(&world, 1));
    world.sign(1).unwrap();
    world.sign(2).unwrap();
    assert!(!waits(&world, 3), "a quorum is enough");
}

#[test]
fn one_anchor_waits_at_a_time_and_the_next_carries_what_came_meanwhile() {
    let mut world = with_deposit();
    let first = world.certify();
    world.deposit_ada(2, 10);
    assert_eq!(world.blocks(10), [], "the first is not on Cardano yet");
    let seen = world.cardano.publish(&first);
    let events = world.block(seen);
    let output = place_of(&world);
    assert_eq!(events[0], Event::AnchorPublished { seq: 1, output });
    let second = world.anchor();
    assert_eq!(second.record.anchor.seq, 2);
    assert_eq!(
        (first.record.credited_count, second.record.credited_count),
        (1, 2)
    );
    assert_eq!(
        view::anchor(&world.state, 1).unwrap().record.published,
        Some(output)
    );
    world.assert_sound();
}

fn place_of(world: &World) -> nupeer_outbox::OutputReference {
    nupeer_outbox::OutputReference {
        index: 1,
        ..world.cardano.head
    }
}

#[test]
fn an_anchor_that_does_not_appear_is_made_again_with_what_is_new() {
    let mut world = with_deposit();
    let old = view::to_sign(&world.state).unwrap();
    world.sign(0).unwrap();
    // Nothing new: the same one goes on waiting, whatever the time.
    assert_eq!(world.blocks(50), []);
    world.deposit_ada(2, 10);
    let new = view::to_sign(&world.state).unwrap();
    assert_eq!((old.seq, new.seq), (1, 1));
    assert_ne!(old.digest, new.digest);
    assert!(new.signatures.iter().all(Option::is_none));
    let anchor = world.certify();
    assert_eq!(anchor.record.credited_count, 2);
    let seen = world.cardano.publish(&anchor);
    world.block(seen);
    assert_eq!(world.halted(), None);
}

#[test]
fn whichever_making_comes_to_cardano_counts() {
    let mut world = with_deposit();
    let first = world.certify();
    world.blocks(20);
    world.deposit_ada(2, 10);
    let second = world.certify();
    assert_ne!(first.record.anchor, second.record.anchor);
    // A relayer had published the first before it heard of the second.
    let seen = world.cardano.publish(&first);
    world.block(seen);
    assert_eq!(world.halted(), None);
    let kept = view::anchor(&world.state, 1).unwrap().record;
    assert_eq!((kept.anchor, kept.credited_count), (first.record.anchor, 1));
    assert_eq!(world.anchor().record.credited_count, 2);
}

#[test]
fn an_anchor_is_not_made_again_without_end() {
    let mut world = with_deposit();
    let mut digests = std::collections::BTreeSet::new();
    for n in 0..40 {
        world.blocks(25);
        world.deposit_ada(n, 10);
        digests.insert(view::to_sign(&world.state).unwrap().digest);
    }
    assert_eq!(
        digests.len(),
        15,
        "sixteen makings, the first of which was not looked at"
    );
}

#[test]
fn an_anchor_of_others_halts_the_bridge() {
    let mut world = with_deposit();
    let (output, seq) = (place(7, 1), 1);
    let body_hash = Hash([0x66; 32]);
    let head = HeadSeen {
        output: place(7, 0),
        seq,
    };
    let anchor = AnchorSeen {
        output,
        seq,
        body_hash,
    };
    let events = world.block(vec![Observation::Head(head), Observation::Anchor(anchor)]);
    let reason = Contradiction::UnknownAnchor { seq, output };
    assert_eq!(
        events,
        [Event::Halted {
            reason: reason.clone()
        }]
    );
    assert_eq!(view::to_sign(&world.state), None);
    let refused = world.withdraw(
        1,
        nupeer_bridge::actions::Withdraw::ada(
            crate::world::address_bytes(1),
            Amount::from(5 * ADA),
        ),
    );
    let reason = Box::new(reason);
    assert_eq!(refused, Err(BridgeError::Halted { reason }));
    // What is seen goes on being recorded.
    let seen = world.cardano.deposit(Value::lovelace(3 * ADA), datum(5));
    world.block(vec![Observation::Deposit(seen)]);
    assert_eq!(world.balance(5, &AssetId::Ada), Amount::from(3 * ADA));
}

#[test]
fn a_head_that_skips_halts_the_bridge_and_its_birth_does_not() {
    let mut world = World::new();
    let birth = HeadSeen {
        output: settings().born(1),
        seq: 0,
    };
    assert_eq!(world.block(vec![Observation::Head(birth)]), []);
    let skipping = HeadSeen {
        output: place(7, 0),
        seq: 2,
    };
    world.block(vec![Observation::Head(skipping)]);
    let (provided, expected) = (2, 1);
    assert_eq!(
        world.halted(),
        Some(Contradiction::HeadOutOfOrder { provided, expected })
    );
}

#[test]
fn old_anchors_and_their_payments_are_forgotten_in_time() {
    let mut world = World::new();
    world.deposit_ada(1, 1_000);
    world.sweep_all(0);
    for _ in 0..KEPT + 3 {
        world.withdraw_ada(1, 2);
        let anchor = world.anchor();
        world.pay_all(&anchor);
    }
    let newest = world.cardano.anchors;
    assert!(view::anchor(&world.state, newest - KEPT).is_none());
    let oldest = view::anchor(&world.state, newest - KEPT + 1).unwrap();
    assert_eq!(oldest.leaves.len(), oldest.record.leaves.len());
    world.assert_sound();
}
