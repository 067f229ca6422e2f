//! `nupeer tx prepare`: what `nupeer` can do, for a wallet that signs elsewhere. What belongs to a request or a session key is kept on disk here as
//! if `nupeer` had signed.

use std::time::Duration;

use nupeer_bridge::{WithdrawalId, actions as bridge};
use nupeer_client::now_unix_ms;
use nupeer_lease::{Action as Lease, LeaseId, SignedUsage, actions as lease};
use nupeer_ledger::actions::GrantKey;
use nupeer_paas::ContainerSpec;
use nupeer_primitives::{AccountId, Amount, Hash, TimeMs};
use nupeer_runtime::{Action, Sender, Transaction};
use serde_json::json;

use super::{grant_key, revoke, scope, send};
use crate::{
    acting::{lease_id, machine_id, resolve},
    api::Api,
    args_market::{LeaseFolder, WantedArgs},
    args_prepare::{SessionArgs, What},
    commands::{
        lease::{choose, ids, order, standing},
        pages,
    },
    error::{CliError, Exit, Outcome},
    lease_file::LeaseFile,
    output::{Printer, table},
    session_file, signing,
};

/// Makes what an outside wallet must sign, and prints it.
pub(super) fn prepare(
    from: &str,
    valid_for: u64,
    what: &What,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let (_, chain) = api.client().chain()?;
    let account = signing::account(from, chain)?;
    let made = match what {
        What::Request { wanted, leases } => request(wanted, leases, &account, valid_for, api)?,
        What::Session(args) => session(args, &account, valid_for, api)?,
        other => Made::of(action(other, &account, api)?, &account, valid_for, api)?,
    };
    made.print(&account, api, printer)
}

/// A transaction, and what else is to be told of it.
struct Made {
    transaction: Transaction,
    beside: Vec<(&'static str, String)>,
}

impl Made {
    fn of(action: Action, account: &AccountId, valid_for_s: u64, api: &Api) -> Outcome<Self> {
        let sender = Sender {
            account: *account,
            key: account.hash(),
        };
        let valid_for = Duration::from_secs(valid_for_s);
        let transaction = api.client().prepare_for(action, sender, valid_for)?;
        Ok(Made {
            transaction,
            beside: Vec::new(),
        })
    }

    fn print(&self, account: &AccountId, api: &Api, printer: &Printer) -> Outcome<()> {
        let (_, chain) = api.client().chain()?;
        let text = self.transaction.text(chain);
        let cbor = hex::encode(nupeer_primitives::cbor::encode(&self.transaction));
        let mut value = json!({
            "id": self.transaction.id().to_string(),
            "text": text,
            "address": hex::encode(account.reward_address(chain.cardano)),
            "payload_hex": hex::encode(&text),
            "transaction_cbor": cbor,
            "shown_whole_by_ledger": signing::fits_a_ledger(&text),
        });
        let mut rows = vec![
            vec!["text".to_owned(), text.clone()],
            vec!["payload".to_owned(), hex::encode(&text)],
            vec!["transaction".to_owned(), cbor],
        ];
        for (name, told) in &self.beside {
            value[name] = told.as_str().into();
            rows.push(vec![(*name).to_owned(), told.clone()]);
        }
        printer.result(value, &table(&rows));
        printer.note(
            "Sign the payload with signData under the reward address, then: nupeer tx submit",
        );
        Ok(())
    }
}

/// The action that is named by what stands on the chain or on the command line alone.
fn action(what: &What, account: &AccountId, api: &Api) -> Outcome<Action> {
    let client = api.client();
    Ok(match what {
        What::Send { to, amount } => send(to, *amount, api)?.into(),
        What::Grant(grant) => grant_key(grant)?.into(),
        What::Revoke { key } => revoke(key)?.into(),
        What::Withdraw { to, amount } => withdraw(to, *amount, api)?.into(),
        What::CancelWithdrawal { id } => {
            let id = WithdrawalId(*id);
            nupeer_bridge::Action::CancelWithdrawal(bridge::CancelWithdrawal { id }).into()
        }
        What::Match { request, offer } => matched(request, offer, account, api)?.into(),
        What::CancelRequest { request } => {
            let request = request_id(request, account, api)?;
            Lease::CancelRequest(lease::CancelRequest { request }).into()
        }
        What::TopUp { lease, amount } => Lease::TopUp(lease::TopUp {
            lease: lease_id(lease, client)?,
            amount_lovelace: *amount,
        })
        .into(),
        What::Close { lease, leases } => close(lease_id(lease, client)?, leases, api)?.into(),
        What::SettleUsage { note } => settle(note)?.into(),
        What::WithdrawMachine { machine } => {
            let machine = machine_id(machine, client)?;
            Lease::WithdrawMachine(lease::WithdrawMachine { machine }).into()
        }
        What::Request { .. } | What::Session(_) => {
            return Err(CliError::new(Exit::Unexpected, "it keeps something"));
        }
    })
}

fn withdraw(to: &str, amount: Amount, api: &Api) -> Outcome<nupeer_bridge::Action> {
    let (_, chain) = api.client().chain()?;
    let address = nupeer_bridge::address::parse(to, chain.cardano)
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    let address = address.to_bytes(chain.cardano);
    let withdraw = bridge::Withdraw::ada(address, amount);
    Ok(nupeer_bridge::Action::Withdraw(withdraw))
}

/// The request that `text` names: by its whole id, or one of the account's by the beginning of it.
fn request_id(text: &str, account: &AccountId, api: &Api) -> Outcome<LeaseId> {
    let (_, chain) = api.client().chain()?;
    let tenant = account.to_bech32(chain.cardano);
    let all = || {
        let mine = pages::all(api, "requests", &format!("tenant={tenant}&"))?;
        Ok(ids(&mine))
    };
    resolve("request", text, all).map(LeaseId)
}

fn matched(request: &str, offer: &str, account: &AccountId, api: &Api) -> Outcome<Lease> {
    let id = request_id(request, account, api)?;
    let chosen = choose(offer, &standing(&id, api)?, api)?;
    Ok(Lease::Match(Box::new(lease::Match {
        request: id,
        offer: chosen.offer,
    })))
}

/// Ends a lease with the last note that was signed for it, where the chain has not settled that.
fn close(id: LeaseId, leases: &LeaseFolder, api: &Api) -> Outcome<Lease> {
    let (_, chain) = api.client().chain()?;
    let found = api.client().lease(&id)?;
    let (known, _) = found.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("the chain knows no lease {id}"))
            .next("nupeer lease list --tenant ADDRESS   lists an account's")
    })?;
    let file = LeaseFile::open(&leases.folder, id, chain.id)?;
    let more = |note: &SignedUsage| note.usage.metered_ms > known.metered_ms;
    let usage = file.signed.filter(more);
    Ok(Lease::CloseLease(Box::new(lease::CloseLease {
        lease: id,
        usage,
    })))
}

fn settle(note: &str) -> Outcome<Lease> {
    let wrong = |why: String| CliError::new(Exit::Usage, format!("the note: {why}"));
    let bytes = hex::decode(note).map_err(|error| wrong(error.to_string()))?;
    let usage = SignedUsage::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(Lease::SubmitUsage(Box::new(lease::SubmitUsage { usage })))
}

/// A request; what is to run is kept, which the chain knows by digest alone.
fn request(
    args: &WantedArgs,
    leases: &LeaseFolder,
    account: &AccountId,
    valid_for: u64,
    api: &Api,
) -> Outcome<Made> {
    let spec: ContainerSpec = order::specification(&args.container)?;
    let wanted = order::wanted(args, &spec, api)?;
    let escrow_lovelace = args.escrow;
    let post = lease::PostRequest {
        wanted,
        escrow_lovelace,
    };
    let mut made = Made::of(Lease::PostRequest(post).into(), account, valid_for, api)?;
    let id: Hash = made.transaction.id();
    let lease = LeaseId::requested_by(&id);
    let mut file = LeaseFile::open(&leases.folder, lease, made.transaction.network)?;
    file.manifest = Some(spec);
    file.save()?;
    made.beside.push(("request", lease.to_string()));
    Ok(made)
}

/// A new session key and what lets it act. Without the wallet's signature it is worth nothing.
fn session(args: &SessionArgs, account: &AccountId, valid_for: u64, api: &Api) -> Outcome<Made> {
    let (_, chain) = api.client().chain()?;
    let scope = scope(&args.scope)?;
    let key = session_file::create(&args.out, *account, chain.cardano, chain.id)?.hash();
    let term_ms = u64::try_from(args.term.duration().as_millis()).unwrap_or(u64::MAX);
    let grant = GrantKey {
        key,
        scope,
        budget_lovelace: args.budget,
        expires: TimeMs(now_unix_ms().saturating_add(term_ms)),
    };
    let action = nupeer_ledger::Action::GrantKey(grant).into();
    let made = Made::of(action, account, valid_for, api);
    if made.is_err() {
        // The next attempt makes another.
        let _ = std::fs::remove_file(&args.out);
    }
    let mut made = made?;
    made.beside
        .push(("session", args.out.display().to_string()));
    made.beside.push(("key", key.to_string()));
    Ok(made)
}
