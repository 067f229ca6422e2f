//! The command line as people use it: wallet, transfer, proof, a second start.

use std::process::Command;

use nupeer_primitives::Amount;
use serde_json::Value;

use crate::{
    asking::{does, nupeer, refusal},
    validators::{NUPEER, Validators, address},
};

#[test]
fn a_wallet_pays_and_anybody_can_prove_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let made = does(&nupeer(
        here,
        "http://127.0.0.1:1",
        &["--json", "wallet", "new"],
    ));
    let own = made["account"].as_str().unwrap().to_owned();
    // The words make the same wallet again.
    assert_eq!(made["words"].as_str().unwrap().split(' ').count(), 24);

    let mut validators = Validators::with_credit(&own, 100);
    validators.start_all();
    (0..4).for_each(|index| validators.wait_for_height(index, 1));
    let (first, third) = (validators.url(0), validators.url(2));
    let to = address(9);
    let send = |amount: &str, extra: &[&str]| {
        let mut args = vec!["--json", "tx", "send", "--to", &to, "--amount", amount];
        args.extend(extra);
        nupeer(here, &first, &args)
    };

    let shown = does(&send("5ADA", &["--dry-run"]));
    assert!(
        shown["text"]
            .as_str()
            .unwrap()
            .starts_with(&format!("test: send 5.000000 ADA to {to} #"))
    );
    assert_eq!(shown["refused"], Value::Null);
    // A dry run ends as the real thing would, and says what it would have signed all the same.
    let poor = send("500ADA", &["--dry-run"]);
    let (code, said) = refusal(&poor);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("error NP2001: it would be refused: "),
        "{said}"
    );
    let poor: Value = serde_json::from_slice(&poor.stdout).unwrap();
    assert_eq!(
        (&poor["dry_run"], &poor["refused"]["code"]),
        (&true.into(), &"NP2001".into())
    );
    let session = [
        "--json",
        "wallet",
        "session",
        "new",
        "--budget",
        "1ADA",
        "--dry-run",
    ];
    assert_eq!(
        does(&nupeer(here, &first, &session))["refused"],
        Value::Null
    );
    let out = ["withdraw", "5ADA", "--dry-run"];
    let (code, said) = refusal(&nupeer(here, &first, &out));
    assert!(code == 3 && said.contains("NP3010"), "{said}");
    let files = std::fs::read_dir(here).unwrap().count();
    assert_eq!(files, 1, "nothing but the wallet is there");
    assert_eq!(refusal(&send("5ADA", &[])).0, 9);
    let poor = send("500ADA", &["--yes"]);
    assert_eq!(poor.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&poor.stderr).contains("error NP2001"));
    assert_eq!(does(&send("5ADA", &["--yes"]))["status"], "final");

    let height = validators.height(0).unwrap();
    validators.wait_for_height(2, height);
    let genesis = validators.genesis.to_str().unwrap();
    let proven = does(&nupeer(
        here,
        &third,
        &["--json", "account", &to, "--prove", genesis],
    ));
    assert_eq!(
        (&proven["lovelace"], &proven["proven"]),
        (&Value::from("5000000"), &Value::from(true))
    );
    let fee: u128 = shown["fee_lovelace"].as_str().unwrap().parse().unwrap();
    let own = does(&nupeer(here, &third, &["--json", "account", &own]));
    assert_eq!(
        own["balances"][0]["amount"],
        Amount::new(95_000_000 - fee).to_string()
    );
}

#[test]
fn a_second_node_on_the_same_folder_is_refused() {
    let mut validators = Validators::new(&[]);
    validators.start_all();
    validators.wait_for_height(0, 1);
    let config = validators.config(0).to_str().unwrap().to_owned();
    let second = Command::new(NUPEER)
        .args(["node", "--config", &config])
        .env("NUPEER_API_LISTEN", "127.0.0.1:0")
        .output();
    assert_eq!(second.unwrap().status.code(), Some(11));
}

#[test]
fn up_runs_a_cluster_that_down_ends() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut up = Command::new(NUPEER)
        .current_dir(here)
        .args([
            "--json",
            "up",
            "--data",
            "cluster",
            "--block-target-ms",
            "200",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(up.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let urls: Value = serde_json::from_str(&line).unwrap();
    let url = urls["api_urls"][3].as_str().unwrap().to_owned();
    let status = does(&nupeer(here, &url, &["--json", "status"]));
    assert!(status["height"].as_u64() > Some(0));
    let again = nupeer(here, &url, &["up", "--data", "cluster"]);
    assert_eq!(refusal(&again).0, 11);
    let down = nupeer(here, &url, &["down", "--data", "cluster"]);
    assert!(down.status.success());
    assert!(up.wait().unwrap().success());
    assert_eq!(nupeer(here, &url, &["status"]).status.code(), Some(6));
}

#[test]
fn whoever_reads_a_result_may_stop_before_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(NUPEER);
    command
        .current_dir(folder.path())
        .args(["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*said), (Some(0), ""));
}
