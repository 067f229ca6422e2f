//! An agent whose machine another agent speaks for by now.

use std::fs;

use nupeer_agent::AgentError;
use nupeer_agent::chain::ChainError;
use nupeer_agent::run::renew;
use nupeer_lease::{Machine, MachineState, MachineTerms, Resources};
use nupeer_primitives::{AccountId, Hash, Hash28, TimeMs};

use crate::stage::{MACHINE, Stage, active, operator};

pub(crate) fn machine(endpoint: &str) -> Machine {
    Machine {
        owner: AccountId::of_key(Hash28([2; 28])),
        terms: MachineTerms {
            operator: operator().public(),
            endpoint: endpoint.into(),
            capacity: Resources::default(),
            scores: vec![],
            evidence: Hash::ZERO,
        },
        bonds: vec![],
        used: Resources::default(),
        leases_open: 0,
        nonce_floor: 0,
        state: MachineState::Live,
    }
}

/// An agent that told the chain that it answers at `http://here`.
fn stage() -> Stage {
    let stage = Stage::new();
    let own = format!("{}\n{MACHINE}\n1\nhttp://here\n", operator().public());
    fs::write(stage.folder.path().join("data/machine"), own).unwrap();
    stage.lease(active());
    says(&stage, "http://here");
    stage
}

fn says(stage: &Stage, endpoint: &str) {
    *stage.chain.machine.lock().unwrap() = Some(machine(endpoint));
}

fn published(stage: &Stage) -> usize {
    stage.chain.published.lock().unwrap().len()
}

#[test]
fn an_agent_that_is_displaced_says_so_and_offers_nothing_until_the_chain_names_it_again() {
    let stage = stage();
    renew(&stage.site).unwrap();
    assert_eq!((published(&stage), stage.site.problems()), (1, None));
    assert!(stage.site.offer.lock().unwrap().is_some());
    says(&stage, "http://there");
    for _ in 0..3 {
        let refused = renew(&stage.site);
        assert!(matches!(refused, Err(AgentError::OtherAgent { .. })));
        let why = format!(
            "NP8068: another agent speaks for machine {MACHINE} at http://there, this one told the chain http://here: end one of both"
        );
        assert_eq!(stage.site.problems(), Some(why));
    }
    assert_eq!(published(&stage), 1);
    assert!(stage.site.offer.lock().unwrap().is_none());
    assert!(stage.chain.submitted.lock().unwrap().is_empty());
    says(&stage, "http://here");
    renew(&stage.site).unwrap();
    assert_eq!((published(&stage), stage.site.problems()), (2, None));
}

#[test]
fn an_offer_holds_by_the_time_of_a_block_that_was_shown() {
    let stage = stage();
    renew(&stage.site).unwrap();
    let offer = stage.chain.published.lock().unwrap()[0].offer.clone();
    let time = stage.chain.desired.lock().unwrap().as_ref().unwrap().time;
    let life_ms = stage.site.config.offer_life_ms;
    assert_eq!(offer.expires, TimeMs(time.0 + life_ms));
    assert_eq!(offer.nonce, time.0);
}

#[test]
fn a_machine_from_before_what_was_seen_is_not_offered() {
    let stage = stage();
    stage.chain.say([]);
    stage.round().unwrap();
    stage
        .chain
        .desired
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .height
        .0 -= 1;
    let refused = renew(&stage.site);
    assert!(matches!(
        refused,
        Err(AgentError::Chain(ChainError::Behind { .. }))
    ));
    assert_eq!(published(&stage), 0);
    assert!(*stage.chain.doubts.lock().unwrap() > 0);
}
