//! The end of a block: what is due happens.

use nupeer_ledger::{Overlay, StateRead, StateWrite};
use nupeer_primitives::{Numbered, TimeMs};

use crate::{
    due::{self, Entry, Subject},
    error::LeaseError,
    event::Event,
    id::{LeaseId, MachineId, OfferId},
    lease::{CloseReason, Lease, LeaseState, PauseReason, later},
    params::Params,
    pay,
    request::{Request, RequestState},
    store,
};

/// Fires what is due at the block's `time`, oldest first, at most as many deadlines as the parameters allow: the rest stays in
/// the queue, and comes first in the next block. Total: what cannot be done changes nothing, stays in the queue and says so.
pub fn end_block(state: &mut dyn StateWrite, time: TimeMs) -> Vec<Event> {
    let limit = Params::load(state).due_per_block_max;
    let entries = due::until(state, time, limit as usize);
    entries
        .into_iter()
        .flat_map(|entry| fire_atomically(state, &entry, time))
        .collect()
}

fn fire_atomically(state: &mut dyn StateWrite, entry: &Entry, time: TimeMs) -> Vec<Event> {
    let mut fork = Overlay::new(state);
    match fire(&mut fork, entry, time) {
        Ok(events) => {
            let changes = fork.into_changes();
            for (key, value) in changes.proven {
                state.set_proven(key, value);
            }
            for (key, value) in changes.plain {
                state.set_plain(key, value);
            }
            events
        }
        Err(error) => vec![Event::DeadlineRefused {
            subject: entry.subject,
            id: entry.id,
            code: error.code(),
        }],
    }
}

fn fire(state: &mut dyn StateWrite, entry: &Entry, time: TimeMs) -> Result<Vec<Event>, LeaseError> {
    match entry.subject {
        Subject::Request => request_due(state, &LeaseId(entry.id), time),
        Subject::Lease => lease_due(state, &LeaseId(entry.id), time),
        Subject::Offer => {
            store::put_offer_use(state, &OfferId(entry.id), None);
            Ok(Vec::new())
        }
        Subject::Machine => {
            store::put_machine(state, &MachineId(entry.id), None);
            Ok(Vec::new())
        }
    }
}

fn request_due(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    time: TimeMs,
) -> Result<Vec<Event>, LeaseError> {
    let request = store::request(state, id).ok_or(LeaseError::UnknownRequest { request: *id })?;
    if request.state != RequestState::Open {
        store::put_request(state, id, None);
        return Ok(Vec::new());
    }
    pay::withdraw(state, request.tenant, id, request.escrow_lovelace)?;
    let forget = later(time, Params::load(state).retention_ms);
    let state_after = RequestState::Expired { forget };
    let expired = Request {
        state: state_after,
        ..request
    };
    store::put_request(state, id, Some(&expired));
    Ok(vec![Event::RequestExpired { request: *id }])
}

fn lease_due(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    time: TimeMs,
) -> Result<Vec<Event>, LeaseError> {
    let lease = lease_at(state, id)?;
    match lease.state {
        LeaseState::Reserved { .. } | LeaseState::Provisioning { .. } => {
            pay::close(state, id, lease, CloseReason::ProvisioningTimeout, time)
        }
        LeaseState::Active { .. } if lease.covered_ms() < lease.duration_ms => {
            Ok(pause_for_funds(state, id, lease, time))
        }
        LeaseState::Active { .. } => pay::wind_down(state, id, lease, CloseReason::Completed, time),
        LeaseState::Paused { reason, .. } => pay::close(state, id, lease, reason.when_over(), time),
        LeaseState::Closing { reason, .. } => pay::close(state, id, lease, reason, time),
        LeaseState::Closed { .. } => {
            store::put_lease(state, id, None);
            store::put_request(state, id, None);
            Ok(Vec::new())
        }
    }
}

fn lease_at(state: &dyn StateRead, id: &LeaseId) -> Result<Lease, LeaseError> {
    store::lease(state, id).ok_or(LeaseError::UnknownLease { lease: *id })
}

fn pause_for_funds(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    mut lease: Lease,
    time: TimeMs,
) -> Vec<Event> {
    let reason = PauseReason::Funds;
    let until = later(time, Params::load(state).pause_grace_ms);
    lease.stop(time, LeaseState::Paused { reason, until });
    store::put_lease(state, id, Some(&lease));
    vec![Event::LeasePaused { lease: *id, reason }]
}
