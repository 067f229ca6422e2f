//! Nodes that lie, over HTTP: about how far the chain is, and about what is over.

use std::sync::{Arc, Mutex};

use nupeer_agent::chain::ChainError;
use nupeer_agent::node::NodeChain;
use nupeer_agent::{AgentConfig, AgentError};
use nupeer_lease::{CloseReason, Lease, LeaseState, PauseReason};
use nupeer_paas_drivers::WorkloadState;
use nupeer_primitives::{AccountId, Hash28, Height, TimeMs, cbor};
use serde_json::{Value, json};

use crate::played::{VOTERS, block, genesis, genesis_answer, lease_proof, node, not_found};
use crate::stage::{LEASE, PlayedChain, Stage, active, operator, provisioning};

/// What a node says.
#[derive(Clone)]
struct Says {
    /// How far it is.
    height: u64,
    /// The last block that it shows, and who signed it.
    certified: u64,
    voters: Vec<u8>,
    /// The lease in its listing, if it is there.
    listed: Option<Lease>,
    /// The lease by its name, if it has it.
    lease: Option<Lease>,
    /// The lease in the state that the validators signed, if it is there.
    signed: Option<Lease>,
    /// The block under which it proves that; none: the last one.
    proven_at: Option<u64>,
    /// How often it was asked for its listing.
    asked: u32,
    /// How often it was asked for its last block, since the beginning.
    headers: u32,
}

/// What a node says at a height at which the lease is so.
fn truly(height: u64, lease: Option<Lease>) -> Says {
    Says {
        height,
        certified: height,
        voters: VOTERS[..3].to_vec(),
        listed: lease.clone(),
        signed: lease.clone(),
        lease,
        proven_at: None,
        asked: 0,
        headers: 0,
    }
}

/// The truth at a height: the lease runs.
fn truth(height: u64) -> Says {
    truly(height, Some(active()))
}

/// A height at which the lease is gone.
fn gone(height: u64) -> Says {
    truly(height, None)
}

/// A node that says what is in `says` when it is asked.
fn saying(says: &Arc<Mutex<Says>>) -> String {
    let says = says.clone();
    node(move |_, path| {
        let now = says.lock().unwrap().clone();
        let with = |mut value: Value| {
            value["height"] = now.height.into();
            value["time_unix_ms"] = (1_000_000 + now.height * 1_000).into();
            (200, value)
        };
        if path == "/v1/genesis" {
            genesis_answer(&genesis("played"))
        } else if path == "/v1/blocks/latest" {
            says.lock().unwrap().headers += 1;
            block(&genesis("played"), now.certified, &now.voters)
        } else if path.starts_with("/v1/leases?") {
            let entry = |lease| json!({ "id": LEASE.to_string(), "record_cbor": hex::encode(cbor::encode(lease)) });
            says.lock().unwrap().asked += 1;
            let leases: Vec<Value> = now.listed.iter().map(entry).collect();
            with(json!({ "leases": leases, "next": null }))
        } else if path == format!("/v1/leases/{LEASE}/proof") {
            let bytes = |lease: &Option<Lease>| lease.as_ref().map(cbor::encode);
            let (signed, given) = (bytes(&now.signed), bytes(&now.lease));
            let (genesis, height) = (genesis("played"), now.proven_at.unwrap_or(now.certified));
            let block = (&genesis, height, &now.voters[..]);
            lease_proof(block, &LEASE.0, signed.as_deref(), given.as_deref())
        } else {
            not_found()
        }
    })
}

/// An agent that listens to `count` nodes, which begin with what `says` says.
fn hearing(count: usize, says: Says) -> (Stage, Vec<Arc<Mutex<Says>>>) {
    let nodes: Vec<_> = (0..count)
        .map(|_| Arc::new(Mutex::new(says.clone())))
        .collect();
    let urls: Vec<String> = nodes.iter().map(saying).collect();
    let (id, owner) = (genesis("played").id(), AccountId::of_key(Hash28([2; 28])));
    let chain = Arc::new(NodeChain::new(&urls, id, owner, &operator()));
    let played = Arc::new(PlayedChain::default());
    let stage = Stage::on(chain, played, id, |_: &mut AgentConfig| {});
    (stage, nodes)
}

/// An agent with a running workload that listens to `count` nodes, which begin with the truth.
fn stage(count: usize) -> (Stage, Vec<Arc<Mutex<Says>>>) {
    let (stage, nodes) = hearing(count, truth(5));
    stage.engine.put(&LEASE.to_string(), WorkloadState::Running);
    stage.round().unwrap();
    (stage, nodes)
}

fn runs(stage: &Stage) -> bool {
    stage.engine.state(&LEASE) == Some(WorkloadState::Running)
}

fn seen(stage: &Stage) -> Height {
    stage.site.seen.lock().unwrap().height()
}

fn set(node: &Mutex<Says>, says: Says) {
    let mut now = node.lock().unwrap();
    let headers = now.headers;
    *now = Says { headers, ..says };
}

#[test]
fn one_lie_about_the_height_makes_no_honest_answer_old() {
    let (stage, nodes) = stage(1);
    assert_eq!(seen(&stage), Height(5));
    let lie = Says {
        height: 1_000_000,
        ..truth(6)
    };
    set(&nodes[0], lie);
    stage.round().unwrap();
    assert_eq!(seen(&stage), Height(6), "as far as the validators signed");
    set(&nodes[0], truth(7));
    stage.round().unwrap();
    assert_eq!((seen(&stage), runs(&stage)), (Height(7), true));
}

/// That what the node said proves nothing.
fn is_unproven(refused: &Result<(), AgentError>) -> bool {
    matches!(refused, Err(AgentError::Chain(ChainError::Malformed(why))) if why.contains("NP6209"))
}

#[test]
fn a_height_that_too_few_validators_signed_is_none() {
    let (stage, nodes) = stage(1);
    let lie = Says {
        voters: VOTERS[..2].to_vec(),
        ..gone(6)
    };
    set(&nodes[0], lie);
    let refused = stage.round();
    assert!(is_unproven(&refused), "{refused:?}");
    set(&nodes[0], truth(6));
    stage.round().unwrap();
    assert_eq!((seen(&stage), runs(&stage)), (Height(6), true));
}

fn in_state(state: LeaseState) -> Option<Lease> {
    let mut lease = active();
    lease.state = state;
    Some(lease)
}

fn paused() -> Option<Lease> {
    let (reason, until) = (PauseReason::Funds, TimeMs(u64::MAX));
    in_state(LeaseState::Paused { reason, until })
}

fn closing() -> Option<Lease> {
    let (reason, until) = (CloseReason::TenantClosed, TimeMs(u64::MAX));
    in_state(LeaseState::Closing { reason, until })
}

/// What a node may lie about a lease that runs, at a height: what validators signed is the truth.
fn lies(height: u64) -> Vec<Says> {
    let lie = |lease: Option<Lease>| Says {
        height: 1_000_000,
        listed: lease.clone(),
        lease,
        ..truth(height)
    };
    [None, paused(), closing()].into_iter().map(lie).collect()
}

#[test]
fn what_a_node_makes_up_about_a_lease_changes_nothing_however_long_it_lies() {
    for lie in 0..lies(6).len() {
        let (stage, nodes) = stage(1);
        for height in 6..12 {
            set(&nodes[0], lies(height)[lie].clone());
            let refused = stage.round();
            assert!(is_unproven(&refused), "{refused:?}");
            assert!(runs(&stage), "at {height}");
            assert!(stage.site.lease(&LEASE).is_some(), "at {height}");
        }
        set(&nodes[0], truth(12));
        stage.round().unwrap();
        assert_eq!((seen(&stage), runs(&stage)), (Height(12), true));
    }
}

#[test]
fn a_node_that_lies_is_asked_once_and_the_next_one_goes_on() {
    for lie in lies(6) {
        let (stage, nodes) = stage(2);
        set(&nodes[0], lie);
        set(&nodes[1], truth(6));
        let refused = stage.round();
        assert!(is_unproven(&refused), "{refused:?}");
        for height in 7..10 {
            set(&nodes[1], truth(height));
            stage.round().unwrap();
            assert_eq!((seen(&stage), runs(&stage)), (Height(height), true));
        }
        assert_eq!(nodes[0].lock().unwrap().asked, 1);
    }
}

#[test]
fn a_lease_that_nobody_made_is_none() {
    let (stage, nodes) = hearing(1, gone(5));
    stage.round().unwrap();
    for lease in [Some(provisioning()), Some(active())] {
        let lie = Says {
            listed: lease.clone(),
            lease,
            ..gone(6)
        };
        set(&nodes[0], lie);
        let refused = stage.round();
        assert!(is_unproven(&refused), "{refused:?}");
        // Listed, and shown not to be there: nothing is to be done.
        let listed = Some(provisioning());
        set(&nodes[0], Says { listed, ..gone(6) });
        stage.round().unwrap();
        assert_eq!(stage.site.lease(&LEASE), None);
    }
}

#[test]
fn a_state_that_was_true_once_is_not_true_again() {
    let (stage, nodes) = hearing(1, truly(5, paused()));
    stage.engine.put(&LEASE.to_string(), WorkloadState::Running);
    stage.round().unwrap();
    assert_eq!(stage.engine.state(&LEASE), Some(WorkloadState::Paused));
    set(&nodes[0], truth(6));
    stage.round().unwrap();
    assert!(runs(&stage));
    let again = Says {
        certified: 7,
        height: 7,
        proven_at: Some(5),
        ..truly(5, paused())
    };
    set(&nodes[0], again);
    let refused = stage.round();
    let (provided, seen) = (Height(5), Height(6));
    let expected = ChainError::Behind { provided, seen };
    assert!(matches!(&refused, Err(AgentError::Chain(error)) if *error == expected));
    assert!(runs(&stage));
}

#[test]
fn what_any_one_node_shows_to_be_over_is_removed() {
    for over in [gone(6), truly(6, closing())] {
        let (stage, nodes) = stage(1);
        set(&nodes[0], over);
        stage.round().unwrap();
        assert_eq!(stage.engine.state(&LEASE), None);
    }
}

#[test]
fn a_listing_that_leaves_a_lease_out_does_not_hide_it() {
    let (stage, nodes) = stage(1);
    let listed = None;
    set(&nodes[0], Says { listed, ..truth(6) });
    stage.round().unwrap();
    assert!(stage.site.lease(&LEASE).is_some());
    assert!(runs(&stage));
}

#[test]
fn an_end_that_a_node_holds_back_comes_out_while_it_tells_blocks() {
    for over in [None, closing()] {
        let (stage, nodes) = stage(2);
        for height in 6..40 {
            let signed = over.clone();
            let lie = Says {
                signed,
                ..truth(height)
            };
            set(&nodes[0], lie);
            set(&nodes[1], truly(height, over.clone()));
            match stage.round() {
                Ok(()) => {}
                refused => assert!(is_unproven(&refused), "{refused:?}"),
            }
        }
        assert_eq!(stage.engine.state(&LEASE), None);
    }
}

#[test]
fn a_node_that_stands_still_holds_nothing_up() {
    let (stage, nodes) = stage(3);
    for node in &nodes[1..] {
        set(node, gone(7));
    }
    for _ in 0..60 {
        if !runs(&stage) {
            break;
        }
        stage.round().unwrap();
    }
    assert_eq!(
        (stage.engine.state(&LEASE), seen(&stage)),
        (None, Height(7))
    );
}

#[test]
fn a_header_is_asked_for_once_for_each_block_that_a_node_tells_of() {
    let (stage, nodes) = stage(1);
    let headers = || nodes[0].lock().unwrap().headers;
    for height in 5..8 {
        set(&nodes[0], truth(height));
        for _ in 0..3 {
            stage.round().unwrap();
        }
        assert_eq!(seen(&stage), Height(height));
        assert_eq!(u64::from(headers()), height - 4);
    }
}

#[test]
fn an_agent_with_nothing_to_do_asks_for_a_header_now_and_then() {
    let (stage, nodes) = hearing(1, gone(1));
    for height in 1..=50 {
        set(&nodes[0], gone(height));
        stage.round().unwrap();
    }
    assert_eq!(nodes[0].lock().unwrap().headers, 10);
    assert!(seen(&stage) >= Height(45), "{}", seen(&stage));
    // What is news is looked at at once.
    set(&nodes[0], truth(51));
    stage.round().unwrap();
    assert_eq!(seen(&stage), Height(51));
    assert!(stage.site.lease(&LEASE).is_some());
}

#[test]
fn an_agent_with_nothing_to_do_notices_that_a_node_stands_still() {
    let (stage, nodes) = hearing(2, gone(5));
    set(&nodes[1], gone(90));
    for _ in 0..40 {
        if seen(&stage) == Height(90) {
            break;
        }
        stage.round().unwrap();
    }
    assert_eq!(seen(&stage), Height(90));
}
