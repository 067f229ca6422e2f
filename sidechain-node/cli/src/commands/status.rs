//! `nupeer status`.

use serde_json::Value;

use crate::{
    api::Api,
    error::Outcome,
    output::{Printer, table},
};

pub(super) fn show(api: &Api, printer: &Printer) -> Outcome<()> {
    let status = api.get("/v1/status")?;
    let row = |name: &str, value: &Value| vec![name.to_owned(), plain(value)];
    let rows = [
        row("chain", &status["network"]),
        row("genesis", &status["genesis"]),
        row("height", &status["height"]),
        row("block", &status["block_id"]),
        row("state root", &status["state_root"]),
        row("cardano", &status["cardano"]),
        row("halted", halted(&status)),
        row("waiting", &status["mempool"]["transactions"]),
        row("version", &status["version"]),
    ];
    printer.result(status.clone(), &table(&rows));
    Ok(())
}

/// What keeps the node from going on, if anything does.
fn halted(status: &Value) -> &Value {
    match &status["halted"] {
        Value::Null => &status["cardano_view"]["halted"],
        reason => reason,
    }
}

/// A JSON value as a person writes it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        other => other.to_string(),
    }
}
