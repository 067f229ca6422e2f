//! `nupeer block`.

use crate::{
    api::Api,
    commands::status::plain,
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
};

pub(super) fn show(height: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    if height != "latest" && height.parse::<u64>().is_err() {
        let what = format!("{height:?}: a height is a number, or latest");
        return Err(CliError::new(Exit::Usage, what));
    }
    let block = api.get(&format!("/v1/blocks/{height}"))?;
    let fields = [
        "height",
        "id",
        "time_unix_ms",
        "proposer",
        "parent",
        "state_root",
        "cardano",
    ];
    let mut rows: Vec<_> = fields
        .iter()
        .map(|name| vec![name.replace('_', " "), plain(&block[*name])])
        .collect();
    for id in block["transactions"].as_array().into_iter().flatten() {
        rows.push(vec!["transaction".into(), plain(id)]);
    }
    printer.result(block.clone(), &table(&rows));
    Ok(())
}
