//! `nupeer wallet funds` and `nupeer wallet pay`: what a wallet holds on both chains, and ordinary payments on Cardano.

use nupeer_cardano_client::{
    Output, OutputReference, TransactionBuilder, Utxo, Value as CardanoValue,
    builder::{Change, NoScripts},
    node::NodeError,
};
use nupeer_contracts::Validator;
use pallas_addresses::Address;
use serde_json::{Value, json};

use super::deposit;
use crate::{
    amount::base_units,
    api::Api,
    args_cardano::{WalletFundsArgs, WalletPayArgs},
    cardano::{
        ada, bridge as bridge_of, built, inputs, runtime, sign, situation, submit, submitter,
        unreachable,
    },
    deposit_journal, deposit_search,
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    wallet_file,
};

/// Pays ADA to an address of Cardano.
pub(super) fn pay(args: &WalletPayArgs, printer: &Printer) -> Outcome<()> {
    let usage = |what: String| CliError::new(Exit::Usage, what);
    let to = Address::from_bech32(&args.address)
        .map_err(|error| usage(format!("{} is no address: {error}", args.address)))?;
    let wanted: Vec<OutputReference> = args
        .spend
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|error| usage(format!("--spend {error}")))
        })
        .collect::<Outcome<_>>()?;
    let node = args.cardano.node()?;
    let by = submitter(&wallet_file::open(&args.file)?, &node)?;
    let lovelace = args.amount.to_u64().unwrap_or(u64::MAX);
    runtime()?.block_on(async {
        let now = situation(&node, &by.address).await?;
        let mut builder = TransactionBuilder::new(Change::to(by.address.clone()))
            .pay(Output::new(to, CardanoValue::lovelace(lovelace)));
        let mut free = now.funds.clone();
        for reference in &wanted {
            let unspent = now.funds.iter().find(|utxo| utxo.reference == *reference);
            let found = match unspent {
                Some(utxo) => Some(utxo.clone()),
                None if args.no_submit => {
                    // The chain on which it is unspent has nothing that was made since.
                    free.clear();
                    deposit_journal::spent(&args.file.wallet, reference)?
                }
                None => None,
            };
            builder = builder.spend(found.ok_or_else(|| not_there(reference))?);
        }
        let made = built(
            builder.available(free).build(&now.parameters, &NoScripts),
            &by,
        )?;
        let signed = sign(&made, &by)?;
        let mut value = json!({
            "tx": signed.id.to_string(), "inputs": inputs(&made), "lovelace": base_units(lovelace),
            "fee_lovelace": base_units(made.fee_lovelace()), "cbor": hex::encode(&signed.cbor), "submitted": !args.no_submit,
        });
        if args.no_submit {
            printer.result(value, &[hex::encode(&signed.cbor)]);
            return Ok(());
        }
        let effect = format!("{} to {}, fee {}", ada(lovelace), args.address, ada(made.fee_lovelace()));
        if args.dry_run {
            value["submitted"] = false.into();
            value["dry_run"] = true.into();
            printer.result(value, &[format!("would pay {effect}")]);
            return Ok(());
        }
        printer.note(&effect);
        printer.confirm("Pay?", args.yes)?;
        submit(&node, &signed).await?;
        value["address"] = args.address.clone().into();
        printer.result(value, &[format!("submitted {}", signed.id)]);
        Ok(())
    })
}

fn not_there(reference: &OutputReference) -> CliError {
    let what = format!("{reference} is not unspent in this wallet");
    CliError::new(Exit::NotFound, what).next("nupeer wallet funds   lists what is")
}

/// What the wallet holds on Cardano and on the sidechain, and what is on its way between them.
pub(super) fn funds(args: &WalletFundsArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    let node = args.cardano.node()?;
    let bridge = args.deployment.as_deref();
    let bridge = bridge.map(|path| bridge_of(path, &node)).transpose()?;
    let bridge_id = bridge.as_ref().map(|(deployment, _)| deployment.bridge_id);
    let only = bridge_id.map(|id| id.to_string());
    let script = bridge
        .as_ref()
        .map(|(_, bridge)| bridge.address(Validator::Deposit));
    let wallet = wallet_file::open(&args.file)?;
    let by = submitter(&wallet, &node)?;
    let owner = wallet.account();
    let account = owner.to_bech32(wallet.network());
    runtime()?.block_on(async {
        // Both in one question: a node looks through all outputs for each.
        let addresses: Vec<Address> = [by.address.clone()].into_iter().chain(script).collect();
        let found = node.utxos_at(&addresses).await;
        let found = found.map_err(|error: NodeError| unreachable(&error))?;
        let is_own = |utxo: &Utxo| utxo.output.address == by.address;
        let (utxos, lying): (Vec<Utxo>, Vec<Utxo>) = found.into_iter().partition(is_own);
        let on_cardano: u64 = utxos.iter().map(|utxo| utxo.output.value.coin()).sum();
        let sidechain = sidechain(api, &account)?;
        let asked = sidechain.is_some().then_some(api);
        let mut deposits = deposit::all(&args.file.wallet, &node, asked, only.as_deref()).await?;
        if let Some(id) = bridge_id {
            let known = deposits.iter().map(|(entry, _)| entry);
            let found = deposit_search::unlisted(&lying, owner, id, &node.network, known);
            if !found.is_empty() {
                let count = found.len();
                printer.note(&format!("{count} of the deposits lie on Cardano for this account and are not in the wallet's journal"));
            }
            deposits.extend(deposit::placed(found, &node, asked).await?);
        }
        let outputs: Vec<Value> = utxos
            .iter()
            .map(|utxo| {
                let tokens = utxo.output.value.tokens().count();
                json!({ "output": utxo.reference.to_string(), "lovelace": base_units(utxo.output.value.coin()), "tokens": tokens })
            })
            .collect();
        let (in_flight, mut lines) = deposit::listed(&deposits);
        let mut value = json!({
            "account": account, "receive": by.address.to_string(), "cardano_lovelace": base_units(on_cardano),
            "outputs": outputs, "deposits": in_flight,
            "sidechain_lovelace": null, "held_lovelace": null, "withdrawals": [],
        });
        let mut rows = vec![
            vec!["on Cardano".to_owned(), format!("{} in {} outputs", ada(on_cardano), utxos.len())],
        ];
        match &sidechain {
            None => printer.note("the sidechain's node does not answer; this is Cardano alone"),
            Some(Sidechain { balance, held, withdrawals }) => {
                value["sidechain_lovelace"] = base_units(*balance);
                value["held_lovelace"] = base_units(*held);
                value["withdrawals"] = withdrawals.clone().into();
                rows.push(vec!["on the sidechain".into(), ada(*balance)]);
                rows.push(vec!["held there".into(), format!("{} in bonds, escrows and withdrawals", ada(*held))]);
                lines.extend(withdrawals.iter().map(withdrawal_row));
            }
        }
        rows.extend(lines);
        printer.result(value, &table(&rows));
        Ok(())
    })
}

/// What the sidechain says of an account.
struct Sidechain {
    balance: u64,
    held: u64,
    withdrawals: Vec<Value>,
}

/// `None` if no node answers.
fn sidechain(api: &Api, account: &str) -> Outcome<Option<Sidechain>> {
    let balances = match api.get(&format!("/v1/accounts/{account}")) {
        Err(error) if error.exit == Exit::Unreachable => return Ok(None),
        answer => answer?,
    };
    let balances = balances["balances"].as_array().cloned().unwrap_or_default();
    let of_ada = balances.iter().find(|balance| balance["asset"] == "ADA");
    let balance = of_ada.map_or(0, |balance| lovelace(&balance["amount"]));
    let withdrawals = rows(
        api,
        &format!("/v1/withdrawals?account={account}&limit=100"),
        "withdrawals",
    )?;
    let in_flight = withdrawals
        .iter()
        .filter(|w| w["state"] != "paid" && w["state"] != "cancelled" && w["asset"] == "ADA");
    let in_flight = in_flight.map(|withdrawal| lovelace(&withdrawal["amount"]));
    let held = in_flight.fold(held_in_market(api, account)?, u64::saturating_add);
    Ok(Some(Sidechain {
        balance,
        held,
        withdrawals,
    }))
}

/// Bonds of the account's machines and escrows of its requests and leases.
fn held_in_market(api: &Api, account: &str) -> Outcome<u64> {
    let list = |name: &str, whose: &str| {
        rows(
            api,
            &format!("/v1/{name}?{whose}={account}&limit=100"),
            name,
        )
    };
    let machines = list("machines", "owner")?;
    let bonds = machines
        .iter()
        .filter_map(|machine| machine["bonds"].as_array());
    let bonds = bonds.flatten().filter(|bond| bond["asset"] == "ADA");
    let requests = list("requests", "tenant")?;
    let open = requests.iter().filter(|request| request["state"] == "open");
    let leases = list("leases", "tenant")?;
    let escrows = open
        .chain(&leases)
        .map(|row| lovelace(&row["escrow_lovelace"]));
    let amounts = bonds.map(|bond| lovelace(&bond["amount"])).chain(escrows);
    Ok(amounts.fold(0, u64::saturating_add))
}

/// A page of a listing; nothing on a chain that has no such thing.
fn rows(api: &Api, path: &str, name: &str) -> Outcome<Vec<Value>> {
    match api.get(path) {
        Err(error) if error.exit == Exit::NotFound => Ok(Vec::new()),
        answer => {
            let page = answer?;
            let rows = page[name].as_array().or_else(|| page.as_array());
            Ok(rows.cloned().unwrap_or_default())
        }
    }
}

/// An amount that is written as a number or as a text.
pub(super) fn lovelace(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_u64().or(text).unwrap_or_default()
}

fn withdrawal_row(withdrawal: &Value) -> Vec<String> {
    let amount = ada(lovelace(&withdrawal["amount"]));
    let state = withdrawal["state"].as_str().unwrap_or_default();
    let to = withdrawal["address"].as_str().unwrap_or_default();
    vec!["withdrawal".into(), format!("{amount}  {state}  to {to}")]
}
