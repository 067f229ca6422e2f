//! `nupeer relayer`: carries anchors, deposits and payouts on Cardano. Anybody may run one.

use std::time::Duration;

use nupeer_cardano_client::{Network, Node};
use nupeer_client::Client;
use nupeer_relayer::{Relayer, RelayerConfig};
use serde_json::json;

use super::node::{asked_to_stop, start_log};
use crate::{
    args::WalletFile,
    args_cardano::RelayerArgs,
    cardano::{bridge, runtime, submitter},
    error::{CliError, Exit, Outcome},
    output::Printer,
    wallet_file,
};

pub(super) fn run(args: &RelayerArgs, printer: &Printer) -> Outcome<()> {
    let config = RelayerConfig::load(&args.config)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    start_log(&config.log)?;
    let network = Network::named_or_file(&config.cardano_network.to_string_lossy())
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let node = Node::new(&config.cardano_socket, network);
    let (deployment, bridge) = bridge(&config.deployment, &node)?;
    let wallet = wallet_file::open(&WalletFile {
        wallet: config.wallet.clone(),
        password_file: args.password_file.clone(),
    })?;
    let submitter = submitter(&wallet, &node)?;
    let address = submitter.address.to_string();
    let id = deployment.bridge_id.to_string();
    let lines = [
        format!("relays bridge {id}"),
        format!("fees from {address}"),
        "Ctrl-C ends it; nothing is lost by that.".to_owned(),
    ];
    printer.result(json!({ "bridge_id": id, "address": address }), &lines);
    let client = Client::new(config.api_urls.clone());
    let mut relayer = Relayer::new(bridge, node, client, submitter);
    let poll = Duration::from_millis(config.poll_ms);
    runtime()?.block_on(relayer.run(poll, asked_to_stop()));
    Ok(())
}
