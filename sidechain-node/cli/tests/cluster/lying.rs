//! A node that names another chain than the one a key is used on gets no signature, and one that shows what does not stand is told so.

use std::{
    path::Path,
    process::{Command, Output},
};

use nupeer_lease::Machine;
use nupeer_primitives::{Hash, Height, cbor};
use nupeer_runtime::Proven;
use serde_json::{Value, json};

use crate::{
    market::Market,
    played::{genesis, genesis_answer, node, not_found},
    validators::{NUPEER, address},
};

/// A node that says its chain is the one called `name`, and knows every account.
fn naming(name: &'static str) -> String {
    node(move |method, path| match (method, path) {
        (_, "/v1/genesis") => genesis_answer(&genesis(name)),
        ("POST", _) => (200, json!({ "id": Hash::ZERO.to_string() })),
        _ if path.starts_with("/v1/accounts/") => {
            let account = json!({ "height": 1, "balances": [], "keys": [], "next_sequence": 7 });
            (200, account)
        }
        _ => not_found(),
    })
}

fn nupeer(folder: &Path, url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(NUPEER);
    command
        .current_dir(folder)
        .env("NUPEER_WALLET_PASSWORD", "a password")
        .env("NUPEER_API_URL", url)
        .env_remove("NUPEER_SESSION")
        .env_remove("NUPEER_GENESIS_ID")
        .arg("--json")
        .args(args);
    command.output().unwrap()
}

fn does(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Refused as another chain's: exit code and number, and both ids are said.
fn is_other_chain(output: &Output, expected: &str, named: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error NP6208"), "{said}");
    for name in [expected, named] {
        assert!(said.contains(&genesis(name).id().to_string()), "{said}");
    }
    assert!(said.contains("--genesis-id"), "{said}");
}

#[test]
fn a_key_signs_for_the_chain_it_is_used_on_and_for_another_on_the_users_own_word() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (honest, lying) = (naming("mine"), naming("other"));
    does(&nupeer(here, &honest, &["wallet", "new"]));
    let to = address(9);
    let pay = ["tx", "send", "--to", &to, "--amount", "1ADA", "--dry-run"];
    // What the user says before the first use holds from the first use on.
    let (mine, other) = (genesis("mine").id(), genesis("other").id());
    let (mine, other) = (mine.to_string(), other.to_string());
    let told = [&["--genesis-id", &mine][..], &pay].concat();
    is_other_chain(&nupeer(here, &lying, &told), "mine", "other");
    let shown = does(&nupeer(here, &honest, &pay));
    assert!(shown["text"].as_str().unwrap().starts_with("mine: send"));
    // The first chain is remembered, whatever node is asked next.
    is_other_chain(&nupeer(here, &lying, &pay), "mine", "other");
    // So is a session key's.
    let session = ["wallet", "session", "new", "--budget", "1ADA", "--no-wait"];
    does(&nupeer(here, &honest, &[&session[..], &["--yes"]].concat()));
    let lease = "11".repeat(32);
    let cancel = ["lease", "cancel", &lease, "--session", "session.json"];
    let cancel = [&cancel[..], &["--dry-run"]].concat();
    does(&nupeer(here, &honest, &cancel));
    is_other_chain(&nupeer(here, &lying, &cancel), "mine", "other");
    // Going over to another chain takes the user's own word; then that one is remembered.
    let told = [&["--genesis-id", &other][..], &pay].concat();
    let shown = does(&nupeer(here, &lying, &told));
    assert!(shown["text"].as_str().unwrap().starts_with("other: send"));
    does(&nupeer(here, &lying, &pay));
    is_other_chain(&nupeer(here, &honest, &pay), "other", "mine");
}

/// An honest answer with its record altered.
fn altered(honest: &Value, change: impl FnOnce(&mut Machine)) -> Value {
    let record = hex::decode(honest["record_cbor"].as_str().unwrap()).unwrap();
    let mut machine: Machine = cbor::decode(&record).unwrap();
    change(&mut machine);
    let record = hex::encode(cbor::encode(&machine));
    assert_ne!(honest["record_cbor"], record.as_str(), "it is altered");
    let mut answer = honest.clone();
    answer["record_cbor"] = record.into();
    answer
}

/// An honest answer with its proof altered.
fn reproven(honest: &Value, change: impl FnOnce(&mut Proven)) -> Value {
    let proven = hex::decode(honest["proven_cbor"].as_str().unwrap()).unwrap();
    let mut proven: Proven = cbor::decode(&proven).unwrap();
    change(&mut proven);
    let mut answer = honest.clone();
    answer["proven_cbor"] = hex::encode(cbor::encode(&proven)).into();
    answer
}

#[test]
fn a_record_that_a_node_alters_hides_or_makes_up_is_told_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::new();
    let (id, nothing) = (market.machine.to_string(), "77".repeat(32));
    let proof = |id: &str| {
        let path = format!("/v1/machines/{id}/proof");
        market.validators.get(0, &path).unwrap()
    };
    let (honest, absent) = (proof(&id), proof(&nothing));
    let genesis = market.validators.genesis.to_str().unwrap();
    let shown = |answer: &Value, id: &str, genesis: &str| {
        let answer = answer.clone();
        let url = node(move |_, _| (200, answer.clone()));
        let args = ["machine", "show", id, "--prove", genesis];
        nupeer(folder.path(), &url, &args)
    };
    let is_told = |output: &Output, code: &str| {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(10), "{code}: {said}");
        assert!(said.contains(code), "{code}: {said}");
        assert!(said.contains("do not trust this node"), "{said}");
        assert!(output.stdout.is_empty(), "nothing of it is shown");
    };
    // Played back as it is, it holds.
    assert_eq!(does(&shown(&honest, &id, genesis))["there"], true);
    assert_eq!(does(&shown(&absent, &nothing, genesis))["there"], false);

    let with = |answer: &Value, record: Value| {
        let mut answer = answer.clone();
        answer["record_cbor"] = record;
        answer
    };
    let made_up = with(&absent, honest["record_cbor"].clone());
    for (answer, asked, code) in [
        (altered(&honest, |m| m.leases_open += 1), &id, "NP2131"),
        (with(&honest, Value::Null), &id, "NP2131"),
        (made_up, &nothing, "NP2131"),
        (honest.clone(), &nothing, "NP2131"),
        (
            reproven(&honest, |p| p.state.journal = Hash::ZERO),
            &id,
            "NP2132",
        ),
        (
            reproven(&honest, |p| p.header.height = Height(9_999)),
            &id,
            "NP2134",
        ),
        (
            reproven(&honest, |p| p.certificate.signatures.truncate(2)),
            &id,
            "NP1043",
        ),
        (
            with(&honest, "xyz".into()),
            &id,
            "record_cbor is not hexadecimal",
        ),
        (json!({}), &id, "proven_cbor is not hexadecimal"),
    ] {
        is_told(&shown(&answer, asked, genesis), code);
    }
    // True, but of another chain's validators.
    let other = folder.path().join("other.json");
    std::fs::write(&other, genesis_text("other")).unwrap();
    is_told(&shown(&honest, &id, other.to_str().unwrap()), "NP1040");
}

fn genesis_text(name: &str) -> String {
    genesis(name).to_json().unwrap()
}
