//! `nupeer tx`.

mod prepare;

use std::time::{Duration, Instant};

use minicbor::bytes::ByteVec;
use nupeer_client::now_unix_ms;
use nupeer_ledger::{
    Action, LedgerError, Scope,
    actions::{GrantKey, RevokeKey, Transfer},
};
use nupeer_primitives::{Amount, AssetId, Hash, Hash28, TimeMs};
use nupeer_runtime::{SignedTransaction, Transaction, Witness, transaction::short_id};
use serde_json::{Value, json};

use crate::{
    acting::{self, signer_for},
    api::Api,
    args::{GrantArgs, Signing, TxCommand},
    args_market::Who,
    commands::status::plain,
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    signing,
};

pub(super) fn run(command: &TxCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    match command {
        TxCommand::Send {
            to,
            amount,
            signing,
        } => own(send(to, *amount, api)?, signing, api, printer),
        TxCommand::Grant { grant, signing } => own(grant_key(grant)?, signing, api, printer),
        TxCommand::Revoke { key, signing } => own(revoke(key)?, signing, api, printer),
        TxCommand::Prepare {
            from,
            valid_for,
            what,
        } => prepare::prepare(from, *valid_for, what, api, printer),
        TxCommand::Submit {
            cbor,
            cose_sign1,
            cose_key,
            no_wait,
        } => submit_wallet(cbor, cose_sign1, cose_key, *no_wait, api, printer),
        TxCommand::Show { id } => {
            let id = transaction_id(id)?;
            show(&api.get(&format!("/v1/transactions/{id}"))?, printer)
        }
        TxCommand::Wait { id, timeout } => {
            let id = transaction_id(id)?;
            show(&wait(api, &id, *timeout)?, printer)
        }
    }
}

fn transaction_id(text: &str) -> Outcome<Hash> {
    text.parse()
        .map_err(|_| CliError::new(Exit::Usage, "an id has 64 hexadecimal digits"))
}

fn send(to: &str, amount: Amount, api: &Api) -> Outcome<Action> {
    let (_, chain) = api.client().chain()?;
    Ok(Action::Transfer(Transfer {
        to: signing::receiver(to, chain.cardano)?,
        asset: AssetId::Ada,
        amount,
    }))
}

fn revoke(key: &str) -> Outcome<Action> {
    let key = key_hash(key)?;
    Ok(Action::RevokeKey(RevokeKey { key }))
}

fn key_hash(text: &str) -> Outcome<Hash28> {
    text.parse()
        .map_err(|error| CliError::new(Exit::Usage, format!("--key {text}: {error}")))
}

/// What a key may do, by names.
pub(super) fn scope(names: &[String]) -> Outcome<Scope> {
    names.iter().try_fold(Scope::default(), |all, name| {
        let scope: Result<Scope, LedgerError> = name.parse();
        let scope = scope.map_err(|error| CliError::numbered(Exit::Usage, &error))?;
        Ok(all.and(scope))
    })
}

fn grant_key(grant: &GrantArgs) -> Outcome<Action> {
    let scope = scope(&grant.scope)?;
    let expires = now_unix_ms().saturating_add(grant.hours.saturating_mul(3_600_000));
    let key = key_hash(&grant.key)?;
    Ok(Action::GrantKey(GrantKey {
        key,
        scope,
        budget_lovelace: grant.budget,
        expires: TimeMs(expires),
    }))
}

/// Makes, shows, signs and submits a transaction of the wallet's own account.
fn own(action: Action, signing: &Signing, api: &Api, printer: &Printer) -> Outcome<()> {
    match confirmed(action, signing, api, printer)? {
        Some(signed) => submit(&signed, signing.no_wait, api, printer),
        None => Ok(()),
    }
}

/// Makes, shows and signs a transaction of the wallet's own account. `None` where it was only to be shown.
pub(super) fn confirmed(
    action: impl Into<nupeer_runtime::Action>,
    signing: &Signing,
    api: &Api,
    printer: &Printer,
) -> Outcome<Option<SignedTransaction>> {
    let who = Who {
        file: signing.file.clone(),
        session: None,
    };
    let signer = signer_for(&who, signing, api)?;
    acting::confirmed(action, &signer, signing, api, printer)
}

fn submit_wallet(
    cbor: &str,
    cose_sign1: &str,
    cose_key: &str,
    no_wait: bool,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let part = |name: &str, text: &str| {
        hex::decode(text).map_err(|error| CliError::new(Exit::Usage, format!("--{name}: {error}")))
    };
    let bytes = part("cbor", cbor)?;
    let transaction: Transaction = nupeer_primitives::cbor::decode(&bytes)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let witness = Witness::Wallet {
        cose_sign1: ByteVec::from(part("cose-sign1", cose_sign1)?),
        cose_key: ByteVec::from(part("cose-key", cose_key)?),
    };
    let id = transaction.id();
    printer.note(&format!("submitting {} ({})", id, short_id(&id)));
    let signed = SignedTransaction {
        transaction,
        witness,
    };
    submit(&signed, no_wait, api, printer)
}

fn submit(signed: &SignedTransaction, no_wait: bool, api: &Api, printer: &Printer) -> Outcome<()> {
    let id = signed.transaction.id();
    if no_wait {
        api.client().submit_signed(signed)?;
        printer.note(&format!("next  nupeer tx wait {id}"));
        let answer = json!({ "id": id.to_string(), "status": "pending" });
        return show(&answer, printer);
    }
    api.client().carry(signed, nupeer_client::TIMEOUT)?;
    show(&wait(api, &id, 10)?, printer)
}

/// Asks until the transaction is final or refused.
fn wait(api: &Api, id: &Hash, timeout_s: u64) -> Outcome<Value> {
    let timeout = Duration::from_secs(timeout_s);
    api.client().wait_final(id, timeout)?;
    api.get_by(&format!("/v1/transactions/{id}"), Instant::now() + timeout)
}

fn show(answer: &Value, printer: &Printer) -> Outcome<()> {
    let mut rows = vec![
        vec!["transaction".to_owned(), plain(&answer["id"])],
        vec!["status".to_owned(), plain(&answer["status"])],
    ];
    if !answer["height"].is_null() {
        rows.push(vec!["height".into(), plain(&answer["height"])]);
    }
    if !answer["reason"].is_null() {
        rows.push(vec!["reason".into(), plain(&answer["reason"]["message"])]);
    }
    printer.result(answer.clone(), &table(&rows));
    Ok(())
}
