//! Doing something on the chain: who signs, what it says, what it costs, and whether it became final.

use std::{path::Path, time::Duration};

use nupeer_client::{Client, ClientError, Signer, TIMEOUT};
use nupeer_primitives::{CardanoNetwork, Hash, Height};
use nupeer_runtime::{Action, Chain, SignedTransaction};
use serde_json::{Value, json};

use crate::{
    amount::show_ada,
    api::Api,
    args::Signing,
    args_market::Who,
    commands::cut_off,
    error::{CliError, Exit, Outcome},
    known_chain,
    output::Printer,
    session_file, wallet_file,
};

/// The signer that is named: a session key, or the wallet's own. The chain that the node serves must be the one that the key is for; a wallet remembers the
/// first one that it signs for.
pub(crate) fn signer(who: &Who, api: &Api) -> Outcome<Signer> {
    named(who, api, known_chain::keep)
}

/// As [`signer`], of an action that may only be shown: then nothing is remembered either.
pub(crate) fn signer_for(who: &Who, signing: &Signing, api: &Api) -> Outcome<Signer> {
    match signing.dry_run {
        true => named(who, api, known_chain::check),
        false => signer(who, api),
    }
}

fn named(
    who: &Who,
    api: &Api,
    is_known: impl Fn(&Path, &Chain, Option<Hash>) -> Outcome<()>,
) -> Outcome<Signer> {
    let (_, chain) = api.client().chain()?;
    match &who.session {
        Some(path) => {
            let session = session_file::read(path)?;
            known_chain::same(session.genesis, chain)
                .map_err(|error| of_another(error, &chain.name))?;
            Ok(Signer::new(session.account, session.key))
        }
        None => {
            let wallet = wallet_file::open(&who.file)?;
            is_beside(wallet.network(), chain)?;
            is_known(&who.file.wallet, chain, api.client().expected())?;
            Ok(Signer::new(wallet.account(), wallet.stake_signing_key()))
        }
    }
}

/// A session key is for the chain that granted it something, for ever: no word of the user's makes it another's.
fn of_another(error: CliError, name: &str) -> CliError {
    CliError {
        next: vec![
            "--api-url URL              asks a node of the key's own chain".to_owned(),
            format!("nupeer wallet session new  makes a key for {name}, if that is meant"),
        ],
        ..error
    }
}

fn is_beside(network: CardanoNetwork, chain: &Chain) -> Outcome<()> {
    if network == chain.cardano {
        return Ok(());
    }
    let (name, theirs) = (&chain.name, chain.cardano);
    let what = format!("the wallet is for {network}, the chain {name} stands beside {theirs}");
    Err(CliError::new(Exit::Key, what)
        .next("--wallet FILE   names a wallet of that network")
        .next("--api-url URL   asks a node of another chain"))
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
    Ok(carried(&signed, signing, api)?)
}

/// Submits what was signed, and waits until it is final where that is wanted. What it fails with tells whether it may still become final
/// ([`never_happens`]).
pub(crate) fn carried(
    signed: &SignedTransaction,
    signing: &Signing,
    api: &Api,
) -> Result<Done, ClientError> {
    if signing.no_wait {
        return Ok(Done::Sent(api.client().submit_signed(signed)?));
    }
    let height = api.client().carry(signed, TIMEOUT)?;
    Ok(Done::Final(signed.transaction.id(), height))
}

/// Whether what failed with `error` after it was signed never becomes final: a rule refused it. Whatever else went wrong, some node may have it.
pub(crate) fn never_happens(error: &ClientError) -> bool {
    error.rule().is_some() && !error.is_temporary()
}

/// What went wrong with the transaction `id`, which may still become final: with the command that tells.
pub(crate) fn unsettled(id: &Hash, error: ClientError) -> CliError {
    let error = CliError::from(error);
    let wait = format!("nupeer tx wait {id}");
    if error.next.iter().any(|step| step.starts_with(&wait)) {
        return error;
    }
    error.next(format!("{wait}   tells what became of it"))
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
        preview(&signed, &text, api, printer)?;
        return Ok(None);
    }
    printer.note(&format!("{text}\nfee {}", show_ada(fee)));
    printer.confirm("Sign and submit?", signing.yes)?;
    let (id, valid_for) = (signed.transaction.id(), signing.valid_for);
    printer.note(&format!("submitting {id}"));
    // By then it is in a block or never will be.
    cut_off::note(&format!("tx wait {id} --timeout {valid_for}"), printer);
    Ok(Some(signed))
}

/// Prints what would be signed, and asks the node whether a block would execute it; what a rule would refuse ends as the real thing would.
fn preview(signed: &SignedTransaction, text: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let fee = api.client().fee(signed)?;
    let refused = match api.client().check(signed) {
        Ok(()) => None,
        Err(error) if never_happens(&error) => Some(error),
        Err(error) if error.is_not_found() => {
            let what = "this node cannot say whether it would be refused: it is of another release";
            return Err(CliError::new(Exit::Unexpected, what).next("--api-url URL   asks another"));
        }
        Err(error) => return Err(error.into()),
    };
    let refusal = refused.as_ref().map(|error| {
        json!({ "code": error.rule().map(|code| code.to_string()), "message": error.to_string() })
    });
    let value = json!({
        "text": text, "fee_lovelace": fee.to_string(), "dry_run": true, "refused": refusal,
    });
    let verdict = match refused {
        None => "would be executed by the next block",
        Some(_) => "would be refused",
    };
    let lines = [
        format!("would sign  {text}"),
        format!("fee         {}", show_ada(fee)),
        format!("now it      {verdict}"),
    ];
    printer.result(value, &lines);
    refused.map_or(Ok(()), |error| {
        let error = CliError::from(error);
        let what = format!("it would be refused: {}", error.what);
        Err(CliError { what, ..error })
    })
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
        [] => {
            let error = CliError::new(Exit::NotFound, format!("no {what} begins with {text}"));
            Err(listing(what).into_iter().fold(error, CliError::next))
        }
        _ => Err(CliError::new(
            Exit::Usage,
            format!("{} {what}s begin with {text}; write more of it", ids.len()),
        )),
    }
}

/// The command that lists what could have been meant.
fn listing(what: &str) -> Option<&'static str> {
    Some(match what {
        "machine" => "nupeer machine list         lists all",
        "offer" => "nupeer offer list           lists what this node knows",
        "lease" => "nupeer lease list --all     lists all",
        "request" => "nupeer lease requests       lists the open ones",
        _ => return None,
    })
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
pub(crate) mod tests {
    use nupeer_primitives::Code;

    use super::*;

    /// Ways in which sending a transaction fails, and whether that is its end.
    pub(crate) fn failures(id: Hash) -> [(ClientError, bool); 7] {
        let (code, message) = (Some(Code(2001)), "too little".to_owned());
        let refused = |status: u16, code: Option<Code>| ClientError::Refused {
            status,
            code,
            message: "refused".into(),
            next: None,
        };
        let reason = "gone".to_owned();
        [
            (refused(422, code), true),
            (ClientError::TransactionRefused { id, code, message }, true),
            // A proxy's word is no rule's; and what is busy now is not refused.
            (refused(400, None), false),
            (refused(503, code), false),
            (ClientError::NotFinal { id, waited_ms: 1 }, false),
            (ClientError::Unanswered { id, reason }, false),
            (
                ClientError::Malformed {
                    url: "u".into(),
                    expected: "status".into(),
                },
                false,
            ),
        ]
    }

    #[test]
    fn only_a_rule_ends_what_was_sent_and_everything_else_names_the_wait() {
        let id = Hash([7; 32]);
        for (error, ends) in failures(id) {
            assert_eq!(never_happens(&error), ends, "{error:?}");
            let told = unsettled(&id, error);
            let waits = told.next.iter().filter(|step| {
                let command = format!("nupeer tx wait {id}");
                step.starts_with(&command)
            });
            assert_eq!(waits.count(), 1, "{told:?}");
        }
    }

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
        for what in ["machine", "offer", "lease", "request"] {
            let lost = resolve(what, "3", || Ok(vec![])).unwrap_err();
            assert_eq!(lost.next.len(), 1, "{lost:?}");
        }
    }

    #[test]
    fn a_session_of_another_chain_is_not_made_this_ones_by_a_word() {
        let error = CliError::new(Exit::Key, "another").next("--genesis-id X   goes over");
        let told = of_another(error, "test");
        assert_eq!((told.exit, told.next.len()), (Exit::Key, 2));
        assert!(!told.next.iter().any(|step| step.contains("--genesis-id")));
    }
}
