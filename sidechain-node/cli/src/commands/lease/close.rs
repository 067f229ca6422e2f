//! `nupeer lease close`: with the last usage note, so that all is settled at once and the rest comes back.

use std::time::{Duration, Instant};

use nupeer_lease::{Action, Lease, LeaseId, LeaseState, SignedUsage, actions::CloseLease};
use serde_json::{Value, json};

use super::{
    agent::Place,
    attend::{How, Noted, OwnClock, is_over, sign_latest, told},
};
use crate::{
    acting::{Done, act, lease_id, signer_for},
    api::Api,
    args_market::{Acting, LeaseFolder},
    error::Outcome,
    lease_file::LeaseFile,
    output::Printer,
    units::show_ms,
};

/// How long an agent may take to remove the workload, and to settle once it has a note for all that ran.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The number of the refusal of a note that says no more than what is settled.
const NOT_NEWER: &str = "NP4071";

/// Closes a lease. `note` says whether the agent is asked for the last note, and where if not at the machine's address.
pub(super) fn close(
    lease: &str,
    note: Option<Option<&str>>,
    leases: &LeaseFolder,
    acting: &Acting,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let client = api.client();
    let id = lease_id(lease, client)?;
    let signer = signer_for(&acting.who(), &acting.signing, api)?;
    let place = Place::of(id, note.flatten(), &signer, api)?;
    let (lease, time) = place.lease()?;
    let own = OwnClock::start(lease.clock_ms(time));
    if is_over(&lease.state) {
        let mut value = settled(id, Some(&lease), None);
        value["status"] = "already".into();
        let line = format!("lease {id} is {} already", lease.state.name());
        printer.result(value, &[line]);
        return Ok(());
    }
    let mut file = LeaseFile::open(&leases.folder, id, place.chain)?;
    match (note, acting.signing.dry_run) {
        (None, _) => {}
        (Some(_), true) => printer.note("without a newer note: a dry run signs none"),
        (Some(_), false) => refresh(&place, &own, &mut file, printer),
    }
    loop {
        let usage = unsettled(&place, &file)?;
        let metered_ms = usage.as_ref().map(|note| note.usage.metered_ms);
        let action = Action::CloseLease(Box::new(CloseLease { lease: id, usage }));
        let done = match act(action, &signer, &acting.signing, api, printer) {
            // The provider settled that note just before: then it need not come along.
            Err(error) if metered_ms.is_some() && error.code.as_deref() == Some(NOT_NEWER) => {
                continue;
            }
            done => done?,
        };
        let rest_ms = match (&done, note) {
            (Done::Final(..), Some(_)) => sign_the_rest(&place, &own, &mut file, printer),
            _ => None,
        };
        return finish(id, rest_ms.or(metered_ms), &done, api, printer);
    }
}

/// Signs the latest note of the agent. An agent that does not answer, or says too much, does not keep a tenant from closing.
fn refresh(place: &Place<'_>, own: &OwnClock, file: &mut LeaseFile, printer: &Printer) {
    let how = How {
        tell: false,
        probe: false,
    };
    match sign_latest(place, own, file, how) {
        Ok(Noted::Signed | Noted::Nothing) => {}
        Err(error) => printer.note(&format!("closing without a newer note: {}", told(&error))),
    }
}

/// Signs for what ran between the last note and the end, as long as the lease is closing: an agent that has notes for all of it settles at once, and the
/// rest of the escrow comes back without waiting for the window in which a note might still come. How much is signed for in all, where it became
/// more. An agent that does not answer is not waited for.
fn sign_the_rest(
    place: &Place<'_>,
    own: &OwnClock,
    file: &mut LeaseFile,
    printer: &Printer,
) -> Option<u64> {
    let (end, before_ms) = (Instant::now() + SETTLED_WITHIN, file.signed_ms());
    let how = How {
        tell: true,
        probe: false,
    };
    let is_closing = || {
        let state = place.lease().map(|(lease, _)| lease.state);
        matches!(state, Ok(LeaseState::Closing { .. })) && Instant::now() < end
    };
    while is_closing() {
        if let Err(error) = sign_latest(place, own, file, how) {
            let told = told(&error);
            printer.note(&format!(
                "the rest goes back when the window for notes is over: {told}"
            ));
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    (file.signed_ms() > before_ms).then_some(file.signed_ms())
}

/// The last signed note, if the chain has not settled it.
fn unsettled(place: &Place<'_>, file: &LeaseFile) -> Outcome<Option<SignedUsage>> {
    let (lease, _) = place.lease()?;
    let more = |note: &&SignedUsage| note.usage.metered_ms > lease.metered_ms;
    Ok(file.signed.as_ref().filter(more).cloned())
}

fn finish(
    id: LeaseId,
    signed_ms: Option<u64>,
    done: &Done,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let lease = api.client().lease(&id)?.map(|(lease, _)| lease);
    let state = lease.as_ref().map(|lease| lease.state.name());
    let value = settled(id, lease.as_ref(), signed_ms);
    let signed = signed_ms.map_or("no note to settle".to_owned(), |ms| {
        format!("settled {}", show_ms(ms))
    });
    let line = format!("lease {id} is {}; {signed}", state.unwrap_or("forgotten"));
    done.print(value, vec![line], printer);
    Ok(())
}

fn settled(id: LeaseId, lease: Option<&Lease>, signed_ms: Option<u64>) -> Value {
    json!({
        "lease": id.to_string(),
        "state": lease.map(|lease| lease.state.name()),
        "signed_ms": signed_ms,
        "paid_lovelace": lease.map(|lease| lease.paid_lovelace().to_string()),
        "protocol_fee_lovelace": lease.map(|lease| lease.protocol_fee_lovelace().to_string()),
        "refunded_lovelace": lease.map(|lease| lease.refunded_lovelace.to_string()),
    })
}
