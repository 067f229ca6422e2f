//! `nupeer relayer`: carries anchors, deposits and payouts on Cardano. Anybody may run one.

use std::time::Duration;

use nupeer_cardano_client::{Network, Node};
use nupeer_client::Client;
use nupeer_relayer::{RelayError, Relayer, RelayerConfig};
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

/// A relayer's settings, for who has none yet.
const SETTINGS: &str = r#"api_urls = ["http://127.0.0.1:8420"]
cardano_socket = "node.socket"
cardano_network = "preprod"
deployment = "deployment.json"
wallet = "wallet.json"
poll_ms = 1000
log = "info""#;

/// What is wrong with the settings, and what they look like.
fn shown(error: &RelayError) -> CliError {
    let error = CliError::numbered(Exit::Usage, error)
        .next("--config FILE   names a relayer's settings; paths are from that file's folder:");
    let lines = SETTINGS.lines().map(|line| format!("    {line}"));
    lines.fold(error, CliError::next)
}

pub(super) fn run(args: &RelayerArgs, printer: &Printer) -> Outcome<()> {
    let config = RelayerConfig::load(&args.config).map_err(|error| shown(&error))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_settings_is_shown_some_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relayer.toml");
        let told = shown(&RelayerConfig::load(&file).unwrap_err());
        assert_eq!(told.exit, Exit::Usage);
        let example: Vec<&str> = told.next[1..].iter().map(|line| line.trim()).collect();
        std::fs::write(&file, example.join("\n")).unwrap();
        let read = RelayerConfig::load(&file).unwrap();
        assert_eq!(read.deployment, folder.path().join("deployment.json"));
    }
}
