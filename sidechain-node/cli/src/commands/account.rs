//! `nupeer account`.

use std::path::Path;

use nupeer_ledger::Purse;
use nupeer_primitives::{AccountId, Amount, AssetId};
use nupeer_runtime::Proven;
use serde_json::{Value, json};

use crate::{
    amount::show_ada,
    api::Api,
    args::AccountArgs,
    commands::{
        prove::{self, failed, lying, part},
        status::plain,
    },
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    signing,
    units::show_time,
};

pub(super) fn show(args: &AccountArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    match &args.prove {
        None => listed(&args.address, api, printer),
        Some(genesis) => proven(&args.address, genesis, api, printer),
    }
}

fn listed(address: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    signing::account_anywhere(address)?;
    let account = api.get(&format!("/v1/accounts/{address}"))?;
    let mut rows = vec![vec!["account".to_owned(), plain(&account["address"])]];
    for balance in account["balances"].as_array().into_iter().flatten() {
        rows.push(vec!["balance".into(), amount(balance)]);
    }
    for key in account["keys"].as_array().into_iter().flatten() {
        rows.push(vec!["key".into(), granted(key)]);
    }
    rows.push(vec!["at height".into(), plain(&account["height"])]);
    printer.result(account.clone(), &table(&rows));
    Ok(())
}

/// A key that may act for the account: its hash, what it may do, how much is left, and until when.
fn granted(key: &Value) -> String {
    let budget = plain(&key["budget_lovelace"]);
    let left = budget
        .parse()
        .map_or(budget, |units| show_ada(Amount::new(units)));
    let (hash, scope) = (plain(&key["key"]), plain(&key["scope"]));
    let end = key["expires_unix_ms"].as_u64();
    let end = end.map_or(String::new(), |end| format!(", until {}", show_time(end)));
    format!("{hash} {scope}, {left} left{end}")
}

fn amount(balance: &Value) -> String {
    let (asset, amount) = (plain(&balance["asset"]), plain(&balance["amount"]));
    match (asset.as_str(), amount.parse()) {
        ("ADA", Ok(units)) => show_ada(Amount::new(units)),
        _ => format!("{amount} of {asset} (raw units)"),
    }
}

/// The ADA balance under a header that the genesis' validators signed: the node is asked, but not believed.
fn proven(address: &str, genesis: &Path, api: &Api, printer: &Printer) -> Outcome<()> {
    let chain = prove::chain(genesis)?;
    let account = AccountId::parse(address, chain.cardano)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let answer = api.get(&format!("/v1/accounts/{address}?prove=ada"))?;
    let proof = &answer["proof"];
    let proven = Proven {
        header: part(proof, "header_cbor")?,
        certificate: part(proof, "certificate_cbor")?,
        state: part(proof, "state_proof_cbor")?,
    };
    let value = prove::bytes(&proof["value"], "the value")?;
    let leaf = Purse::Account(account).key(&AssetId::Ada);
    proven
        .verify(&chain, &leaf, value.as_deref())
        .map_err(|error| failed(&error))?;
    let amount = value.map_or(Some(Amount::ZERO), |value| Amount::from_be_bytes(&value));
    let amount = amount.ok_or_else(|| lying("the value is no amount"))?;
    let signers = proven.certificate.signatures.len();
    let value = json!({
        "address": address,
        "lovelace": amount.to_string(),
        "height": proven.header.height.0,
        "proven": true,
        "signers": signers,
    });
    let line = format!("{}  {}", show_ada(amount), prove::sealed(&proven));
    printer.result(value, &[line]);
    Ok(())
}
