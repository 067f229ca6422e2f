//! Nodes that lie, over HTTP: about how far the chain is, and about what is over.

use std::sync::{Arc, Mutex};

use nupeer_agent::chain::ChainError;
use nupeer_agent::node::NodeChain;
use nupeer_agent::{AgentConfig, AgentError};
use nupeer_lease::{Lease, LeaseState};
use nupeer_paas_drivers::WorkloadState;
use nupeer_primitives::{AccountId, Hash28, Height, cbor};
use serde_json::{Value, json};

use crate::played::{VOTERS, block, genesis, genesis_answer, node, not_found};
use crate::stage::{LEASE, PlayedChain, Stage, active, operator};

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
    /// How often it was asked for its listing.
    asked: u32,
}

/// The truth at a height: the lease runs.
fn truth(height: u64) -> Says {
    Says {
        height,
        certified: height,
        voters: VOTERS[..3].to_vec(),
        listed: Some(active()),
        lease: Some(active()),
        asked: 0,
    }
}

/// A height at which the lease is gone.
fn gone(height: u64) -> Says {
    Says {
        listed: None,
        lease: None,
        ..truth(height)
    }
}

fn record(lease: &Lease) -> String {
    hex::encode(cbor::encode(lease))
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
            block(&genesis("played"), now.certified, &now.voters)
        } else if path.starts_with("/v1/leases?") {
            let entry = |lease| json!({ "id": LEASE.to_string(), "record_cbor": record(lease) });
            says.lock().unwrap().asked += 1;
            let leases: Vec<Value> = now.listed.iter().map(entry).collect();
            with(json!({ "leases": leases, "next": null }))
        } else if let Some(lease) = now.lease.as_ref().filter(|_| path.contains("/v1/leases/")) {
            with(json!({ "record_cbor": record(lease) }))
        } else {
            not_found()
        }
    })
}

/// An agent with a running workload that listens to `count` nodes, which begin with the truth.
fn stage(count: usize) -> (Stage, Vec<Arc<Mutex<Says>>>) {
    let nodes: Vec<_> = (0..count).map(|_| Arc::new(Mutex::new(truth(5)))).collect();
    let urls: Vec<String> = nodes.iter().map(saying).collect();
    let (id, owner) = (genesis("played").id(), AccountId::of_key(Hash28([2; 28])));
    let chain = Arc::new(NodeChain::new(&urls, id, owner, &operator()));
    let played = Arc::new(PlayedChain::default());
    let stage = Stage::on(chain, played, id, |_: &mut AgentConfig| {});
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
    *node.lock().unwrap() = says;
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

#[test]
fn a_height_that_too_few_validators_signed_is_none() {
    let (stage, nodes) = stage(1);
    let lie = Says {
        voters: VOTERS[..2].to_vec(),
        ..gone(6)
    };
    set(&nodes[0], lie);
    let refused = stage.round();
    let unproven = |why: &str| why.contains("NP6209");
    assert!(
        matches!(&refused, Err(AgentError::Chain(ChainError::Malformed(why))) if unproven(why)),
        "{refused:?}"
    );
    set(&nodes[0], truth(6));
    stage.round().unwrap();
    assert_eq!((seen(&stage), runs(&stage)), (Height(6), true));
}

/// What one node may lie about a lease that runs.
fn lies() -> Vec<Says> {
    let over = |state| {
        let mut lease = active();
        lease.state = state;
        Some(lease)
    };
    let reason = nupeer_lease::CloseReason::TenantClosed;
    let until = nupeer_primitives::TimeMs(u64::MAX);
    let leases = [None, over(LeaseState::Closing { reason, until })];
    let lie = |lease: Option<Lease>| Says {
        height: 1_000_000,
        listed: lease.clone(),
        lease,
        ..truth(6)
    };
    leases.into_iter().map(lie).collect()
}

#[test]
fn one_node_of_several_removes_nothing_however_long_it_lies() {
    for lie in lies() {
        let (stage, nodes) = stage(2);
        for height in 6..12 {
            // Both list it alike, but asked by name the second one tells the truth.
            for (node, lease) in [(&nodes[0], lie.lease.clone()), (&nodes[1], Some(active()))] {
                let mut node = node.lock().unwrap();
                let asked = node.asked;
                *node = Says {
                    certified: height,
                    lease,
                    asked,
                    ..lie.clone()
                };
            }
            stage.round().unwrap();
            assert!(runs(&stage), "at {height}");
        }
        let asked = |node: &Mutex<Says>| node.lock().unwrap().asked;
        assert!(asked(&nodes[0]) > 0 && asked(&nodes[1]) > 0);
        set(&nodes[0], truth(12));
        set(&nodes[1], truth(12));
        stage.round().unwrap();
        assert_eq!((seen(&stage), runs(&stage)), (Height(12), true));
    }
}

#[test]
fn a_lie_of_a_moment_by_the_only_node_removes_nothing() {
    for lie in lies() {
        let (stage, nodes) = stage(1);
        for height in [6, 8, 10] {
            let lie = Says {
                certified: height,
                ..lie.clone()
            };
            set(&nodes[0], lie);
            stage.round().unwrap();
            assert!(runs(&stage), "at {height}");
            let problem = stage.site.with_live(&LEASE, |live| live.problem.clone());
            assert!(problem.unwrap().contains("is said by 1 of 1 nodes"));
            // Back to the truth: what was said before counts no more.
            set(&nodes[0], truth(height + 1));
            stage.round().unwrap();
        }
    }
}

#[test]
fn what_two_nodes_say_is_over_is_removed_and_what_the_only_one_goes_on_saying() {
    let (stage_of_two, nodes) = stage(3);
    // The one that is asked first stands still, or lies: it holds nothing up.
    for node in &nodes[1..] {
        set(node, gone(7));
    }
    for _ in 0..60 {
        if stage_of_two.engine.state(&LEASE).is_none() {
            break;
        }
        let _ = stage_of_two.round();
    }
    assert_eq!(stage_of_two.engine.state(&LEASE), None);
    let (stage_of_one, nodes) = stage(1);
    for height in 6..9 {
        assert!(runs(&stage_of_one), "at {height}");
        set(&nodes[0], gone(height));
        stage_of_one.round().unwrap();
    }
    assert_eq!(stage_of_one.engine.state(&LEASE), None);
}
