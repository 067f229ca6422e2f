//! `nupeer lease close`: with the last usage note, so that all is settled at once and the rest comes back.

use nupeer_client::Signer;
use nupeer_lease::{Action, Lease, LeaseId, SignedUsage, actions::CloseLease};
use serde_json::{Value, json};

use super::{
    agent::Place,
    attend::{How, Noted, OwnClock, is_over, sign_latest, told},
};
use crate::{
    acting::{act, lease_id, signer},
    api::Api,
    args_market::{Acting, LeaseFolder},
    error::Outcome,
    lease_file::LeaseFile,
    output::Printer,
    units::show_ms,
};

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
    let signer = signer(&acting.who(), api)?;
    let place = Place::of(id, note.flatten(), &signer, api)?;
    let (lease, _) = place.lease()?;
    if is_over(&lease.state) {
        let mut value = settled(id, Some(&lease), None);
        value["status"] = "already".into();
        let line = format!("lease {id} is {} already", lease.state.name());
        printer.result(value, &[line]);
        return Ok(());
    }
    let mut file = LeaseFile::open(&leases.folder, id, place.chain)?;
    if note.is_some() {
        refresh(&place, &mut file, printer)?;
    }
    loop {
        let usage = unsettled(&place, &file)?;
        let metered_ms = usage.as_ref().map(|note| note.usage.metered_ms);
        let action = Action::CloseLease(Box::new(CloseLease { lease: id, usage }));
        match finish(id, metered_ms, action, &signer, acting, api, printer) {
            // The provider settled that note just before: then it need not come along.
            Err(error) if metered_ms.is_some() && error.code.as_deref() == Some(NOT_NEWER) => {}
            done => return done,
        }
    }
}

/// Signs the latest note of the agent. An agent that does not answer, or says too much, does not keep a tenant from closing.
fn refresh(place: &Place<'_>, file: &mut LeaseFile, printer: &Printer) -> Outcome<()> {
    let (lease, time) = place.lease()?;
    let own = OwnClock::start(lease.clock_ms(time));
    let how = How {
        tell: false,
        probe: false,
    };
    match sign_latest(place, &own, file, how) {
        Ok(Noted::Signed | Noted::Nothing) => {}
        Err(error) => printer.note(&format!("closing without a newer note: {}", told(&error))),
    }
    Ok(())
}

/// The last signed note, if the chain has not settled it.
fn unsettled(place: &Place<'_>, file: &LeaseFile) -> Outcome<Option<SignedUsage>> {
    let (lease, _) = place.lease()?;
    let more = |note: &&SignedUsage| note.usage.metered_ms > lease.metered_ms;
    Ok(file.signed.as_ref().filter(more).cloned())
}

fn finish(
    id: LeaseId,
    metered_ms: Option<u64>,
    action: Action,
    signer: &Signer,
    acting: &Acting,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let done = act(action, signer, &acting.signing, api, printer)?;
    let lease = api.client().lease(&id)?.map(|(lease, _)| lease);
    let state = lease.as_ref().map(|lease| lease.state.name());
    let value = settled(id, lease.as_ref(), metered_ms);
    let signed = metered_ms.map_or("no note to settle".to_owned(), |ms| {
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
