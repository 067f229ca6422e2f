use bytes::Bytes;
use ed25519_dalek::SigningKey;
use nupeer_primitives::PublicKey;
use nupeer_primitives::consensus::{Validator, ValidatorSet};

use super::*;
use crate::Block;
use crate::signing::LocalSigner;
use crate::turns::turns;

const NETWORK: Hash = Hash([9; 32]);
const NOW: Height = Height(40);
const BLOCK: Hash = Hash([3; 32]);

fn signer(seed: u8) -> (ValidatorId, LocalSigner) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let id = PublicKey(key.verifying_key().to_bytes()).hash();
    (id, LocalSigner::new(NETWORK, key))
}

fn members(height: Height) -> Members {
    let public_key = |seed| {
        PublicKey(
            SigningKey::from_bytes(&[seed; 32])
                .verifying_key()
                .to_bytes(),
        )
    };
    let validators = (1..=4).map(|seed| Validator {
        public_key: public_key(seed),
        power: 1,
    });
    let set = ValidatorSet::new(validators).unwrap();
    Members::new(&set, &turns(&set, height, &[]))
}

/// Who proposes at `height` in `round`.
fn proposer(height: Height, round: u32) -> LocalSigner {
    let wanted = members(height).proposer(round).address.0;
    (1..=4).map(signer).find(|(id, _)| *id == wanted).unwrap().1
}

fn state() -> HeightState {
    HeightState::new(NOW, members(NOW), Vec::new())
}

fn admit(state: &mut HeightState, announcement: &Announcement) -> Result<(), Refusal> {
    state.admit(announcement, &StrictVerifier::new(NETWORK))
}

fn assembled(announcement: Announcement) -> Assembled {
    Assembled {
        announcement,
        bytes: Bytes::from_static(b"block"),
    }
}

#[test]
fn only_the_proposer_of_a_round_may_announce() {
    let mut state = state();
    for round in 0..4 {
        let own = proposer(NOW, round).announce(NOW, round, None, BLOCK, 5);
        assert_eq!(admit(&mut state, &own), Ok(()));
        let other = proposer(NOW, round + 1).announce(NOW, round, None, BLOCK, 5);
        assert_eq!(admit(&mut state, &other), Err(Refusal::NotProposer));
    }
    let outsider = signer(9).1.announce(NOW, 0, None, BLOCK, 5);
    assert_eq!(admit(&mut state, &outsider), Err(Refusal::NotProposer));
    let good = proposer(NOW, 0).announce(NOW, 0, None, BLOCK, 5);
    let forged = Announcement { length: 6, ..good };
    assert_eq!(admit(&mut state, &forged), Err(Refusal::Signature));
}

#[test]
fn announcements_out_of_reach_are_refused() {
    let mut state = state();
    state.round = 2;
    let far = 2 + ROUNDS_AHEAD_MAX + 1;
    for (height, round, valid_round, refusal) in [
        (
            Height(39),
            0,
            None,
            Refusal::Height {
                provided: Height(39),
                current: NOW,
            },
        ),
        (
            Height(51),
            0,
            None,
            Refusal::Height {
                provided: Height(51),
                current: NOW,
            },
        ),
        (
            NOW,
            far,
            None,
            Refusal::Round {
                provided: far,
                current: 2,
            },
        ),
        (
            NOW,
            3,
            Some(3),
            Refusal::Round {
                provided: 3,
                current: 3,
            },
        ),
        (
            Height(41),
            11,
            None,
            Refusal::Round {
                provided: 11,
                current: 0,
            },
        ),
    ] {
        let announcement = proposer(height, round).announce(height, round, valid_round, BLOCK, 5);
        assert_eq!(admit(&mut state, &announcement), Err(refusal));
    }
}

#[test]
fn a_block_is_judged_once_as_new_and_once_as_proposed_anew() {
    let mut state = state();
    let new = proposer(NOW, 0).announce(NOW, 0, None, BLOCK, 5);
    let anew = proposer(NOW, 1).announce(NOW, 1, Some(0), BLOCK, 5);
    for announcement in [&new, &anew] {
        assert!(state.begin_judging(announcement));
        assert!(!state.begin_judging(announcement));
        assert_eq!(admit(&mut state, announcement), Err(Refusal::Known));
    }
}

#[test]
fn a_stored_block_is_known_and_its_announcements_are_remembered_for_repetition() {
    let mut state = state();
    let (id, block) = (
        signer(1).0,
        Block {
            id: BLOCK,
            bytes: Bytes::from_static(b"block"),
        },
    );
    let undecided = Undecided {
        height: NOW,
        round: 0,
        valid_round: None,
        proposer: id,
        block,
    };
    state.store(undecided.clone());
    assert_eq!(state.own(0, id), Some(&undecided));
    assert_eq!(state.own(1, id), None);
    let anew = proposer(NOW, 3).announce(NOW, 3, Some(0), BLOCK, 5);
    assert_eq!(admit(&mut state, &anew), Err(Refusal::Known));
    assert!(!state.begin_judging(&anew));
    assert_eq!(state.announcement(3, BLOCK), Some(&anew));
}

#[test]
fn builders_are_the_proposers_of_the_rounds_before() {
    let state = state();
    let id = |round| state.members.proposer(round).address.0;
    let new = proposer(NOW, 2).announce(NOW, 2, None, BLOCK, 5);
    assert_eq!(state.builders(&new), [id(2)]);
    let anew = proposer(NOW, 3).announce(NOW, 3, Some(1), BLOCK, 5);
    let mut expected = [id(0), id(1)];
    expected.sort();
    assert_eq!(state.builders(&anew), expected);
    let late = Announcement {
        round: u32::MAX,
        valid_round: Some(u32::MAX - 1),
        ..anew
    };
    assert_eq!(state.builders(&late).len(), 4);
}

#[test]
fn blocks_for_heights_ahead_wait_one_per_proposer_and_come_out_at_their_turn() {
    let mut state = state();
    let (next, last) = (NOW.next(), Height(50));
    let due = proposer(next, 0).announce(next, 0, None, BLOCK, 5);
    let undue = proposer(next, 1).announce(next, 0, None, BLOCK, 5);
    let later = proposer(last, 0).announce(last, 0, None, BLOCK, 5);
    for announcement in [&due, &undue, &later] {
        assert_eq!(admit(&mut state, announcement), Ok(()));
        state.park(assembled(announcement.clone()));
        assert_eq!(admit(&mut state, announcement), Err(Refusal::Known));
    }
    assert_eq!(state.advance(next, members(next)), [assembled(due)]);
    assert_eq!((state.height, state.round), (next, 0));
    assert_eq!(state.advance(last, members(last)), [assembled(later)]);
    assert!(state.ahead.is_empty());
}

#[test]
fn few_blocks_wait_and_near_heights_come_first() {
    let mut state = state();
    let id = |seed| signer(seed).0;
    for seed in 1..=4 {
        for height in (41..=50).rev().map(Height) {
            state.park(assembled(
                signer(seed).1.announce(height, 0, None, BLOCK, 5),
            ));
        }
        let kept = state
            .ahead
            .keys()
            .filter(|(_, proposer)| *proposer == id(seed));
        assert_eq!(kept.count(), AHEAD_PER_PROPOSER_MAX);
    }
    assert_eq!(state.ahead.len(), AHEAD_MAX);
    let stranger = signer(5).1.announce(Height(41), 0, None, BLOCK, 5);
    state.park(assembled(stranger));
    assert_eq!(state.ahead.len(), AHEAD_MAX);
    assert!(state.ahead.contains_key(&(Height(41), id(5))));
}
