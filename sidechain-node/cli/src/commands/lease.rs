//! `nupeer lease`.

mod agent;
mod attend;
mod close;
pub(super) mod order;

use nupeer_lease::{
    Action, LeaseId, OfferId, Request,
    actions::{CancelRequest, Match, TopUp},
};
use nupeer_primitives::Hash;
use nupeer_runtime::RecordKind;
use serde_json::{Value, json};

use crate::{
    acting::{act, lease_id, machine_id, resolve, signer_for},
    amount::show_ada,
    api::Api,
    args_market::{Acting, LeaseCommand, Who},
    commands::{
        machine::{bytes, cpu},
        pages, prove,
        status::plain,
    },
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    session_file, signing,
    units::show_ms,
    wallet_file,
};

pub(super) fn run(command: &LeaseCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    match command {
        LeaseCommand::Request(args) => order::request(args, api, printer),
        LeaseCommand::Order {
            request,
            wait,
            upload,
        } => order::order(request, *wait, upload.as_deref(), api, printer),
        LeaseCommand::Match {
            request,
            offer,
            acting,
        } => match_offer(request, offer, acting, api, printer),
        LeaseCommand::List {
            tenant,
            machine,
            all,
            who,
        } => {
            let whose = match (tenant, all) {
                (None, false) if machine.is_none() => own(who, printer)?,
                (tenant, _) => tenant.clone(),
            };
            let filter = filter(whose.as_deref(), machine.as_deref(), api)?;
            list(&filter, api, printer)
        }
        LeaseCommand::Requests { tenant } => requests(tenant.as_deref(), api, printer),
        LeaseCommand::Show { lease, prove } => match prove {
            None => show(lease, api, printer),
            Some(genesis) => {
                let either = [RecordKind::Lease, RecordKind::Request];
                prove::show(&either, lease, genesis, api, printer)
            }
        },
        LeaseCommand::TopUp {
            lease,
            amount,
            acting,
        } => {
            let lease = lease_id(lease, api.client())?;
            let action = Action::TopUp(TopUp {
                lease,
                amount_lovelace: *amount,
            });
            let line = format!("lease {lease}: {} more in escrow", show_ada(*amount));
            tenant_acts(action, lease, line, acting, api, printer)
        }
        LeaseCommand::Cancel { request, acting } => {
            let request = request_id(request, acting, api)?;
            let action = Action::CancelRequest(CancelRequest { request });
            let line = format!("request {request} is taken back, and its escrow");
            tenant_acts(action, request, line, acting, api, printer)
        }
        LeaseCommand::Close {
            lease,
            agent,
            without_note,
            leases,
            acting,
        } => {
            let note = (!without_note).then_some(agent.as_deref());
            close::close(lease, note, leases, acting, api, printer)
        }
        LeaseCommand::Status(at) => agent::status(at, api, printer),
        LeaseCommand::Upload { at, image } => agent::upload(at, image, api, printer),
        LeaseCommand::Logs { at, from } => agent::logs(at, *from, api, printer),
        LeaseCommand::Attend {
            at,
            seconds,
            every_ms,
            no_probe,
        } => {
            let pace = attend::Pace {
                seconds: *seconds,
                every_ms: *every_ms,
                probe: !no_probe,
            };
            attend::attend(at, &pace, api, printer)
        }
    }
}

fn tenant_acts(
    action: Action,
    lease: LeaseId,
    line: String,
    acting: &Acting,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let signer = signer_for(&acting.who(), &acting.signing, api)?;
    let done = act(action, &signer, &acting.signing, api, printer)?;
    done.print(json!({ "lease": lease.to_string() }), vec![line], printer);
    Ok(())
}

/// The request that `text` names: an open one, or one of the asker's.
fn request_id(text: &str, acting: &Acting, api: &Api) -> Outcome<LeaseId> {
    let all = || {
        let account = account(&acting.who())
            .ok_or_else(|| CliError::new(Exit::Usage, "write the whole id of the request"))?;
        let mine = pages::all(api, "requests", &format!("tenant={account}&"))?;
        Ok(ids(&mine))
    };
    resolve("request", text, all).map(LeaseId)
}

pub(super) fn ids(entries: &[Value]) -> Vec<Hash> {
    let id = |entry: &Value| entry["id"].as_str()?.parse().ok();
    entries.iter().filter_map(id).collect()
}

/// The account of a session or wallet, without a password.
fn account(who: &Who) -> Option<String> {
    match &who.session {
        Some(path) => {
            let session = session_file::read(path).ok()?;
            Some(session.account.to_bech32(session.network))
        }
        None => Some(wallet_file::account(&who.file.wallet).ok()?.0),
    }
}

/// The asker's own account. Who has no wallet here asks about everybody, and is told so.
fn own(who: &Who, printer: &Printer) -> Outcome<Option<String>> {
    if let Some(path) = &who.session {
        let session = session_file::read(path)?;
        return Ok(Some(session.account.to_bech32(session.network)));
    }
    match wallet_file::account(&who.file.wallet) {
        Err(error) if error.exit == Exit::NotFound => {
            printer.note("no wallet here, so these are everybody's; --wallet FILE or --tenant ADDRESS says whose");
            Ok(None)
        }
        found => Ok(Some(found?.0)),
    }
}

fn filter(tenant: Option<&str>, machine: Option<&str>, api: &Api) -> Outcome<String> {
    if let Some(machine) = machine {
        return Ok(format!("machine={}&", machine_id(machine, api.client())?));
    }
    if let Some(tenant) = tenant {
        signing::account_anywhere(tenant)?;
    }
    Ok(tenant.map_or(String::new(), |tenant| format!("tenant={tenant}&")))
}

fn list(filter: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let leases = pages::all(api, "leases", filter)?;
    let head = ["LEASE", "STATE", "CPU", "MEMORY", "METERED", "ESCROW"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for lease in &leases {
        rows.push(vec![
            printer.brief(plain(&lease["id"])),
            state(lease),
            cpu(&lease["resources"]["cpu_milli"]),
            bytes(&lease["resources"]["memory_bytes"]),
            show_ms(lease["metered_ms"].as_u64().unwrap_or_default()),
            ada(&lease["escrow_lovelace"]),
        ]);
    }
    let lines = if leases.is_empty() {
        vec!["no lease; nupeer lease order makes one".to_owned()]
    } else {
        table(&rows)
    };
    printer.result(json!({ "leases": leases }), &lines);
    Ok(())
}

fn requests(tenant: Option<&str>, api: &Api, printer: &Printer) -> Outcome<()> {
    if let Some(tenant) = tenant {
        signing::account_anywhere(tenant)?;
    }
    let filter = tenant.map_or(String::new(), |tenant| format!("tenant={tenant}&"));
    let requests = pages::all(api, "requests", &filter)?;
    let head = ["REQUEST", "STATE", "CPU", "MEMORY", "PRICE-MAX/H", "ESCROW"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for request in &requests {
        rows.push(vec![
            printer.brief(plain(&request["id"])),
            plain(&request["state"]),
            cpu(&request["resources"]["cpu_milli"]),
            bytes(&request["resources"]["memory_bytes"]),
            ada(&request["price_max_lovelace_per_hour"]),
            ada(&request["escrow_lovelace"]),
        ]);
    }
    let lines = if requests.is_empty() {
        vec!["no request stands open".to_owned()]
    } else {
        table(&rows)
    };
    printer.result(json!({ "requests": requests }), &lines);
    Ok(())
}

/// `paused (unsigned)`.
fn state(lease: &Value) -> String {
    let state = plain(&lease["state"]);
    match lease["reason"].as_str() {
        Some(reason) => format!("{state} ({reason})"),
        None => state,
    }
}

/// ADA from lovelace in an answer, a text or a number.
fn ada(value: &Value) -> String {
    let units = plain(value).parse().unwrap_or_default();
    show_ada(nupeer_primitives::Amount::new(units))
}

fn show(lease: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let id = lease_id(lease, api.client())?;
    let found = match api.get(&format!("/v1/leases/{id}")) {
        Err(error) if error.exit == Exit::NotFound => {
            return show_request(&id, api, printer, error);
        }
        found => found?,
    };
    let lines = lines(&found);
    printer.result(found, &lines);
    Ok(())
}

/// What an answer says of a lease.
pub(super) fn lines(found: &Value) -> Vec<String> {
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    let ms = |name: &str| show_ms(found[name].as_u64().unwrap_or_default());
    let mut rows = vec![
        row("lease", plain(&found["id"])),
        row("state", state(found)),
        row("machine", plain(&found["machine"])),
        row("agent", plain(&found["endpoint"])),
        row("image", format!("sha256:{}", plain(&found["image"]))),
        row("cpu", cpu(&found["resources"]["cpu_milli"])),
        row("memory", bytes(&found["resources"]["memory_bytes"])),
        row("price/h", ada(&found["price_lovelace_per_hour"])),
        row("ran", format!("{} by the chain's clock", ms("clock_ms"))),
        row(
            "signed",
            format!("{} of {} at most", ms("metered_ms"), ms("duration_ms")),
        ),
        row("deposited", ada(&found["deposited_lovelace"])),
        row("charged", ada(&found["charged_lovelace"])),
        row("refunded", ada(&found["refunded_lovelace"])),
        row("escrow", ada(&found["escrow_lovelace"])),
    ];
    // Of the machine's record, not the lease's: who was shown the lease alone has none.
    if found.get("endpoint").is_none() {
        rows.retain(|row| row[0] != "agent");
    }
    table(&rows)
}

/// A lease that is only a request yet, or never became more.
fn show_request(id: &LeaseId, api: &Api, printer: &Printer, error: CliError) -> Outcome<()> {
    let request = api.get(&format!("/v1/requests/{id}")).map_err(|_| error)?;
    let lines = request_lines(&request);
    printer.result(request, &lines);
    Ok(())
}

/// What an answer says of a request.
pub(super) fn request_lines(request: &Value) -> Vec<String> {
    table(&[
        vec!["request".to_owned(), plain(&request["id"])],
        vec!["state".to_owned(), plain(&request["state"])],
        vec!["escrow".to_owned(), ada(&request["escrow_lovelace"])],
    ])
}

/// A request that stands.
pub(super) fn standing(id: &LeaseId, api: &Api) -> Outcome<Request> {
    let found = api.client().request(id)?;
    found.map(|(request, _)| request).ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("no request {id} stands here"))
            .next("nupeer lease requests   lists the open ones")
    })
}

fn match_offer(
    request: &str,
    offer: &str,
    acting: &Acting,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let id = request_id(request, acting, api)?;
    let request = standing(&id, api)?;
    let chosen = choose(offer, &request, api)?;
    let signer = signer_for(&acting.who(), &acting.signing, api)?;
    let matched = Match {
        request: id,
        offer: chosen.offer.clone(),
    };
    let action = Action::Match(Box::new(matched));
    let done = act(action, &signer, &acting.signing, api, printer)?;
    let value = json!({
        "lease": id.to_string(),
        "machine": chosen.offer.offer.machine.to_string(),
        "offer": chosen.id.to_string(),
        "endpoint": chosen.machine.terms.endpoint,
    });
    let line = format!("lease {id} on machine {}", chosen.offer.offer.machine);
    done.print(value, vec![line], printer);
    Ok(())
}

/// The offer that is named, or the cheapest that suits.
pub(super) fn choose(
    offer: &str,
    request: &Request,
    api: &Api,
) -> Outcome<nupeer_client::Candidate> {
    let candidates = api.client().candidates(request)?;
    if offer == "cheapest" {
        return order::best(candidates);
    }
    let all = || Ok(candidates.iter().map(|candidate| candidate.id.0).collect());
    let id = OfferId(resolve("offer", offer, all)?);
    let found = candidates.into_iter().find(|candidate| candidate.id == id);
    let chosen = found.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("the node knows no offer {id}"))
            .next("nupeer offer list   shows what it knows")
    })?;
    match &chosen.verdict {
        Ok(_) => Ok(chosen),
        Err(error) => Err(CliError::numbered(Exit::NoMatch, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::WalletFile;

    #[test]
    fn a_session_or_wallet_that_cannot_be_read_is_no_question_about_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let (wallet, session) = (folder.path().join("w"), folder.path().join("s"));
        let who = |session: Option<&std::path::PathBuf>| Who {
            file: WalletFile {
                wallet: wallet.clone(),
                password_file: None,
            },
            session: session.cloned(),
        };
        let printer = Printer::new(true, true);
        let own = |who: &Who| own(who, &printer).map_err(|error| error.exit);
        assert_eq!(own(&who(None)), Ok(None));
        assert_eq!(own(&who(Some(&session))), Err(Exit::NotFound));
        std::fs::write(&wallet, "{}").unwrap();
        assert_eq!(own(&who(None)), Err(Exit::Key));
    }
}
