//! `nupeer account`.

use std::{fs, path::Path};

use nupeer_ledger::Purse;
use nupeer_primitives::{AccountId, Amount, AssetId, Numbered, cbor, consensus::Certificate};
use nupeer_runtime::{Genesis, Header, StateProof};
use serde_json::{Value, json};

use crate::{
    amount::show_ada,
    api::Api,
    args::AccountArgs,
    commands::status::plain,
    error::{CliError, Exit, Outcome, file_error},
    output::{Printer, table},
};

pub(super) fn show(args: &AccountArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    match &args.prove {
        None => listed(&args.address, api, printer),
        Some(genesis) => proven(&args.address, genesis, api, printer),
    }
}

fn listed(address: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let account = api.get(&format!("/v1/accounts/{address}"))?;
    let mut rows = vec![vec!["account".to_owned(), plain(&account["address"])]];
    for balance in account["balances"].as_array().into_iter().flatten() {
        rows.push(vec!["balance".into(), amount(balance)]);
    }
    for key in account["keys"].as_array().into_iter().flatten() {
        let budget = plain(&key["budget_lovelace"]);
        rows.push(vec![
            "key".into(),
            format!(
                "{} {} {budget} lovelace left",
                plain(&key["key"]),
                plain(&key["scope"])
            ),
        ]);
    }
    rows.push(vec!["at height".into(), plain(&account["height"])]);
    printer.result(account.clone(), &table(&rows));
    Ok(())
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
    let text = fs::read_to_string(genesis).map_err(|error| file_error(genesis, &error))?;
    let genesis =
        Genesis::from_json(&text).map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let chain = genesis
        .chain()
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let account = AccountId::parse(address, chain.cardano)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let answer = api.get(&format!("/v1/accounts/{address}?prove=ada"))?;
    let proof = &answer["proof"];
    let header: Header = part(proof, "header_cbor")?;
    let certificate: Certificate = part(proof, "certificate_cbor")?;
    let state: StateProof = part(proof, "state_proof_cbor")?;
    let value = match &proof["value"] {
        Value::Null => None,
        value => {
            Some(hex::decode(plain(value)).map_err(|_| lying("the value is not hexadecimal"))?)
        }
    };
    certificate
        .verify(&chain.id, &chain.validators)
        .map_err(|error| failed(&error))?;
    if certificate.block != header.id() || certificate.height != header.height {
        return Err(lying("the certificate is of another block"));
    }
    let leaf = Purse::Account(account).key(&AssetId::Ada);
    state
        .verify(&header.state_root, &leaf, value.as_deref())
        .map_err(|error| failed(&error))?;
    let amount = value.map_or(Some(Amount::ZERO), |value| Amount::from_be_bytes(&value));
    let amount = amount.ok_or_else(|| lying("the value is no amount"))?;
    let signers = certificate.signatures.len();
    let value = json!({
        "address": address, "lovelace": amount.to_string(), "height": header.height.0, "proven": true, "signers": signers,
    });
    let line = format!(
        "{}  proven at height {}, signed by {signers} validators",
        show_ada(amount),
        header.height
    );
    printer.result(value, &[line]);
    Ok(())
}

fn part<T>(proof: &Value, name: &str) -> Outcome<T>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    let bytes = hex::decode(plain(&proof[name]))
        .map_err(|_| lying(&format!("{name} is not hexadecimal")))?;
    cbor::decode(&bytes).map_err(|error| failed(&error))
}

fn failed(error: &dyn Numbered) -> CliError {
    CliError::numbered(Exit::CheckFailed, error)
        .next("do not trust this node; ask another with --api-url")
}

fn lying(what: &str) -> CliError {
    CliError::new(
        Exit::CheckFailed,
        format!("the node's proof does not hold: {what}"),
    )
    .next("do not trust this node; ask another with --api-url")
}
