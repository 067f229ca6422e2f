//! A node that names another chain than the one a key is used on gets no signature.

use std::{
    path::Path,
    process::{Command, Output},
};

use nupeer_primitives::Hash;
use serde_json::{Value, json};

use crate::{
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
