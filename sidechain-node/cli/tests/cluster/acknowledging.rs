//! `nupeer node --acknowledge-rollback`. What it does to a node with a rollback on record: `node/tests/node/halting.rs`.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::validators::{NUPEER, Validators};

fn acknowledges(validators: &Validators) -> Output {
    let mut command = Command::new(NUPEER);
    command.args(["--json", "node", "--config"]);
    command.arg(validators.config(0));
    command.arg("--acknowledge-rollback").output().unwrap()
}

#[test]
fn nothing_is_acknowledged_where_nothing_is_on_record_and_no_node_starts() {
    let validators = Validators::new(&[(1, 100)]);
    let output = acknowledges(&validators);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["acknowledged"], json!(null), "{answer}");
    assert!(!said.contains("API at"), "{said}");
}
