//! `nupeer lease attend` signs for a workload that answers, and for no other.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use nupeer_lease::LeaseState;
use nupeer_primitives::{AccountId, CardanoNetwork, TimeMs, cbor};
use serde_json::json;

use crate::{
    asking::{does, nupeer_json, said},
    played::{genesis, genesis_answer, node, not_found, raw},
    played_lease::{LEASE, lease, machine, note},
};

/// Block time of the played chain: the lease ran for so many ms.
const RAN_MS: u64 = 60_000;

/// A chain that has the lease and its machine, whose agent answers at `agent`.
fn chain(tenant: AccountId, agent: String) -> String {
    node(move |_, path| {
        let record = |cbor: Vec<u8>| {
            let record = json!({ "time_unix_ms": RAN_MS, "record_cbor": hex::encode(cbor) });
            (200, record)
        };
        if path == "/v1/genesis" {
            genesis_answer(&genesis("played"))
        } else if path.contains("/v1/leases/") {
            record(cbor::encode(&lease(
                tenant,
                LeaseState::Active { since: TimeMs(0) },
            )))
        } else if path.contains("/v1/machines/") {
            record(cbor::encode(&machine(agent.clone())))
        } else {
            not_found()
        }
    })
}

/// An agent that offers one note, says that the port is published at what `published` holds, and counts the notes that it is given.
fn agent(published: Arc<Mutex<Option<String>>>, given: Arc<AtomicUsize>) -> String {
    node(move |method, path| {
        if method == "POST" {
            given.fetch_add(1, Ordering::SeqCst);
            return (200, json!({}));
        }
        if path.ends_with("/usage") {
            return raw(&note(5_000).to_bytes());
        }
        let address = published.lock().unwrap().clone();
        (
            200,
            json!({ "state": "active", "workload": "running", "address": address }),
        )
    })
}

/// Runs a command of the tenant's; returns standard output and standard error.
fn tenant_does(folder: &Path, url: &str, args: &[&str]) -> (serde_json::Value, String) {
    let output = nupeer_json(folder, url, args);
    (does(&output), said(&output))
}

#[test]
fn what_does_not_answer_is_not_signed_for_and_that_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (made, _) = tenant_does(here, "http://127.0.0.1:1", &["wallet", "new"]);
    let tenant = made["account"].as_str().unwrap();
    let tenant = AccountId::parse(tenant, CardanoNetwork::Testnet).unwrap();
    let (published, given) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let url = chain(tenant, agent(published.clone(), given.clone()));
    let id = LEASE.to_string();
    let attend = |words: &[&str]| {
        let args = ["lease", "attend", &id, "--for", "1", "--every-ms", "100"];
        tenant_does(here, &url, &[&args[..], words].concat())
    };
    // A port that takes connections and lets go of them, as a proxy does whose workload is dead.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = dead.local_addr().unwrap().to_string();
    std::thread::spawn(move || dead.incoming().for_each(drop));
    *published.lock().unwrap() = Some(address);
    let (result, said) = attend(&[]);
    assert_eq!(
        (&result["notes"], given.load(Ordering::SeqCst)),
        (&json!(0), 0)
    );
    assert_eq!(said.matches("NP6210").count(), 1, "{said}");
    // One that keeps them.
    let alive = TcpListener::bind("127.0.0.1:0").unwrap();
    *published.lock().unwrap() = Some(alive.local_addr().unwrap().to_string());
    let (result, said) = attend(&[]);
    assert_eq!(result["signed_ms"], 5_000, "{said}");
    assert_eq!(
        (&result["notes"], given.load(Ordering::SeqCst)),
        (&json!(1), 1)
    );
    drop::<TcpListener>(alive);
}

#[test]
fn a_workload_without_a_port_and_one_that_is_not_to_be_tried_go_by_the_clocks() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (made, _) = tenant_does(here, "http://127.0.0.1:1", &["wallet", "new"]);
    let tenant = made["account"].as_str().unwrap();
    let tenant = AccountId::parse(tenant, CardanoNetwork::Testnet).unwrap();
    let (published, given) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let url = chain(tenant, agent(published.clone(), given));
    let id = LEASE.to_string();
    let attend = |leases: &str, words: &[&str]| {
        let args = ["lease", "attend", &id, "--for", "1", "--leases", leases];
        tenant_does(here, &url, &[&args[..], words].concat()).0
    };
    assert_eq!(attend("portless", &[])["signed_ms"], 5_000);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    assert!(TcpStream::connect(address).is_err());
    *published.lock().unwrap() = Some(address.to_string());
    assert_eq!(attend("untried", &["--no-probe"])["signed_ms"], 5_000);
}
