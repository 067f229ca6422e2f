//! A file for each noun.

mod account;
mod agent;
mod block;
mod cluster;
pub(crate) mod cut_off;
mod demo;
mod deploy;
mod deposit;
mod devnet;
mod doctor;
mod explain;
mod genesis;
mod image;
mod lease;
mod ledger;
mod machine;
mod node;
mod offer;
mod pages;
mod prove;
mod relayer;
mod session;
mod status;
mod tx;
mod wallet;
mod wallet_funds;
mod withdraw;

use clap::CommandFactory;
pub(crate) use explain::advised;

use crate::{
    api::Api,
    args::{Args, Command},
    error::Outcome,
    output::Printer,
};

/// Does what was asked.
pub(crate) fn run(args: &Args, printer: &Printer) -> Outcome<()> {
    let api = Api::expecting(&args.api_url, args.genesis_id);
    match &args.command {
        Command::Agent(agent) => agent::run(agent, args, printer),
        Command::Demo(demo) => demo::run(demo, printer),
        Command::Node(node) => node::run(node, printer),
        Command::Up(up) => cluster::up(up, printer),
        Command::Down(down) => cluster::down(down, printer),
        Command::Status => status::show(&api, printer),
        Command::Genesis(command) => genesis::run(command, printer),
        Command::Devnet(command) => devnet::run(command, printer),
        Command::Deploy(deploy) => deploy::run(deploy, printer),
        Command::Deposit(deposit) => deposit::run(deposit, &api, printer),
        Command::Withdraw(withdraw) => withdraw::run(withdraw, &api, printer),
        Command::Relayer(relayer) => relayer::run(relayer, printer),
        Command::Wallet(command) => wallet::run(command, &api, printer),
        Command::Account(account) => account::show(account, &api, printer),
        Command::Machine(command) => machine::run(command, &api, printer),
        Command::Offer(command) => offer::run(command, &api, printer),
        Command::Image(command) => image::run(command, printer),
        Command::Lease(command) => lease::run(command, &api, printer),
        Command::Ledger(command) => ledger::run(command, printer),
        Command::Tx(command) => tx::run(command, &api, printer),
        Command::Block { height } => block::show(height, &api, printer),
        Command::Explain { code } => explain::show(code, printer),
        Command::Doctor => doctor::run(args, &api, printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "nupeer", &mut script);
            printer.raw(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
    }
}
