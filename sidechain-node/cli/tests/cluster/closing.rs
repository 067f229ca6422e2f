//! `nupeer lease close` signs for what ran up to the end, too: then the agent settles at once, and nobody waits for the window in which a note may
//! still come.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use nupeer_lease::{CloseReason, Lease, LeaseState, SignedUsage};
use nupeer_primitives::{AccountId, CardanoNetwork, Hash, TimeMs, cbor};
use serde_json::{Value, json};

use crate::{
    asking::{does, nupeer_json},
    played::{genesis, genesis_answer, not_found, raw, reading_node},
    played_lease::{self, LEASE, machine, note},
};

/// What had run when the tenant asked for the last note, and when the chain's clock stopped.
const BEFORE_MS: u64 = 5_000;
const AT_THE_END_MS: u64 = 6_000;

/// How far the lease is, and the notes that the agent was given.
struct Played {
    state: LeaseState,
    given_ms: Vec<u64>,
}

type Shared = Arc<Mutex<Played>>;

/// The lease, as the chain has it by then.
fn lease(tenant: AccountId, state: LeaseState) -> Lease {
    let ran_ms = match state {
        LeaseState::Active { .. } => 0,
        _ => AT_THE_END_MS,
    };
    Lease {
        ran_ms,
        ..played_lease::lease(tenant, state)
    }
}

/// A chain on which the lease is closing once a transaction came.
fn chain(played: Shared, tenant: AccountId, agent: String) -> String {
    reading_node(move |method, path, _| {
        let mut played = played.lock().unwrap();
        let record = |cbor: Vec<u8>| {
            let record = json!({ "time_unix_ms": AT_THE_END_MS, "record_cbor": hex::encode(cbor) });
            (200, record)
        };
        let is_active = matches!(played.state, LeaseState::Active { .. });
        if method == "POST" {
            let (reason, until) = (CloseReason::TenantClosed, TimeMs(36_000));
            played.state = LeaseState::Closing { reason, until };
            (200, json!({ "id": Hash::ZERO.to_string() }))
        } else if path == "/v1/genesis" {
            genesis_answer(&genesis("played"))
        } else if path.starts_with("/v1/accounts/") {
            let account = json!({ "height": 1, "balances": [], "keys": [], "next_sequence": 0 });
            (200, account)
        } else if path.starts_with("/v1/transactions/") && !is_active {
            (200, json!({ "status": "final", "height": 7, "index": 0 }))
        } else if path.contains("/v1/leases/") {
            record(cbor::encode(&lease(tenant, played.state)))
        } else if path.contains("/v1/machines/") {
            record(cbor::encode(&machine(agent.clone())))
        } else {
            not_found()
        }
    })
}

/// An agent that settles once it has a note for all that ran.
fn agent(played: Shared) -> String {
    reading_node(move |method, _, body| {
        let mut played = played.lock().unwrap();
        if method == "POST" {
            let metered_ms = SignedUsage::from_bytes(body).unwrap().usage.metered_ms;
            played.given_ms.push(metered_ms);
            if metered_ms == AT_THE_END_MS {
                let (reason, forget) = (CloseReason::TenantClosed, TimeMs(u64::MAX));
                played.state = LeaseState::Closed { reason, forget };
            }
            return (200, json!({}));
        }
        raw(&match played.state {
            LeaseState::Active { .. } => note(BEFORE_MS).to_bytes(),
            _ => note(AT_THE_END_MS).to_bytes(),
        })
    })
}

/// What closing the lease ends in, and the notes that the agent was given meanwhile.
fn close(folder: &Path, agent_of: impl FnOnce(&Shared) -> String) -> (Value, Vec<u64>) {
    let made = does(&nupeer_json(
        folder,
        "http://127.0.0.1:1",
        &["wallet", "new"],
    ));
    let tenant = made["account"].as_str().unwrap();
    let tenant = AccountId::parse(tenant, CardanoNetwork::Testnet).unwrap();
    let played = Arc::new(Mutex::new(Played {
        state: LeaseState::Active { since: TimeMs(0) },
        given_ms: vec![],
    }));
    let url = chain(played.clone(), tenant, agent_of(&played));
    let args = ["lease", "close", &LEASE.to_string(), "--yes"];
    let closed = does(&nupeer_json(folder, &url, &args));
    let given_ms = played.lock().unwrap().given_ms.clone();
    (closed, given_ms)
}

#[test]
fn what_ran_up_to_the_end_is_signed_for_and_the_lease_is_closed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (closed, given_ms) = close(folder.path(), |played| agent(played.clone()));
    assert_eq!(
        (&closed["state"], &given_ms[..]),
        (&json!("closed"), &[AT_THE_END_MS][..])
    );
    assert_eq!(closed["signed_ms"], AT_THE_END_MS);
}

#[test]
fn an_agent_that_does_not_answer_keeps_nobody_from_closing() {
    let folder = tempfile::tempdir().unwrap();
    let (closed, _) = close(folder.path(), |_| "http://127.0.0.1:1".to_owned());
    assert_eq!(closed["state"], "closing");
}
