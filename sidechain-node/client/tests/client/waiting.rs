//! Waiting for a transaction: over nodes that forget, are away, or refuse.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nupeer_client::{Client, ClientError, Signer};
use nupeer_ledger::actions::RevokeKey;
use nupeer_primitives::{AccountId, Code, Hash, Hash28, Height, TimeMs};
use nupeer_runtime::{Action, SignedTransaction, Transaction, Witness};
use serde_json::{Value, json};

use crate::played::{node, not_found, reading_node};

const LONG: Duration = Duration::from_secs(60);

fn signed() -> SignedTransaction {
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signer = Signer::new(AccountId::of_key(Hash28([1; 28])), key);
    let revoke = RevokeKey {
        key: Hash28([2; 28]),
    };
    signer.sign(Transaction {
        network: Hash::ZERO,
        sender: signer.sender(),
        sequence: 0,
        valid_until: TimeMs(1),
        action: Action::Ledger(nupeer_ledger::Action::RevokeKey(revoke)),
    })
}

#[test]
fn who_asks_what_would_become_of_a_transaction_gives_nobody_its_signature() {
    let signed = signed();
    let (told, asked) = (Arc::new(Mutex::new(Vec::new())), signed.transaction.id());
    let heard = told.clone();
    let url = reading_node(move |method, path, body| {
        heard
            .lock()
            .unwrap()
            .push((format!("{method} {path}"), body.to_vec()));
        (
            200,
            json!({ "id": asked.to_string(), "status": "accepted" }),
        )
    });
    assert_eq!(Client::new([url]).check(&signed), Ok(()));
    let told = told.lock().unwrap();
    let [(question, body)] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(question, "POST /v1/transactions/check");
    let Witness::Key { signature, .. } = &signed.witness else {
        panic!("a key signs here")
    };
    let is_told = body.windows(64).any(|part| part == signature.0);
    assert!(!is_told, "the signature went along");
    assert_eq!(body.len(), signed.to_bytes().len(), "the fee follows it");
}

#[test]
fn what_would_be_refused_and_an_answer_about_something_else_are_told_apart() {
    let refused = json!({ "error": { "code": "NP2001", "message": "too little" } });
    let url = node(move |_, _| (422, refused.clone()));
    let error = Client::new([url]).check(&signed()).unwrap_err();
    assert_eq!(error.rule(), Some(Code(2001)));
    let url = node(|_, _| (200, json!({ "id": Hash::ZERO.to_string() })));
    let error = Client::new([url]).check(&signed()).unwrap_err();
    assert!(matches!(error, ClientError::Malformed { .. }), "{error:?}");
}

fn pending() -> (u16, Value) {
    (200, json!({ "status": "pending" }))
}

fn last() -> (u16, Value) {
    (200, json!({ "status": "final", "height": 7, "index": 0 }))
}

/// A node that answers questions about the transaction one after the other (the last one for ever), and to submissions with `taken`.
/// Counts the submissions.
fn teller(answers: Vec<(u16, Value)>, taken: (u16, Value)) -> (Client, Arc<AtomicUsize>) {
    let (asked, posted) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let count = posted.clone();
    let url = node(move |method, _| {
        if method == "POST" {
            count.fetch_add(1, Ordering::SeqCst);
            return taken.clone();
        }
        let next = asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        answers[next].clone()
    });
    (Client::new([url]), posted)
}

fn taken() -> (u16, Value) {
    (200, json!({ "id": signed().transaction.id().to_string() }))
}

#[test]
fn what_a_node_forgot_is_submitted_again_until_it_is_final() {
    let away = (503, json!({}));
    let answers = vec![not_found(), pending(), away, not_found(), pending(), last()];
    let (client, posted) = teller(answers, taken());
    assert_eq!(client.carry(&signed(), LONG), Ok(Height(7)));
    assert_eq!(posted.load(Ordering::SeqCst), 2);
}

#[test]
fn what_became_final_while_it_was_submitted_is_no_refusal() {
    let used = (
        400,
        json!({ "error": { "code": "NP2010", "message": "used" } }),
    );
    let (client, posted) = teller(vec![not_found(), last()], used);
    assert_eq!(client.carry(&signed(), LONG), Ok(Height(7)));
    assert_eq!(posted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refusal_ends_the_wait_at_once() {
    let reason = json!({ "code": "NP2001", "message": "poor" });
    let refused = (
        200,
        json!({ "status": "refused", "reason": reason.clone() }),
    );
    let (client, _) = teller(vec![pending(), refused], taken());
    let id = signed().transaction.id();
    let error = client.wait_final(&id, LONG).unwrap_err();
    assert!(matches!(error, ClientError::TransactionRefused { .. }));
    assert_eq!(error.rule().unwrap().to_string(), "NP2001");
    let (client, posted) = teller(vec![not_found()], (400, json!({ "error": reason })));
    let error = client.carry(&signed(), LONG).unwrap_err();
    assert_eq!(error.rule().unwrap().to_string(), "NP2001");
    assert_eq!(posted.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_signed_and_found_no_answer_may_have_arrived() {
    let id = signed().transaction.id();
    let nobody = Client::new(["http://127.0.0.1:1"]);
    let sent = nobody.submit_signed(&signed()).unwrap_err();
    assert!(matches!(sent, ClientError::Unanswered { id: of, .. } if of == id));
    let carried = nobody.carry(&signed(), Duration::from_millis(1));
    assert_eq!(carried, Err(ClientError::NotFinal { id, waited_ms: 1 }));
    let waited = nobody.wait_final(&id, Duration::from_millis(1));
    assert!(matches!(waited, Err(ClientError::Unreachable { .. })));
}

#[test]
fn who_only_waits_submits_nothing_and_the_wait_has_an_end() {
    let (client, posted) = teller(vec![not_found()], taken());
    let id = signed().transaction.id();
    let waited = client.wait_final(&id, Duration::from_millis(1));
    assert_eq!(waited, Err(ClientError::NotFinal { id, waited_ms: 1 }));
    assert_eq!(posted.load(Ordering::SeqCst), 0);
}
