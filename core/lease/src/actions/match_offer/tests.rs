//! What a match takes, and each thing that it is refused for.

use nupeer_primitives::Signature;

use super::*;
use crate::{
    actions::{
        UpdateMachine, WithdrawMachine,
        testing::{
            MACHINE_MILLI, OPERATOR, OWNER, START, STRANGER, TENANT, World, key, request, terms,
        },
    },
    id::MachineId,
    price::Price,
    request::Wanted,
    resources::Resource,
    score::{Metric, Score},
};

/// A machine, an open request and what a match of the two is refused for after `change` of the offer, which is signed anew.
fn refused_offer(change: impl Fn(&mut Offer)) -> LeaseError {
    let (mut world, machine, request) = World::with_request();
    let mut offer = world.offer(machine);
    change(&mut offer);
    let offer = world.sign(offer, OPERATOR);
    world.refused(TENANT, Match { request, offer })
}

/// As `refused_offer`, but the request is another.
fn refused_request(change: impl Fn(&mut Wanted)) -> LeaseError {
    let mut world = World::new();
    let machine = world.register();
    let mut action = request();
    change(&mut action.wanted);
    let request = world.post(action);
    let offer = world.signed_offer(machine);
    world.refused(TENANT, Match { request, offer })
}

#[test]
fn a_match_makes_a_lease_and_takes_capacity() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.signed_offer(machine);
    let stranger = 77;
    world.run(stranger, Match { request, offer }).unwrap();
    let lease = world.lease(&request);
    let until = TimeMs(START + 600_000);
    assert_eq!(lease.state, LeaseState::Reserved { until });
    assert_eq!(lease.price_lovelace_per_hour, 3_600_000);
    assert_eq!(world.machine(&machine).used.cpu_milli, 200);
    assert_eq!(world.request_of(&request).state, RequestState::Matched);
}

#[test]
fn an_offer_that_does_not_suit_is_refused_for_that() {
    let other = World::new().account(55);
    let elsewhere = MachineId(Hash([9; 32]));
    let too_long = START + 86_400_001;
    for (change, error) in [
        (
            (&|o: &mut Offer| o.machine = MachineId(Hash([9; 32]))) as &dyn Fn(&mut Offer),
            LeaseError::UnknownMachine { machine: elsewhere },
        ),
        (
            &|o| o.expires = TimeMs(START),
            LeaseError::OfferExpired {
                expired: TimeMs(START),
                now: TimeMs(START),
            },
        ),
        (
            &|o| o.expires = TimeMs(too_long),
            LeaseError::OfferTooLong {
                provided: 86_400_001,
                maximum: 86_400_000,
            },
        ),
        (
            &|o| o.leases_max = 0,
            LeaseError::OfferUsedUp {
                used: 0,
                maximum: 0,
            },
        ),
        (
            &|o| o.tenant = Some(other),
            LeaseError::OfferForAnother {
                offered: other.hash(),
                tenant: World::new().account(TENANT).hash(),
            },
        ),
        (
            &|o| o.duration_ms_max = 1,
            LeaseError::OverDuration {
                needed_ms: 3_600_000,
                offered_ms: 1,
            },
        ),
        (
            &|o| o.capacity.memory_bytes = 1,
            LeaseError::OverOffer {
                resource: Resource::Memory,
                needed: 64 << 20,
                offered: 1,
            },
        ),
        (
            &|o| {
                o.price = Price::Whole {
                    lovelace_per_hour: 3_600_001,
                }
            },
            LeaseError::PriceTooHigh {
                offered: 3_600_001,
                maximum: 3_600_000,
            },
        ),
    ] {
        assert_eq!(refused_offer(change), error);
    }
}

#[test]
fn a_request_that_does_not_suit_is_refused_for_that() {
    let floor = Score {
        metric: Metric::CpuSingle,
        value: 1_001,
    };
    let unscored = Score {
        metric: Metric::DiskWrite,
        value: 1,
    };
    for (floor, provided) in [(floor, 1_000), (unscored, 0)] {
        let refused = refused_request(|w| w.score_floors = vec![floor]);
        let (metric, minimum) = (floor.metric, floor.value);
        let error = LeaseError::ScoreTooLow {
            metric,
            provided,
            minimum,
        };
        assert_eq!(refused, error);
    }
}

#[test]
fn a_request_to_one_machine_takes_no_other() {
    let mut world = World::new();
    let (machine, other) = (world.register(), world.register());
    let mut action = request();
    action.wanted.machine = Some(machine);
    let request = world.post(action);
    let offer = world.signed_offer(other);
    let error = LeaseError::RequestForAnother {
        offered: other,
        requested: machine,
    };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn an_altered_offer_does_not_verify() {
    type Change = fn(&mut Offer);
    let changes: [Change; 6] = [
        |o| {
            o.price = Price::Whole {
                lovelace_per_hour: 1,
            }
        },
        |o| o.capacity.cpu_milli += 1,
        |o| o.expires = TimeMs(o.expires.0 + 1),
        |o| o.leases_max += 1,
        |o| o.nonce += 1,
        |o| o.duration_ms_max += 1,
    ];
    for change in changes {
        let (mut world, machine, request) = World::with_request();
        let mut offer = world.signed_offer(machine);
        change(&mut offer.offer);
        let id = offer.offer.id(&crate::genesis::chain(&world.state));
        let error = LeaseError::BadOfferSignature { offer: id };
        assert_eq!(world.refused(TENANT, Match { request, offer }), error);
    }
}

#[test]
fn an_offer_made_for_another_chain_does_not_verify() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.offer(machine);
    let elsewhere = offer.id(&Hash([0xee; 32]));
    let signature = key(OPERATOR).sign(&elsewhere.0.0);
    let here = offer.id(&crate::genesis::chain(&world.state));
    let operator = key(OPERATOR).public;
    let offer = SignedOffer {
        offer,
        operator,
        signature,
    };
    let error = LeaseError::BadOfferSignature { offer: here };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn only_the_operator_key_speaks_for_a_machine() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.sign(world.offer(machine), OWNER);
    let error = LeaseError::WrongOperator {
        provided: key(OWNER).public.hash(),
        expected: key(OPERATOR).public.hash(),
    };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn an_operator_key_that_was_revoked_speaks_no_more() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.signed_offer(machine);
    world.revoke(OWNER, OPERATOR);
    let key = key(OPERATOR).public.hash();
    let reason = LedgerError::KeyNotGranted { key };
    let error = LeaseError::OperatorNotGranted { key, reason };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn an_offer_is_used_as_often_as_it_says_and_is_forgotten_when_it_expires() {
    let mut world = World::new();
    let machine = world.register();
    let offer = Offer {
        leases_max: 2,
        ..world.offer(machine)
    };
    let id = offer.id(&crate::genesis::chain(&world.state));
    let offer = world.sign(offer, OPERATOR);
    for used in 1..=3 {
        let request = world.request();
        let offer = offer.clone();
        let done = world.run(TENANT, Match { request, offer });
        let (used_up, maximum) = (
            LeaseError::OfferUsedUp {
                used: 2,
                maximum: 2,
            },
            2,
        );
        assert_eq!(done.err(), (used > maximum).then_some(used_up));
    }
    assert!(store::offer_use(&world.state, &id).is_some());
    world.pass(offer.offer.expires.0 - START);
    assert!(store::offer_use(&world.state, &id).is_none());
}

#[test]
fn an_offer_that_was_taken_back_does_not_hold() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.signed_offer(machine);
    let floor = |nonce_floor| UpdateMachine {
        machine,
        terms: terms(),
        nonce_floor,
    };
    world.run(OWNER, floor(1)).unwrap();
    let action = Match {
        request,
        offer: offer.clone(),
    };
    assert!(world.fork().run(TENANT, action).is_ok());
    world.run(OWNER, floor(2)).unwrap();
    let error = LeaseError::OfferTakenBack { nonce: 1, floor: 2 };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn a_machine_takes_no_more_than_it_has() {
    let mut world = World::new();
    let machine = world.register();
    let offer = Offer {
        leases_max: 99,
        ..world.offer(machine)
    };
    let offer = world.sign(offer, OPERATOR);
    let fit = MACHINE_MILLI / 200;
    for n in 0..=fit {
        let request = world.request();
        let offer = offer.clone();
        let done = world.run(TENANT, Match { request, offer });
        let error = LeaseError::OverCapacity {
            resource: Resource::Cpu,
            needed: 200,
            free: u64::from(MACHINE_MILLI % 200),
        };
        assert_eq!(done.err(), (n == fit).then_some(error));
    }
}

#[test]
fn a_draining_machine_takes_no_lease() {
    let (mut world, machine, request) = World::with_request();
    world.matched_on(machine);
    world.run(OWNER, WithdrawMachine { machine }).unwrap();
    let offer = world.signed_offer(machine);
    let error = LeaseError::WrongMachineState {
        provided: "draining",
        needed: "live",
    };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn a_bond_below_a_new_minimum_takes_no_lease() {
    let (mut world, machine, request) = World::with_request();
    let mut params = world.params();
    let provided = params.kinds[0].bond_minimum;
    let minimum = provided.checked_add(Amount::new(1)).unwrap();
    params.kinds[0].bond_minimum = minimum;
    params.store(&mut world.state).unwrap();
    let offer = world.signed_offer(machine);
    let error = LeaseError::BondTooSmall { provided, minimum };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

#[test]
fn a_request_is_matched_once_and_in_time() {
    let (mut world, machine, request) = World::with_request();
    let offer = world.signed_offer(machine);
    let action = Match { request, offer };
    let mut late = world.fork();
    late.time = late.request_of(&request).wanted.expires;
    let error = LeaseError::RequestExpired {
        expired: late.time,
        now: late.time,
    };
    assert_eq!(late.refused(TENANT, action.clone()), error);
    world.run(TENANT, action.clone()).unwrap();
    let error = LeaseError::RequestNotOpen {
        provided: "matched",
    };
    assert_eq!(world.refused(TENANT, action.clone()), error);
    let unknown = LeaseId(Hash::ZERO);
    let nothing = Match {
        request: unknown,
        ..action
    };
    let error = LeaseError::UnknownRequest { request: unknown };
    assert_eq!(world.refused(TENANT, nothing), error);
}

#[test]
fn a_signature_of_nothing_is_refused() {
    let (mut world, machine, request) = World::with_request();
    let mut offer = world.signed_offer(machine);
    offer.signature = Signature([0; 64]);
    let id = offer.offer.id(&crate::genesis::chain(&world.state));
    let error = LeaseError::BadOfferSignature { offer: id };
    assert_eq!(world.refused(TENANT, Match { request, offer }), error);
}

/// How much of a market a match reads where `others` leases run, as many requests are open, and `same` leases are on the machine.
fn reads(others: usize, same: usize) -> usize {
    let mut world = World::new();
    for _ in 0..others {
        world.active();
        world.request();
    }
    let machine = world.register();
    for _ in 0..same {
        world.matched_on(machine);
    }
    let request = world.request();
    let offer = world.signed_offer(machine);
    world.reads(STRANGER, Match { request, offer })
}

#[test]
fn a_match_reads_no_more_of_a_large_market_than_of_a_small_one() {
    let few = reads(0, 0);
    assert_eq!([reads(15, 0), reads(0, 4), reads(15, 4)], [few; 3]);
    // The request, the machine and the offer's count, some of them also for what they were before they are written.
    assert!((3..=16).contains(&few), "{few}");
}
