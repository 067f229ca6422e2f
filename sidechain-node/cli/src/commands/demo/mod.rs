//! `nupeer demo`: one payment's whole life, from Cardano to the sidechain, to a running workload, and back to Cardano.
//!
//! Every part is a process of its own, and so is every command that a person gives ([`person`]): the demo shares no memory,
//! database or key with any of them and sees only what a user sees. [`story`] has the chapters in order, [`report`] what is
//! written at the end, [`closing`] the table that people read.

mod closing;
mod havoc;
mod person;
mod report;
mod sidechain;
mod stage;
mod story;
mod teller;
mod told;

use std::fs;

use serde_json::json;

use crate::{
    args::DemoArgs,
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
    processes,
};

/// Held while the demo runs; holds its process id.
pub(super) const LOCK: &str = "demo.lock";

pub(super) fn run(args: &DemoArgs, printer: &Printer) -> Outcome<()> {
    if !nix::unistd::geteuid().is_root() {
        let what = "the provider's agent runs containers, for which it needs root";
        return Err(CliError::new(Exit::NeedsRoot, what)
            .next("make demo            asks for it")
            .next("sudo nupeer demo     does as well"));
    }
    fs::create_dir_all(&args.data).map_err(|error| file_error(&args.data, &error))?;
    let data = std::path::absolute(&args.data).map_err(|error| file_error(&args.data, &error))?;
    let _lock = processes::lock(&data.join(LOCK), "the demo")?;
    processes::heed_signals()?;
    clear(&data)?;
    printer.note(&format!(
        "nupeer {}   data {}   logs {}",
        env!("CARGO_PKG_VERSION"),
        args.data.display(),
        args.data.join("logs").display()
    ));
    let mut stage = stage::Stage::new(&data, args.log_max, printer)?;
    let told = story::play(&mut stage, args.block_target_ms, args.havoc)?;
    stage.teller.end();
    if let Some(file) = &args.report {
        write(file, &told.report, printer)?;
    }
    let lines = closing::lines(&told);
    if args.report.as_deref() != Some("-".as_ref()) {
        printer.result(
            json!({ "report": told.report, "api_urls": told.api_urls }),
            &lines,
        );
    }
    told.check()?;
    if args.once {
        return Ok(());
    }
    printer.note("Everything goes on running; Ctrl-C ends it.");
    stage.running.run_until_asked(printer)
}

/// Takes away what an earlier demo left, workloads first. Only what a demo makes is touched.
fn clear(data: &std::path::Path) -> Outcome<()> {
    stage::end_workloads(data);
    for entry in [
        "devnet", "chain", "deployer", "tenant", "owner", "relayer", "agent", "logs",
    ] {
        let path = data.join(entry);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| file_error(&path, &error))?;
        }
    }
    let deployment = data.join("deployment.json");
    if deployment.exists() {
        fs::remove_file(&deployment).map_err(|error| file_error(&deployment, &error))?;
    }
    Ok(())
}

fn write(file: &std::path::Path, report: &report::Report, printer: &Printer) -> Outcome<()> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    if file.as_os_str() == "-" {
        printer.raw(&text);
        return Ok(());
    }
    fs::write(file, text + "\n").map_err(|error| file_error(file, &error))
}
