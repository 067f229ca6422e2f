//! `nupeer block`.

use crate::{
    api::Api,
    commands::status::plain,
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    units::show_time,
};

pub(super) fn show(height: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    if height != "latest" && height.parse::<u64>().is_err() {
        let what = format!("{height:?}: a height is a number, or latest");
        return Err(CliError::new(Exit::Usage, what).next("nupeer block   shows the latest"));
    }
    let block = api.get(&format!("/v1/blocks/{height}"))?;
    let time = block["time_unix_ms"].as_u64();
    let mut rows = vec![
        vec!["height".to_owned(), plain(&block["height"])],
        vec!["time".to_owned(), time.map_or("none".into(), show_time)],
    ];
    rows.extend(
        ["id", "proposer", "parent", "state_root", "cardano"]
            .map(|name| vec![name.replace('_', " "), plain(&block[name])]),
    );
    for id in block["transactions"].as_array().into_iter().flatten() {
        rows.push(vec!["transaction".into(), plain(id)]);
    }
    printer.result(block.clone(), &table(&rows));
    Ok(())
}
