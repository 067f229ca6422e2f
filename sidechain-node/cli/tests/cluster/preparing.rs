//! What an outside wallet is given to sign, for each thing that `nupeer` can do; and that a node takes what it signed.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use ed25519_dalek::Signer;
use nupeer_bridge::{WithdrawalId, actions as bridge};
use nupeer_lease::{
    Action as Lease, Kind, LeaseId, MachineId, Request, RequestState, Resources, SignedUsage,
    Usage, actions as lease, request::Wanted,
};
use nupeer_ledger::{Action as Ledger, Scope, actions as ledger};
use nupeer_primitives::{Amount, AssetId, Hash, Hash28, PublicKey, Signature, TimeMs, cbor};
use nupeer_runtime::{Action, SignedTransaction, Transaction};
use serde_json::{Value, json};

use crate::{
    asking::nupeer_json,
    played::{genesis, genesis_answer, not_found, reading_node},
    validators::{account, address, key},
};

const ID: Hash = Hash([0x11; 32]);
const KEY: Hash28 = Hash28([0x22; 28]);
const TO: &str = "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz";

/// A node of the played chain, which knows every account, one request and no offer; what it is sent goes into `taken`.
fn node(taken: Arc<Mutex<Vec<Vec<u8>>>>) -> String {
    reading_node(move |method, path, body| {
        if method == "POST" {
            taken.lock().unwrap().push(body.to_vec());
            return (200, json!({ "id": ID.to_string() }));
        }
        if path == "/v1/genesis" {
            genesis_answer(&genesis("played"))
        } else if path.starts_with("/v1/accounts/") {
            let account = json!({ "height": 1, "balances": [], "keys": [], "next_sequence": 7 });
            (200, account)
        } else if path.starts_with("/v1/offers") || path.starts_with("/v1/machines") {
            let page = json!({ "height": 1, "time_unix_ms": 1, "offers": [], "machines": [] });
            (200, page)
        } else if path.starts_with("/v1/requests/") {
            let record = hex::encode(cbor::encode(&standing()));
            (200, json!({ "time_unix_ms": 1, "record_cbor": record }))
        } else {
            not_found()
        }
    })
}

fn standing() -> Request {
    Request {
        tenant: account(1),
        wanted: Wanted {
            kind: Kind::Container,
            resources: Resources::default(),
            duration_ms: 1,
            image: ID,
            manifest: ID,
            score_floors: vec![],
            machine: None,
            price_max_lovelace_per_hour: 1,
            expires: TimeMs(1),
        },
        escrow_lovelace: Amount::new(1),
        state: RequestState::Open,
    }
}

/// What is prepared for account 1: its transaction, checked to be what the wallet is shown, and all that was said.
fn prepared(folder: &Path, url: &str, what: &[&str]) -> (Transaction, Value) {
    let from = address(1);
    let output = nupeer_json(
        folder,
        url,
        &[&["tx", "prepare", "--from", &from], what].concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what:?}: {said}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bytes = hex::decode(value["transaction_cbor"].as_str().unwrap()).unwrap();
    let transaction: Transaction = cbor::decode(&bytes).unwrap();
    let chain = genesis("played").chain().unwrap();
    assert_eq!(transaction.network, chain.id);
    assert_eq!(transaction.sender.account, account(1));
    assert_eq!(transaction.sequence, 7);
    let text = transaction.text(&chain);
    assert_eq!(value["text"], text.as_str());
    assert_eq!(value["payload_hex"], hex::encode(&text).as_str());
    (transaction, value)
}

fn usage() -> SignedUsage {
    SignedUsage {
        usage: Usage {
            lease: LeaseId(ID),
            metered_ms: 5,
            evidence: ID,
        },
        operator: PublicKey([1; 32]),
        operator_signature: Signature([2; 64]),
        tenant_key: PublicKey([3; 32]),
        tenant_signature: Signature([4; 64]),
    }
}

#[test]
fn each_thing_that_needs_nothing_kept_is_prepared_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let url = node(Arc::default());
    let (id, key_hash, to) = (ID.to_string(), KEY.to_string(), address(2));
    let note = hex::encode(usage().to_bytes());
    let ada = |n: u128| Amount::new(n * 1_000_000);
    let paid =
        nupeer_bridge::address::parse(TO, nupeer_primitives::CardanoNetwork::Testnet).unwrap();
    let paid = paid.to_bytes(nupeer_primitives::CardanoNetwork::Testnet);
    let cases: Vec<(Vec<&str>, Action)> = vec![
        (
            vec!["send", "--to", &to, "--amount", "3ADA"],
            Ledger::Transfer(ledger::Transfer {
                to: account(2),
                asset: AssetId::Ada,
                amount: ada(3),
            })
            .into(),
        ),
        (
            vec!["revoke", "--key", &key_hash],
            Ledger::RevokeKey(ledger::RevokeKey { key: KEY }).into(),
        ),
        (
            vec!["withdraw", "--to", TO, "--amount", "5ADA"],
            nupeer_bridge::Action::Withdraw(bridge::Withdraw::ada(paid, ada(5))).into(),
        ),
        (
            vec!["cancel-withdrawal", &id],
            nupeer_bridge::Action::CancelWithdrawal(bridge::CancelWithdrawal {
                id: WithdrawalId(ID),
            })
            .into(),
        ),
        (
            vec!["cancel-request", &id],
            Lease::CancelRequest(lease::CancelRequest {
                request: LeaseId(ID),
            })
            .into(),
        ),
        (
            vec!["top-up", &id, "2ADA"],
            Lease::TopUp(lease::TopUp {
                lease: LeaseId(ID),
                amount_lovelace: ada(2),
            })
            .into(),
        ),
        (
            vec!["settle-usage", &note],
            Lease::SubmitUsage(Box::new(lease::SubmitUsage { usage: usage() })).into(),
        ),
        (
            vec!["withdraw-machine", &id],
            Lease::WithdrawMachine(lease::WithdrawMachine {
                machine: MachineId(ID),
            })
            .into(),
        ),
    ];
    for (what, expected) in cases {
        let (transaction, _) = prepared(folder.path(), &url, &what);
        assert_eq!(transaction.action, expected, "{what:?}");
    }
    // What does not stand on the chain is not made up.
    let from = address(1);
    for (what, code) in [(vec!["match", &id], 8), (vec!["close", &id], 5)] {
        let args = [&["tx", "prepare", "--from", &from][..], &what].concat();
        let output = nupeer_json(folder.path(), &url, &args);
        assert_eq!(output.status.code(), Some(code), "{what:?}");
    }
}

#[test]
fn what_a_request_is_to_run_and_a_session_key_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let url = node(Arc::default());
    let digest = format!("sha256:{}", "04".repeat(32));
    let mut what = vec![
        "request", "--image", &digest, "--cpu", "0.2", "--memory", "64MiB",
    ];
    what.extend([
        "--port",
        "8080",
        "--price-max",
        "1ADA/h",
        "--duration",
        "10m",
    ]);
    what.extend(["--escrow", "2ADA"]);
    let (transaction, value) = prepared(folder.path(), &url, &what);
    let lease = LeaseId::requested_by(&transaction.id());
    assert_eq!(value["request"], lease.to_string().as_str());
    let Action::Lease(Lease::PostRequest(post)) = &transaction.action else {
        panic!("{transaction:?}");
    };
    assert_eq!(post.escrow_lovelace, Amount::new(2_000_000));
    let kept = folder.path().join(format!("leases/{lease}.json"));
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    let spec = hex::decode(kept["manifest_cbor"].as_str().unwrap()).unwrap();
    let spec = nupeer_paas::ContainerSpec::from_bytes(&spec).unwrap();
    assert_eq!(
        (spec.manifest(), spec.port),
        (post.wanted.manifest, Some(8080))
    );

    let what = ["session", "--budget", "3ADA", "--hours", "2"];
    let (transaction, value) = prepared(folder.path(), &url, &what);
    let Action::Ledger(Ledger::GrantKey(grant)) = &transaction.action else {
        panic!("{transaction:?}");
    };
    assert_eq!(
        (grant.scope, grant.budget_lovelace),
        (Scope::LEASE, Amount::new(3_000_000))
    );
    assert_eq!(value["key"], grant.key.to_string().as_str());
    assert!(folder.path().join("session.json").exists());
}

/// CIP-30's `signData` with account 1's key: signature and key.
fn sign_data(address: &[u8], payload: &[u8]) -> (String, String) {
    let mut protected = minicbor::Encoder::new(Vec::new());
    protected.map(2).unwrap().u8(1).unwrap().i8(-8).unwrap();
    protected.str("address").unwrap().bytes(address).unwrap();
    let protected = protected.into_writer();
    let mut signed = minicbor::Encoder::new(Vec::new());
    signed.array(4).unwrap().str("Signature1").unwrap();
    signed.bytes(&protected).unwrap().bytes(&[]).unwrap();
    signed.bytes(payload).unwrap();
    let signature = key(1).sign(&signed.into_writer()).to_bytes();
    let mut message = minicbor::Encoder::new(Vec::new());
    message.array(4).unwrap().bytes(&protected).unwrap();
    message
        .map(1)
        .unwrap()
        .str("hashed")
        .unwrap()
        .bool(false)
        .unwrap();
    message.bytes(payload).unwrap().bytes(&signature).unwrap();
    let mut public = minicbor::Encoder::new(Vec::new());
    public.map(4).unwrap().u8(1).unwrap().u8(1).unwrap();
    public
        .u8(3)
        .unwrap()
        .i8(-8)
        .unwrap()
        .i8(-1)
        .unwrap()
        .u8(6)
        .unwrap();
    public
        .i8(-2)
        .unwrap()
        .bytes(key(1).verifying_key().as_bytes())
        .unwrap();
    (
        hex::encode(message.into_writer()),
        hex::encode(public.into_writer()),
    )
}

#[test]
fn what_an_outside_wallet_signed_is_what_a_node_takes() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let url = node(taken.clone());
    let id = ID.to_string();
    let (chain, network) = (
        genesis("played").chain().unwrap(),
        nupeer_primitives::CardanoNetwork::Testnet,
    );
    for what in [
        vec!["withdraw", "--to", TO, "--amount", "5ADA"],
        vec!["cancel-request", &id],
        vec!["top-up", &id, "2ADA"],
    ] {
        let (transaction, value) = prepared(folder.path(), &url, &what);
        let text = transaction.text(&chain);
        let (sign1, public) = sign_data(&account(1).reward_address(network), text.as_bytes());
        let cbor = value["transaction_cbor"].as_str().unwrap();
        let submit = ["tx", "submit", "--no-wait", "--cbor", cbor];
        let submit = [
            &submit[..],
            &["--cose-sign1", &sign1, "--cose-key", &public],
        ]
        .concat();
        let output = nupeer_json(folder.path(), &url, &submit);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let bytes = taken.lock().unwrap().pop().unwrap();
        let signed = SignedTransaction::from_bytes(&bytes, &chain).unwrap();
        assert_eq!(signed.verify(&chain).unwrap().transaction(), &transaction);
    }
}
