//! The whole story, by the command that newcomers give first; and once more under `kill -9`.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Runs the story once; its report.
fn demo(folder: &Path, more: &[&str]) -> Value {
    let report = folder.join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_nupeer"))
        .args(["demo", "--once", "--data"])
        .arg(folder.join("demo"))
        .arg("--json")
        .arg(&report)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap()
}

/// Runs the story while processes are killed, and started again as they were.
#[allow(clippy::print_stdout)] // the seed, to repeat a failure with
fn demo_under_havoc(folder: &Path) -> Value {
    let seed =
        std::env::var("NUPEER_TEST_SEED").unwrap_or_else(|_| rand::random::<u32>().to_string());
    println!("NUPEER_TEST_SEED={seed}");
    demo(folder, &["--havoc", &seed])
}

/// Containers need root: without it this is no test, except where it must be one.
#[allow(clippy::print_stderr)]
fn is_root() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "continuous integration runs this as root"
    );
    eprintln!("skipped: the provider's containers need root");
    false
}

fn lovelace(report: &Value, pointer: &str) -> u64 {
    let amount = report.pointer(pointer).and_then(Value::as_u64);
    amount.unwrap_or_else(|| panic!("{pointer} in {report}"))
}

/// What must be true of every report, however the story went.
fn check(report: &Value) {
    assert_eq!(report["network"]["validators"], 4);
    for promise in [
        "/network/all_agree",
        "/invariants/conservation",
        "/invariants/solvency",
    ] {
        assert_eq!(report.pointer(promise), Some(&true.into()), "{promise}");
    }
    let cardano = &report["cardano"];
    assert_eq!(cardano["deposit"]["lovelace"], 500_000_000);
    assert!(lovelace(cardano, "/deposit/depth_at_credit") >= 12);
    assert_eq!(cardano["rolled_back_deposit"]["credited"], false);
    assert!(lovelace(cardano, "/anchor/signers") >= 3);
    assert_eq!(cardano["payout"]["lovelace"], 10_000_000);
    for cost in ["cpu", "mem", "size", "fee"] {
        assert!(lovelace(cardano, &format!("/payout/{cost}")) > 0, "{cost}");
    }
    let lease = &report["lease"];
    let (paid, fee) = (
        lovelace(lease, "/paid_lovelace"),
        lovelace(lease, "/protocol_fee_lovelace"),
    );
    // 10 % of the whole, rounded down.
    assert_eq!((paid + fee) / 10, fee, "{lease}");
    assert_eq!(paid + fee + lovelace(lease, "/refund_lovelace"), 8_000_000);
    assert_eq!(lease["limits"]["memory_bytes"], 64 << 20);
}

#[test]
fn the_story_comes_true() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    check(&demo(folder.path(), &[]));
}

#[test]
fn the_story_comes_true_though_any_process_or_all_are_killed_twenty_times() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let report = demo_under_havoc(folder.path());
    check(&report);
    assert_eq!(report["kills"], 20);
}
