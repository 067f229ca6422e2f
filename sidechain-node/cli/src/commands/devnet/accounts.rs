//! `nupeer devnet accounts`: who has ADA from the beginning, with the keys that everybody may know.

use std::{fs, path::Path};

use nupeer_devnet::genesis::{ACCOUNT_LOVELACE, Account, DEFAULT_ACCOUNTS, Genesis};
use serde_json::{Value, json};

use crate::{
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
};

pub(super) fn show(data: &Path, printer: &Printer) -> Outcome<()> {
    let path = data.join("genesis.json");
    let text = fs::read(&path).map_err(|error| {
        file_error(&path, &error)
            .next("nupeer devnet up   makes a devnet; --data DIR names another")
    })?;
    let genesis: Genesis = serde_json::from_slice(&text)
        .map_err(|error| CliError::new(Exit::Unexpected, format!("{}: {error}", path.display())))?;
    let accounts = (0..DEFAULT_ACCOUNTS).map(|index| Account::derive(genesis.seed, index));
    let (mut rows, mut lines) = (Vec::new(), vec![heading(&genesis)]);
    for (index, account) in (0u64..).zip(accounts) {
        rows.push(row(index, &account));
        lines.extend(shown(index, &account));
    }
    let value = json!({ "seed": genesis.seed, "magic": genesis.network_magic, "accounts": rows });
    printer.result(value, &lines);
    Ok(())
}

fn heading(genesis: &Genesis) -> String {
    let ada = ACCOUNT_LOVELACE / 1_000_000;
    format!(
        "{DEFAULT_ACCOUNTS} accounts of {ada} ADA each, from seed {}. Everybody can know these keys: they are for development alone.",
        genesis.seed
    )
}

fn row(index: u64, account: &Account) -> Value {
    json!({
        "index": index,
        "address": account.bech32(),
        "lovelace": ACCOUNT_LOVELACE.to_string(),
        "payment_key": hex::encode(account.payment_secret),
        "stake_key": account.stake_secret.map(hex::encode),
    })
}

/// Secret keys as other tools read them: 32 bytes in hexadecimal (`cborHex` of a signing key file is `5820` and these).
fn shown(index: u64, account: &Account) -> [String; 3] {
    let stake = account.stake_secret.map(hex::encode).unwrap_or_default();
    [
        format!("({index}) {}", account.bech32()),
        format!("    payment key {}", hex::encode(account.payment_secret)),
        format!("    stake key   {stake}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_shown_are_those_of_the_addresses_shown() {
        let genesis = Genesis::new(42, nupeer_devnet::Profile::Fast, 7, 0, &[]).unwrap();
        let funded: Vec<Vec<u8>> = genesis.funds().map(|(address, _)| address).collect();
        for index in 0..DEFAULT_ACCOUNTS {
            let account = Account::derive(7, index);
            assert!(funded.contains(&account.address), "{index}");
            let [first, payment, _] = shown(index, &account);
            assert!(first.ends_with(&account.bech32()), "{first}");
            assert!(
                payment.ends_with(&hex::encode(account.payment_secret)),
                "{payment}"
            );
        }
    }

    #[test]
    fn without_a_devnet_it_says_how_one_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let error = show(folder.path(), &Printer::new(true, true)).unwrap_err();
        assert_eq!(error.exit, Exit::NotFound);
        assert!(error.next[0].starts_with("nupeer devnet up"));
    }
}
