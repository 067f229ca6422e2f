//! `nupeer withdraw`: ADA from the sidechain to Cardano, and back while it waits.

use std::time::{Duration, Instant};

use nupeer_bridge::{
    Action, WithdrawalId,
    actions::{CancelWithdrawal, Withdraw},
    address,
};
use nupeer_primitives::{Amount, CardanoNetwork};
use nupeer_runtime::{RecordKind, SignedTransaction};
use serde_json::{Value, json};

use super::{prove, status::plain, tx, wallet_funds::lovelace};
use crate::{
    amount::{base_units, show_ada},
    api::Api,
    args::Signing,
    args_cardano::{WithdrawArgs, WithdrawCommand},
    error::{CliError, Exit, Outcome},
    output::Printer,
    wallet_file,
};

/// How often the node is asked while waiting.
const POLL: Duration = Duration::from_millis(250);

pub(super) fn run(args: &WithdrawArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    match (&args.command, args.amount) {
        (Some(WithdrawCommand::Cancel { id, signing }), _) => cancel(id, signing, api, printer),
        (Some(WithdrawCommand::Show { id, prove }), _) => match prove {
            None => show(id, api, printer),
            Some(genesis) => prove::show(&[RecordKind::Withdrawal], id, genesis, api, printer),
        },
        (None, Some(amount)) => withdraw(args, amount, api, printer),
        (None, None) => Err(CliError::new(Exit::Usage, "how much is to be withdrawn?")),
    }
}

fn show(id: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let value = shown(&prove::id(id)?.to_string(), api, Instant::now())?;
    let line = words(&value);
    printer.result(value, &[line]);
    Ok(())
}

/// Takes back what no shard was told to pay yet.
fn cancel(text: &str, signing: &Signing, api: &Api, printer: &Printer) -> Outcome<()> {
    let id = prove::id(text)?;
    let action = Action::CancelWithdrawal(CancelWithdrawal {
        id: WithdrawalId(id),
    });
    let Some(signed) = tx::confirmed(action, signing, api, printer)? else {
        return Ok(());
    };
    if signing.no_wait {
        return submitted(&signed, api, printer);
    }
    api.client().carry(&signed, nupeer_client::TIMEOUT)?;
    let mut value = shown(&id.to_string(), api, Instant::now())?;
    let line = words(&value);
    value["tx"] = json!(signed.transaction.id().to_string());
    value["lovelace"] = base_units(lovelace(&value["amount"]));
    printer.result(value, &[line]);
    Ok(())
}

fn submitted(signed: &SignedTransaction, api: &Api, printer: &Printer) -> Outcome<()> {
    let id = api.client().submit_signed(signed)?;
    printer.note(&format!("next  nupeer tx wait {id}"));
    let value = json!({ "id": id.to_string(), "status": "pending" });
    printer.result(value, &[format!("submitted {id}")]);
    Ok(())
}

fn withdraw(args: &WithdrawArgs, amount: Amount, api: &Api, printer: &Printer) -> Outcome<()> {
    let (_, chain) = api.client().chain()?;
    let to = destination(args, chain.cardano)?;
    let address = address::parse(&to, chain.cardano)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let action = Withdraw::ada(address.to_bytes(chain.cardano), amount);
    let signed = tx::confirmed(Action::Withdraw(action), &args.signing, api, printer)?;
    let Some(signed) = signed else {
        return Ok(());
    };
    let id = signed.transaction.id().to_string();
    if args.signing.no_wait && !args.wait {
        return submitted(&signed, api, printer);
    }
    api.client().carry(&signed, nupeer_client::TIMEOUT)?;
    let withdrawal = match args.wait {
        true => until_paid(args, &id, api, printer)?,
        false => shown(&id, api, Instant::now())?,
    };
    let line = words(&withdrawal);
    let mut value = withdrawal;
    value["tx"] = json!(id);
    value["lovelace"] = base_units(lovelace(&value["amount"]));
    printer.result(value, &[line]);
    if !args.wait {
        printer.note("next  nupeer wallet funds   shows where it is");
    }
    Ok(())
}

/// The address named, else the wallet's own.
fn destination(args: &WithdrawArgs, network: CardanoNetwork) -> Outcome<String> {
    if let Some(to) = &args.to {
        return Ok(to.clone());
    }
    let wallet = wallet_file::open(&args.signing.file)?;
    if wallet.network() != network {
        let what = format!(
            "the wallet is for {}, the chain stands beside {network}",
            wallet.network()
        );
        return Err(CliError::new(Exit::Key, what).next("--to ADDRESS   names another"));
    }
    Ok(wallet.base_address(0).to_string())
}

fn shown(id: &str, api: &Api, end: Instant) -> Outcome<Value> {
    api.get_by(&format!("/v1/withdrawals/{id}"), end)
}

/// Follows it until the payment lies deep on Cardano, which closes it.
fn until_paid(args: &WithdrawArgs, id: &str, api: &Api, printer: &Printer) -> Outcome<Value> {
    let end = Instant::now() + Duration::from_secs(args.timeout);
    let mut told = String::new();
    loop {
        let withdrawal = shown(id, api, end)?;
        let line = words(&withdrawal);
        if line != told {
            printer.note(&line);
            told = line;
        }
        if withdrawal["state"] == "paid" {
            return Ok(withdrawal);
        }
        if withdrawal["state"] == "cancelled" {
            return Err(CliError::new(Exit::Refused, told));
        }
        if Instant::now() >= end {
            let what = format!(
                "not paid after {} s; it will be once a relayer carries it out",
                args.timeout
            );
            return Err(CliError::new(Exit::Waited, what)
                .next("nupeer wallet funds            shows where it is")
                .next("nupeer relayer --config FILE   runs a relayer; anybody may")
                .next(format!(
                    "nupeer withdraw cancel {id}   takes it back while it is queued"
                )));
        }
        std::thread::sleep(POLL);
    }
}

/// Where a withdrawal is.
pub(super) fn words(withdrawal: &Value) -> String {
    let amount = match withdrawal["asset"].as_str() {
        None | Some("ADA") => show_ada(lovelace(&withdrawal["amount"]).into()),
        Some(asset) => format!("{} of {asset} (raw units)", plain(&withdrawal["amount"])),
    };
    match withdrawal["state"].as_str() {
        Some("queued") => format!(
            "{amount} queued: waits until a shard of the vault holds enough, or is taken back"
        ),
        Some("assigned") => format!(
            "{amount} assigned: payment {} of shard {}; waits for an anchor",
            plain(&withdrawal["seq"]),
            plain(&withdrawal["shard"]),
        ),
        Some("anchored") => format!(
            "{amount} anchored: certified in anchor {} on Cardano; a relayer pays, and closed when that is deep",
            plain(&withdrawal["anchor_seq"]),
        ),
        Some("paid") => format!(
            "{amount} paid and closed: transaction {}, deep on Cardano",
            plain(&withdrawal["payout_tx"]),
        ),
        Some("cancelled") => format!("{amount} taken back: the account's again"),
        _ => format!("{amount} {}", plain(&withdrawal["state"])),
    }
}
