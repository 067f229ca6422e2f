//! `nupeer wallet`.

use std::io::Read;

use nupeer_cardano_client::{Wallet, wallet::Phrase};
use nupeer_primitives::CardanoNetwork;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    api::Api,
    args::{WalletCommand, WalletFile},
    commands::{session, wallet_funds},
    error::{CliError, Exit, Outcome},
    kept,
    output::{Printer, table},
    wallet_file,
};

pub(super) fn run(command: &WalletCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    match command {
        WalletCommand::New { file, mainnet } => new(file, *mainnet, printer),
        WalletCommand::Restore { file, mainnet } => restore(file, *mainnet, printer),
        WalletCommand::Show { file } => show(&wallet_file::open(file)?, None, printer),
        WalletCommand::Session(command) => session::run(command, api, printer),
        WalletCommand::Funds(args) => wallet_funds::funds(args, api, printer),
        WalletCommand::Pay(args) => wallet_funds::pay(args, printer),
    }
}

fn network(mainnet: bool) -> CardanoNetwork {
    if mainnet {
        CardanoNetwork::Mainnet
    } else {
        CardanoNetwork::Testnet
    }
}

fn new(file: &WalletFile, mainnet: bool, printer: &Printer) -> Outcome<()> {
    let phrase =
        Phrase::generate().map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    let wallet = wallet_file::create(file, &phrase, network(mainnet))?;
    printer.note("Write these 24 words down. Whoever has them has the wallet; nobody can give them back to you.");
    show(&wallet, Some(&phrase.words()), printer)
}

fn restore(file: &WalletFile, mainnet: bool, printer: &Printer) -> Outcome<()> {
    // Before the words are typed.
    kept::not_there(&file.wallet)?;
    printer.note("The words, separated by spaces, then end of input (Ctrl-D):");
    let mut words = Zeroizing::new(String::new());
    let read = std::io::stdin().take(1_000).read_to_string(&mut words);
    read.map_err(|error| {
        CliError::new(Exit::Key, format!("the words could not be read: {error}"))
    })?;
    let phrase = Phrase::parse(&words).map_err(|error| {
        CliError::numbered(Exit::Key, &error)
            .next("the words as they were written down, in their order, with spaces between them")
            .next("nupeer wallet new   makes another wallet")
    })?;
    show(
        &wallet_file::create(file, &phrase, network(mainnet))?,
        None,
        printer,
    )
}

fn show(wallet: &Wallet, words: Option<&str>, printer: &Printer) -> Outcome<()> {
    let account = wallet.account().to_bech32(wallet.network());
    let receive = wallet.base_address(0).to_string();
    let mut value =
        json!({ "account": account, "receive": receive, "network": wallet.network().to_string() });
    let mut rows = vec![
        vec!["account".to_owned(), account],
        vec!["receive".to_owned(), receive],
    ];
    if let Some(words) = words {
        value["words"] = words.into();
        rows.push(vec!["words".into(), words.into()]);
    }
    printer.result(value, &table(&rows));
    Ok(())
}
