//! `nupeer lease request` and `order`: asking for a container, finding who offers it for least, and saying why nobody does.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use nupeer_client::{Candidate, ClientError, Signer, TIMEOUT};
use nupeer_lease::{
    Action, Kind, LeaseId, Request, RequestState,
    actions::{CancelRequest, Match, PostRequest},
    request::Wanted,
};
use nupeer_paas::ContainerSpec;
use nupeer_primitives::{Amount, Hash, Numbered, TimeMs};
use serde_json::{Value, json};

use super::agent;
use crate::{
    acting::{Done, carried, confirmed, machine_id, never_happens, signer_for, unsettled},
    amount::show_ada,
    api::Api,
    args_market::{Container, RequestArgs, WantedArgs},
    error::{CliError, Exit, Outcome, file_error},
    lease_file::LeaseFile,
    output::{Printer, table},
    units::{show_bytes, show_cpu},
};

/// How often offers are looked at anew.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a match may be refused by the chain before the request is taken back.
const ATTEMPTS_MAX: usize = 3;

/// What the container is to be.
pub(in crate::commands) fn specification(container: &Container) -> Outcome<ContainerSpec> {
    let usage = |error: &dyn Numbered| CliError::numbered(Exit::Usage, error);
    let image = nupeer_paas::image::parse(&container.image).map_err(|error| usage(&error))?;
    let spec = ContainerSpec {
        image,
        argv: container.command.clone(),
        env: container.env.clone(),
        cpu_milli: container.cpu,
        memory_bytes: container.memory,
        pids: container.pids,
        port: container.port,
    };
    spec.check().map_err(|error| usage(&error))?;
    Ok(spec)
}

pub(in crate::commands) fn wanted(
    args: &WantedArgs,
    spec: &ContainerSpec,
    api: &Api,
) -> Outcome<Wanted> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let machine = args.machine.as_deref();
    let machine = machine.map(|machine| machine_id(machine, api.client()));
    Ok(Wanted {
        kind: Kind::Container,
        resources: spec.resources(),
        duration_ms: ms(args.duration),
        image: spec.image,
        manifest: spec.manifest(),
        score_floors: Vec::new(),
        machine: machine.transpose()?,
        price_max_lovelace_per_hour: args.price_max,
        expires: TimeMs(nupeer_client::now_unix_ms().saturating_add(ms(args.open_for))),
    })
}

/// What is asked for, and by whom.
struct Asked<'a> {
    args: &'a RequestArgs,
    spec: ContainerSpec,
    request: Request,
    signer: Signer,
    api: &'a Api,
    printer: &'a Printer,
}

impl<'a> Asked<'a> {
    fn new(args: &'a RequestArgs, api: &'a Api, printer: &'a Printer) -> Outcome<Self> {
        let spec = specification(&args.wanted.container)?;
        let wanted = wanted(&args.wanted, &spec, api)?;
        let signer = signer_for(&args.acting.who(), &args.acting.signing, api)?;
        let request = Request {
            tenant: signer.account(),
            wanted,
            escrow_lovelace: args.wanted.escrow,
            state: RequestState::Open,
        };
        Ok(Asked {
            args,
            spec,
            request,
            signer,
            api,
            printer,
        })
    }

    /// Posts the request, and keeps what is to run in it.
    fn post(&self) -> Outcome<Option<(LeaseId, Done)>> {
        let action = Action::PostRequest(PostRequest {
            wanted: self.request.wanted.clone(),
            escrow_lovelace: self.args.wanted.escrow,
        });
        let signing = &self.args.acting.signing;
        let signed = confirmed(action, &self.signer, signing, self.api, self.printer)?;
        let Some(signed) = signed else {
            return Ok(None);
        };
        let lease = LeaseId::requested_by(&signed.transaction.id());
        // On disk before it is out: the chain knows by digest alone what is to run.
        let mut file =
            LeaseFile::open(&self.args.leases.folder, lease, signed.transaction.network)?;
        file.manifest = Some(self.spec.clone());
        file.save()?;
        let sent = carried(&signed, signing, self.api);
        let done = sent.map_err(|error| unposted(lease, &signed.transaction.id(), error))?;
        Ok(Some((lease, done)))
    }

    fn candidates(&self) -> Outcome<Vec<Candidate>> {
        Ok(self.api.client().candidates(&self.request)?)
    }

    /// Waits until some offer suits, at most until `end`.
    fn await_offer(&self, end: Option<Instant>) -> Outcome<Candidate> {
        loop {
            match best(self.candidates()?) {
                Err(_) if end.is_some_and(|end| Instant::now() < end) => {
                    std::thread::sleep(LOOK_EVERY);
                }
                found => return found,
            }
        }
    }

    /// Matches the request with the offer, or after a refusal with the next best; takes it back where none is left.
    fn match_best(&self, lease: LeaseId, end: Option<Instant>) -> Outcome<(Candidate, Hash)> {
        let mut refused = None;
        for _ in 0..ATTEMPTS_MAX {
            let chosen = match self.await_offer(end) {
                Ok(chosen) => chosen,
                Err(error) => return Err(self.give_up(lease, error)),
            };
            let matched = Match {
                request: lease,
                offer: chosen.offer.clone(),
            };
            let action = Action::Match(Box::new(matched));
            let client = self.api.client();
            match client.execute(action, &self.signer) {
                Ok((id, _)) => return Ok((chosen, id)),
                // Another was faster, or the offer ended meanwhile.
                Err(error) if error.rule().is_some() => refused = Some(error),
                Err(error) => return Err(requested(lease, error.into())),
            }
        }
        let refused = refused.map_or(ClientError::NoMatch { offers: 0 }, |error| error);
        Err(self.give_up(lease, refused.into()))
    }

    /// Takes the request back, so that no escrow is held for nothing.
    fn give_up(&self, lease: LeaseId, error: CliError) -> CliError {
        let action = Action::CancelRequest(CancelRequest { request: lease });
        match self.api.client().execute(action, &self.signer) {
            Ok(_) => {
                let back = "was taken back; its escrow is yours again";
                error.next(format!("nothing: request {lease} {back}"))
            }
            Err(_) => requested(lease, error),
        }
    }
}

/// What went wrong while a request was on its way in transaction `id`: unless a rule refused it, it may stand open.
fn unposted(request: LeaseId, id: &Hash, error: ClientError) -> CliError {
    match never_happens(&error) {
        true => error.into(),
        false => requested(request, unsettled(id, error)),
    }
}

/// What went wrong while a request stood open, or may have: it holds an escrow, so its id must not be lost.
fn requested(request: LeaseId, error: CliError) -> CliError {
    let what = format!("{}; request {request} may hold its escrow", error.what);
    let error = CliError { what, ..error };
    error
        .next(format!(
            "nupeer lease show {request}   tells whether it is a lease by now"
        ))
        .next(format!(
            "nupeer lease cancel {request}   takes the escrow back while it is none"
        ))
}

/// What went wrong when there was a lease already: it holds an escrow, so its id must not be lost.
fn leased(lease: LeaseId, error: CliError) -> CliError {
    let what = format!(
        "{}; lease {lease} is yours and holds its escrow",
        error.what
    );
    let error = CliError { what, ..error };
    error
        .next(format!(
            "nupeer lease upload {lease} IMAGE.tar   gives it what to run"
        ))
        .next(format!(
            "nupeer lease close {lease}   ends it; what is not used comes back"
        ))
}

/// The cheapest that suits; else why each does not.
pub(super) fn best(candidates: Vec<Candidate>) -> Outcome<Candidate> {
    let reasons = reasons(&candidates);
    let offers = candidates.len();
    let suits = |candidate: &Candidate| candidate.verdict.is_ok();
    candidates.into_iter().find(suits).ok_or_else(|| {
        let error = CliError::from(ClientError::NoMatch { offers });
        let error = reasons.into_iter().fold(error, CliError::next);
        if offers == 0 {
            error.next("no machine offers anything now; --wait 10m keeps the request open")
        } else {
            error
        }
    })
}

/// A line for each offer that does not suit: what stops it, by the chain's rule.
fn reasons(candidates: &[Candidate]) -> Vec<String> {
    let head = ["MACHINE", "CPU-FREE", "MEM-FREE", "STOPPED BY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for candidate in candidates.iter().take(20) {
        let Err(reason) = &candidate.verdict else {
            continue;
        };
        let free = candidate.machine.free();
        rows.push(vec![
            candidate.offer.offer.machine.short(),
            show_cpu(free.cpu_milli),
            show_bytes(free.memory_bytes),
            format!("{reason} ({})", reason.code()),
        ]);
    }
    if rows.len() == 1 {
        return Vec::new();
    }
    table(&rows)
}

/// `nupeer lease request`.
pub(super) fn request(args: &RequestArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    let asked = Asked::new(args, api, printer)?;
    let Some((lease, done)) = asked.post()? else {
        return Ok(());
    };
    let value = json!({
        "request": lease.to_string(),
        "manifest_cbor": hex::encode(asked.spec.to_bytes()),
        "escrow_lovelace": args.wanted.escrow.to_string(),
        "expires_unix_ms": asked.request.wanted.expires.0,
    });
    let lines = vec![
        format!("request {lease}"),
        format!("next  nupeer lease match {lease}"),
    ];
    done.print(value, lines, printer);
    Ok(())
}

/// `nupeer lease order`.
pub(super) fn order(
    args: &RequestArgs,
    wait: Option<Duration>,
    upload: Option<&Path>,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    if let Some(image) = upload {
        // Before anything is held or charged.
        File::open(image).map_err(|error| file_error(image, &error))?;
    }
    let asked = Asked::new(args, api, printer)?;
    let end = wait.map(|wait| Instant::now() + wait);
    if end.is_none() {
        // Before anything is held or charged.
        best(asked.candidates()?)?;
    }
    let Some((lease, done)) = asked.post()? else {
        return Ok(());
    };
    if let Done::Sent(id) = done {
        let waited = api.client().wait_final(&id, TIMEOUT);
        waited.map_err(|error| unposted(lease, &id, error))?;
    }
    // Whatever ends this from here on: what holds an escrow has been named.
    let escrow = show_ada(args.wanted.escrow);
    printer.note(&format!("request {lease} holds {escrow}"));
    let (chosen, transaction) = asked.match_best(lease, end)?;
    let machine = chosen.offer.offer.machine;
    printer.note(&format!("lease {lease} holds it now, on machine {machine}"));
    let price = chosen.verdict.clone().unwrap_or_default();
    let value = json!({
        "lease": lease.to_string(),
        "machine": machine.to_string(),
        "offer": chosen.id.to_string(),
        "endpoint": chosen.machine.terms.endpoint,
        "price_lovelace_per_hour": price.to_string(),
        "escrow_lovelace": args.wanted.escrow.to_string(),
        "transaction": transaction.to_string(),
    });
    let lines = vec![
        format!("lease {lease} on machine {machine}"),
        format!("{} an hour", show_ada(Amount::from(price))),
    ];
    match upload {
        Some(image) => uploaded(&asked, lease, image, value, lines),
        None => {
            printer.result(value, &lines);
            printer.note(&format!("next  nupeer lease upload {lease} IMAGE.tar"));
            Ok(())
        }
    }
}

fn uploaded(
    asked: &Asked<'_>,
    lease: LeaseId,
    image: &Path,
    mut value: Value,
    mut lines: Vec<String>,
) -> Outcome<()> {
    let started = || {
        let place = agent::Place::of(lease, None, &asked.signer, asked.api)?;
        place.upload(&asked.spec, image)?;
        place.published(asked.spec.port.is_some())
    };
    let address = started().map_err(|error| leased(lease, error))?;
    value["published"] = address.clone().into();
    lines.extend(address.map(|address| format!("published at {address}")));
    asked.printer.result(value, &lines);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acting::tests::failures;

    #[test]
    fn whatever_fails_while_an_escrow_may_be_held_names_what_holds_it() {
        let (request, id) = (LeaseId(Hash([5; 32])), Hash([7; 32]));
        for (error, ends) in failures(id) {
            let told = unposted(request, &id, error);
            let cancels = told.next.iter().any(|step| {
                let command = format!("nupeer lease cancel {request} ");
                step.starts_with(&command)
            });
            let names = told.what.contains(&request.to_string());
            assert_eq!((names, cancels), (!ends, !ends), "{told:?}");
        }
        let told = leased(request, CliError::new(Exit::Unreachable, "no answer"));
        assert_eq!(told.exit, Exit::Unreachable);
        assert_eq!(
            told.what,
            format!("no answer; lease {request} is yours and holds its escrow")
        );
        for (step, command) in told.next.iter().zip(["upload", "close"]) {
            let command = format!("nupeer lease {command} {request} ");
            assert!(step.starts_with(&command), "{step}");
        }
    }
}
