//! `nupeer wallet session`: keys that act for the wallet, so that it can stay closed.

use std::path::Path;

use nupeer_client::{ClientError, Signer};
use nupeer_ledger::{Scope, actions::GrantKey};
use nupeer_primitives::{Hash, TimeMs};
use serde_json::json;

use crate::{
    acting::{Done, carried, confirmed, never_happens, signer_for, unsettled},
    api::Api,
    args_market::{SessionCommand, SessionNewArgs, Who},
    commands::tx,
    error::{CliError, Outcome},
    output::{Printer, table},
    session_file,
    units::show_time,
    wallet_file,
};

pub(super) fn run(command: &SessionCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    match command {
        SessionCommand::New(args) => new(args, api, printer),
        SessionCommand::Show { file } => show(file, api, printer),
    }
}

fn new(args: &SessionNewArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    let scope: Scope = tx::scope(&args.scope)?;
    let (_, chain) = api.client().chain()?;
    let who = Who {
        file: args.signing.file.clone(),
        session: None,
    };
    // The wallet opens before a key is made: without it there is nobody to grant anything.
    let wallet = signer_for(&who, &args.signing, api)?;
    let (_, network) = wallet_file::account(&args.signing.file.wallet)?;
    let key = if args.signing.dry_run {
        printer.note("no key is made: the one below is thrown away");
        session_file::thrown_away()
    } else {
        session_file::create(&args.out, wallet.account(), network, chain.id)?
    };
    let term_ms = u64::try_from(args.term.duration().as_millis()).unwrap_or(u64::MAX);
    let grant = GrantKey {
        key: key.hash(),
        scope,
        budget_lovelace: args.budget,
        expires: TimeMs(nupeer_client::now_unix_ms().saturating_add(term_ms)),
    };
    let done = granted(&grant, &wallet, args, api, printer)?;
    let value = json!({
        "session": args.out.display().to_string(),
        "key": grant.key.to_string(),
        "scope": scope.text(),
        "budget_lovelace": grant.budget_lovelace.to_string(),
        "expires_unix_ms": grant.expires.0,
    });
    let line = format!("{} may {}", args.out.display(), scope.text());
    done.print(value, vec![line], printer);
    Ok(())
}

/// Grants, if it is confirmed. The key's file does not outlive a grant that never happens: the next attempt makes another.
fn granted(
    grant: &GrantKey,
    wallet: &Signer,
    args: &SessionNewArgs,
    api: &Api,
    printer: &Printer,
) -> Outcome<Done> {
    let (signing, file) = (&args.signing, &args.out);
    let action = nupeer_ledger::Action::GrantKey(grant.clone());
    let signed = match confirmed(action, wallet, signing, api, printer) {
        Ok(Some(signed)) => signed,
        Ok(None) => return Ok(Done::Shown),
        Err(error) => {
            // A dry run made none; what is there is another's.
            if !signing.dry_run {
                let _ = std::fs::remove_file(file);
            }
            return Err(error);
        }
    };
    let id = signed.transaction.id();
    carried(&signed, signing, api).map_err(|error| failed(&id, error, file))
}

/// What went wrong with the grant `id`. Its key's file goes where a rule refused the grant; else the grant may still happen, and the key is worth what it says.
fn failed(id: &Hash, error: ClientError, file: &Path) -> CliError {
    if never_happens(&error) {
        let _ = std::fs::remove_file(file);
        return error.into();
    }
    let file = file.display();
    unsettled(id, error)
        .next(format!("{file} is kept: its key may be granted still"))
        .next(format!(
            "nupeer wallet session show {file}   says what it may do"
        ))
}

fn show(file: &Path, api: &Api, printer: &Printer) -> Outcome<()> {
    let session = session_file::read(file)?;
    let key = nupeer_primitives::PublicKey(session.key.verifying_key().to_bytes()).hash();
    let account = api.client().account(&session.account, Some(&key))?;
    let address = session.account.to_bech32(session.network);
    let granted = account.granted(&key);
    let value = json!({
        "account": address,
        "key": key.to_string(),
        "scope": granted.map(|granted| granted.scope.clone()),
        "budget_lovelace": granted.map(|granted| granted.budget_lovelace.to_string()),
        "expires_unix_ms": granted.map(|granted| granted.expires.0),
    });
    let may = granted.map_or(
        "nothing: it was revoked, or never granted".to_owned(),
        |granted| {
            let left = crate::amount::show_ada(granted.budget_lovelace);
            let end = show_time(granted.expires.0);
            format!("{}, {left} left, until {end}", granted.scope)
        },
    );
    let rows = [
        vec!["account".to_owned(), address],
        vec!["key".to_owned(), key.to_string()],
        vec!["may".to_owned(), may],
    ];
    printer.result(value, &table(&rows));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acting::tests::failures;

    #[test]
    fn a_key_is_kept_as_long_as_it_may_be_granted() {
        let folder = tempfile::tempdir().unwrap();
        let (file, id) = (folder.path().join("session.json"), Hash([7; 32]));
        for (error, ends) in failures(id) {
            std::fs::write(&file, "a key").unwrap();
            let told = failed(&id, error, &file);
            assert_eq!(!file.exists(), ends, "{told:?}");
            let names_the_wait = told.next.iter().any(|step| {
                let command = format!("nupeer tx wait {id}");
                step.starts_with(&command)
            });
            assert_eq!(names_the_wait, !ends, "{told:?}");
        }
    }
}
