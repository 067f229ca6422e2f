//! `nupeer`: one binary for every part of the sidechain and everybody who uses it.
//!
//! Begin with [`args`] (what can be asked), then [`commands`] (a file for each noun). Standard output is the result alone
//! ([`output`]); everything else goes to standard error. Errors say what happened, why, and what next ([`error`]).

mod acting;
mod amount;
mod api;
mod args;
mod args_agent;
mod args_cardano;
mod args_market;
mod args_prepare;
mod cardano;
mod cardano_socket;
mod commands;
mod deposit_journal;
mod deposit_search;
mod deposit_status;
mod error;
mod help;
mod internal;
mod kept;
mod known_chain;
mod lease_file;
mod output;
mod own_log;
mod printable;
mod processes;
mod session_file;
mod signing;
mod units;
mod wallet_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, while there is one thread: a container's shim forks without `exec`.
    if internal::is_container_shim(std::env::args_os()) {
        return nupeer_paas_drivers::container::run_shim();
    }
    own_log::keep_within_bounds();
    let args = args::Args::from_command_line();
    let printer = output::Printer::new(args.json, args.no_color);
    match commands::run(&args, &printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = commands::advised(error);
            printer.error(&error);
            ExitCode::from(error.exit as u8)
        }
    }
}
