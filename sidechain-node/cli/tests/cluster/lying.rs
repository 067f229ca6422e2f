//! A node that names another chain than the one a key is used on gets no signature, one that shows what does not stand is told so, and what it writes stays
//! text.

use std::{
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use nupeer_lease::Machine;
use nupeer_primitives::{Hash, Height, cbor};
use nupeer_runtime::{Proven, SignedTransaction};
use serde_json::{Value, json};

use crate::{
    asking::{does, nupeer, nupeer_json},
    market::Market,
    played::{genesis, genesis_answer, node, not_found, reading_node},
    validators::address,
};

/// A node that says its chain is the one called `name`, knows every account, and has nothing against any transaction.
fn naming(name: &'static str) -> String {
    reading_node(move |method, path, body| match (method, path) {
        (_, "/v1/genesis") => genesis_answer(&genesis(name)),
        ("POST", _) => {
            let signed: SignedTransaction = cbor::decode(body).unwrap();
            (200, json!({ "id": signed.transaction.id().to_string() }))
        }
        _ if path.starts_with("/v1/accounts/") => {
            let account = json!({ "height": 1, "balances": [], "keys": [], "next_sequence": 7 });
            (200, account)
        }
        _ => not_found(),
    })
}

/// Refused as another chain's: exit code and number, and both ids are said.
fn is_other_chain(output: &Output, expected: &str, named: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error NP6208"), "{said}");
    for name in [expected, named] {
        assert!(said.contains(&genesis(name).id().to_string()), "{said}");
    }
    // A wallet goes over by the user's word, a session key is for one chain.
    let steps = ["--genesis-id", "nupeer wallet session new"];
    assert!(steps.iter().any(|step| said.contains(step)), "{said}");
}

#[test]
fn a_key_signs_for_the_chain_it_is_used_on_and_for_another_on_the_users_own_word() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (honest, lying) = (naming("mine"), naming("other"));
    does(&nupeer_json(here, &honest, &["wallet", "new"]));
    let to = address(9);
    let pay = ["tx", "send", "--to", &to, "--amount", "1ADA"];
    let look = [&pay[..], &["--dry-run"]].concat();
    let pay = [&pay[..], &["--yes", "--no-wait"]].concat();
    // What the user says before the first use holds from the first use on.
    let (mine, other) = (genesis("mine").id(), genesis("other").id());
    let (mine, other) = (mine.to_string(), other.to_string());
    let told = [&["--genesis-id", &mine][..], &pay].concat();
    is_other_chain(&nupeer_json(here, &lying, &told), "mine", "other");
    // What is only shown is signed for nobody: it remembers no chain.
    for (url, chain) in [(&honest, "mine"), (&lying, "other")] {
        let shown = does(&nupeer_json(here, url, &look));
        let text = format!("{chain}: send");
        assert!(shown["text"].as_str().unwrap().starts_with(&text));
        assert_eq!(shown["refused"], Value::Null);
    }
    let files = std::fs::read_dir(here).unwrap().flatten();
    let files: Vec<_> = files.map(|file| file.file_name()).collect();
    assert_eq!(files, ["wallet.json"]);
    // The first chain that is signed for is remembered, whatever node is asked next.
    does(&nupeer_json(here, &honest, &pay));
    is_other_chain(&nupeer_json(here, &lying, &pay), "mine", "other");
    is_other_chain(&nupeer_json(here, &lying, &look), "mine", "other");
    // So is a session key's.
    let session = ["wallet", "session", "new", "--budget", "1ADA", "--no-wait"];
    does(&nupeer_json(
        here,
        &honest,
        &[&session[..], &["--yes"]].concat(),
    ));
    let lease = "11".repeat(32);
    let cancel = ["lease", "cancel", &lease, "--session", "session.json"];
    let cancel = [&cancel[..], &["--dry-run"]].concat();
    does(&nupeer_json(here, &honest, &cancel));
    is_other_chain(&nupeer_json(here, &lying, &cancel), "mine", "other");
    // Going over to another chain takes the user's own word; then that one is remembered.
    let told = |words: &[&str]| {
        let args = [&["--genesis-id", &other][..], words].concat();
        does(&nupeer_json(here, &lying, &args))
    };
    let shown = told(&look);
    assert!(shown["text"].as_str().unwrap().starts_with("other: send"));
    is_other_chain(&nupeer_json(here, &lying, &pay), "mine", "other");
    told(&pay);
    does(&nupeer_json(here, &lying, &pay));
    is_other_chain(&nupeer_json(here, &honest, &pay), "other", "mine");
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
        nupeer_json(folder.path(), &url, &args)
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

/// As a person asks, without `--json`.
fn said(folder: &Path, url: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output = nupeer(folder, url, args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn id(n: u8) -> String {
    format!("{n:02x}").repeat(32)
}

fn entry(n: u8) -> Value {
    json!({ "id": id(n) })
}

#[test]
fn a_listing_that_does_not_advance_is_told_as_no_answer_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    // What each page says; the second one again for ever, or until whoever asks has shown that they would ask for ever.
    for [first, again] in [
        [
            json!({ "leases": [], "next": "aa" }),
            json!({ "leases": [], "next": "aa" }),
        ],
        [
            json!({ "leases": [], "next": id(1) }),
            json!({ "leases": [], "next": id(2) }),
        ],
        [
            json!({ "leases": [entry(1)], "next": id(1) }),
            json!({ "leases": [entry(1)], "next": id(1) }),
        ],
        [
            json!({ "leases": [entry(2)], "next": id(2) }),
            json!({ "leases": [entry(1)], "next": id(1) }),
        ],
        [
            json!({ "leases": [entry(1)], "next": 7 }),
            json!({ "leases": [entry(1)], "next": 7 }),
        ],
    ] {
        let asked = AtomicUsize::new(0);
        let url = node(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => (200, first.clone()),
            1..20 => (200, again.clone()),
            _ => (200, json!({ "leases": [], "next": null })),
        });
        let (exit, out, error) = said(folder.path(), &url, &["lease", "list", "--all"]);
        assert_eq!(exit, Some(1), "{out}{error}");
        assert!(error.starts_with("error NP6201: /v1/leases"), "{error}");
    }
    // Whoever does advance is followed to the end.
    let url = node(move |_, path| {
        let (first, second) = (json!([entry(1)]), json!([entry(2)]));
        match path.contains(&format!("after={}", id(1))) {
            false => (200, json!({ "leases": first, "next": id(1) })),
            true => (200, json!({ "leases": second, "next": null })),
        }
    });
    let listed = does(&nupeer_json(
        folder.path(),
        &url,
        &["lease", "list", "--all"],
    ));
    assert_eq!(listed["leases"].as_array().unwrap().len(), 2);
}

#[test]
fn a_node_does_not_write_to_the_terminal_as_it_likes() {
    const TITLE: &str = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}name\r\n\u{7f}";
    let folder = tempfile::tempdir().unwrap();
    let is_plain = |text: &str| {
        let marks = ['\u{202e}', '\u{9b}', '\u{7f}'];
        assert!(!text.contains(marks), "{text:?}");
        let controls = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(controls), "{text:?}");
    };
    let status = json!({ "network": TITLE, "version": "v\nheight  9" });
    let told = status.clone();
    let url = node(move |_, _| (200, told.clone()));
    let (exit, out, error) = said(folder.path(), &url, &["status"]);
    assert_eq!(exit, Some(0), "{error}");
    is_plain(&out);
    assert!(out.contains("]0;x2Jname"), "{out}");
    assert!(!out.contains("\nheight  9"), "no row is made up: {out}");
    let (_, out, _) = said(folder.path(), &url, &["--json", "status"]);
    is_plain(&out);
    let read: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        read["network"], status["network"],
        "JSON says what was said"
    );

    let message = format!("{TITLE}no\nwhat next\n  rm -r .");
    let next = format!("{TITLE}rm -r .\nnupeer tx send");
    let url = node(move |_, _| {
        let error = json!({ "code": "NP2001", "message": message, "next": next });
        (400, json!({ "error": error }))
    });
    let (exit, out, error) = said(folder.path(), &url, &["status"]);
    assert_eq!((exit, out.as_str()), (Some(3), ""), "{error}");
    is_plain(&error);
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "error NP2001: ]0;x2Jname no what next   rm -r .",
            "what next",
            "  the other side says: ]0;x2Jname rm -r . nupeer tx send",
            "nupeer explain NP2001 says more.",
        ]
    );
}

#[test]
fn a_name_that_is_none_is_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let url = node(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        (200, json!({ "address": "x" }))
    });
    let title = "\u{1b}]0;x\u{7}";
    for wrong in ["../status", title, "stake_test1uq", "x?prove=ada"] {
        for command in [
            &["account"][..],
            &["machine", "list", "--owner"],
            &["lease", "list", "--tenant"],
            &["lease", "requests", "--tenant"],
            &["tx", "show"],
            &["block"],
        ] {
            let args = [command, &[wrong]].concat();
            let (exit, out, error) = said(folder.path(), &url, &args);
            assert_eq!((exit, out.as_str()), (Some(2), ""), "{args:?}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}
