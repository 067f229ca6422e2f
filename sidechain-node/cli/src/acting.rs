//! Doing something on the chain: who signs, what it says, what it costs, and whether it became final.

use std::time::Duration;

use nupeer_client::{Client, Signer, TIMEOUT};
use nupeer_primitives::{CardanoNetwork, Hash, Height};
use nupeer_runtime::{Action, Chain, SignedTransaction};
use serde_json::{Value, json};

use crate::{
    amount::show_ada,
    api::Api,
    args::Signing,
    args_market::Who,
    error::{CliError, Exit, Outcome},
    known_chain,
    output::Printer,
    session_file, wallet_file,
};

/// The signer that is named: a session key, or the wallet's own. The chain that the node serves must be the one that the key is for.
pub(crate) fn signer(who: &Who, api: &Api) -> Outcome<Signer> {
    let (_, chain) = api.client().chain()?;
    match &who.session {
        Some(path) => {
            let session = session_file::read(path)?;
            known_chain::same(session.genesis, chain)?;
            Ok(Signer::new(session.account, session.key))
        }
        None => {
            let wallet = wallet_file::open(&who.file)?;
            is_beside(wallet.network(), chain)?;
            known_chain::check(&who.file.wallet, chain, api.client().expected())?;
            Ok(Signer::new(wallet.account(), wallet.stake_signing_key()))
        }
    }
}

fn is_beside(network: CardanoNetwork, chain: &Chain) -> Outcome<()> {
    if network == chain.cardano {
        return Ok(());
    }
    let (name, theirs) = (&chain.name, chain.cardano);
    let what = format!("the wallet is for {network}, the chain {name} stands beside {theirs}");
    Err(CliError::new(Exit::Key, what))
}

/// What became of an action.
pub(crate) enum Done {
    /// It was only shown; the result is printed.
    Shown,
    /// A node has it.
    Sent(Hash),
    /// It is in a block.
    Final(Hash, Height),
}

impl Done {
    /// Prints `value` with the transaction, as the command's result; nothing where it was only shown.
    pub(crate) fn print(&self, mut value: Value, mut lines: Vec<String>, printer: &Printer) {
        let (id, status, height) = match self {
            Done::Shown => return,
            Done::Sent(id) => (id, "pending", None),
            Done::Final(id, height) => (id, "final", Some(height.0)),
        };
        value["transaction"] = id.to_string().into();
        value["status"] = status.into();
        value["height"] = height.into();
        lines.push(match height {
            Some(height) => format!("final in block {height}"),
            None => format!("next  nupeer tx wait {id}"),
        });
        printer.result(value, &lines);
    }
}

/// Shows what `action` says and costs, asks, signs, submits, and waits until it is final.
pub(crate) fn act(
    action: impl Into<Action>,
    signer: &Signer,
    signing: &Signing,
    api: &Api,
    printer: &Printer,
) -> Outcome<Done> {
    let Some(signed) = confirmed(action, signer, signing, api, printer)? else {
        return Ok(Done::Shown);
    };
    carried(&signed, signing, api)
}

/// Submits what was signed, and waits until it is final where that is wanted.
pub(crate) fn carried(signed: &SignedTransaction, signing: &Signing, api: &Api) -> Outcome<Done> {
    if signing.no_wait {
        return Ok(Done::Sent(api.client().submit_signed(signed)?));
    }
    let height = api.client().carry(signed, TIMEOUT)?;
    Ok(Done::Final(signed.transaction.id(), height))
}

/// Shows what `action` says and costs, asks, and signs. `None` where it was only to be shown; that is printed.
pub(crate) fn confirmed(
    action: impl Into<Action>,
    signer: &Signer,
    signing: &Signing,
    api: &Api,
    printer: &Printer,
) -> Outcome<Option<SignedTransaction>> {
    let client = api.client();
    let (_, chain) = client.chain()?;
    let valid_for = Duration::from_secs(signing.valid_for);
    let transaction = client.prepare(action, signer, valid_for)?;
    let text = transaction.text(chain);
    let signed = signer.sign(transaction);
    let fee = client.fee(&signed)?;
    if signing.dry_run {
        let value = json!({ "text": text, "fee_lovelace": fee.to_string(), "dry_run": true });
        let lines = [
            format!("would sign  {text}"),
            format!("fee         {}", show_ada(fee)),
        ];
        printer.result(value, &lines);
        return Ok(None);
    }
    printer.note(&format!("{text}\nfee {}", show_ada(fee)));
    printer.confirm("Sign and submit?", signing.yes)?;
    Ok(Some(signed))
}

/// The one id of `ids` that begins with `text`.
pub(crate) fn resolve(
    what: &str,
    text: &str,
    ids: impl FnOnce() -> Outcome<Vec<Hash>>,
) -> Outcome<Hash> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let is_beginning = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_beginning {
        let wrong = format!("{text:?} is no id of a {what}: 64 hexadecimal digits, or the first");
        return Err(CliError::new(Exit::Usage, wrong));
    }
    let text = text.to_ascii_lowercase();
    let mut ids = ids()?;
    ids.retain(|id| id.to_string().starts_with(&text));
    match ids[..] {
        [id] => Ok(id),
        [] => Err(CliError::new(
            Exit::NotFound,
            format!("no {what} begins with {text}"),
        )),
        _ => Err(CliError::new(
            Exit::Usage,
            format!("{} {what}s begin with {text}; write more of it", ids.len()),
        )),
    }
}

/// The machine that `text` names.
pub(crate) fn machine_id(text: &str, client: &Client) -> Outcome<nupeer_lease::MachineId> {
    let all = || {
        let page = client.machines(nupeer_client::MachineFilter::All)?;
        Ok(page.entries.into_iter().map(|(id, _)| id.0).collect())
    };
    resolve("machine", text, all).map(nupeer_lease::MachineId)
}

/// The lease that `text` names.
pub(crate) fn lease_id(text: &str, client: &Client) -> Outcome<nupeer_lease::LeaseId> {
    let all = || {
        let page = client.leases(nupeer_client::LeaseFilter::All)?;
        Ok(page.entries.into_iter().map(|(id, _)| id.0).collect())
    };
    resolve("lease", text, all).map(nupeer_lease::LeaseId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_names_it_where_it_names_one() {
        let ids = [[0x11; 32], [0x12; 32], [0x20; 32]].map(Hash);
        let find = |text: &str| {
            let found = resolve("lease", text, || Ok(ids.to_vec()));
            found.map_err(|error| error.exit)
        };
        assert_eq!(find("2").unwrap(), ids[2]);
        assert_eq!(find("11").unwrap(), ids[0]);
        assert_eq!(find(&"33".repeat(32)).unwrap(), Hash([0x33; 32]));
        for (text, exit) in [
            ("1", Exit::Usage),
            ("3", Exit::NotFound),
            ("", Exit::Usage),
            ("xyz", Exit::Usage),
        ] {
            assert_eq!(find(text), Err(exit), "{text}");
        }
    }
}
