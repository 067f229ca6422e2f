//! The end of a block: what is due happens.

use nupeer_ledger::{StateRead, StateWrite, state::atomically};
use nupeer_primitives::{Numbered, TimeMs};

use crate::{
    due::{self, Entry, Standing, Subject},
    error::LeaseError,
    event::Event,
    id::{LeaseId, MachineId, OfferId},
    lease::{CloseReason, Lease, LeaseState, PauseReason, later},
    params::Params,
    pay,
    request::{Request, RequestState},
    store,
};

/// How long a deadline is put off that cannot be done, in ms.
const PUT_OFF_MS: u64 = 3_600_000;

/// Fires what is due at the block's `time`, oldest first, at most as many deadlines as the parameters allow: the rest stays in
/// the queue, and comes first in the next block. Total: what cannot be done changes nothing, is put off for an hour and says so, so that however much cannot be
/// done, what can be is; and what nothing waits for is forgotten.
pub fn end_block(state: &mut dyn StateWrite, time: TimeMs) -> Vec<Event> {
    let limit = Params::load(state).due_per_block_max;
    let due = due::until(state, time, limit as usize);
    for key in due.unreadable {
        state.set_plain(key, None);
    }
    let fired = due.standing.into_iter();
    fired
        .flat_map(|standing| fire_or_put_off(state, &standing, time))
        .collect()
}

fn fire_or_put_off(state: &mut dyn StateWrite, standing: &Standing, time: TimeMs) -> Vec<Event> {
    let Entry { at, subject, id } = standing.entry;
    let awaited = store::awaited(state, subject, &id);
    if awaited.is_some_and(|due| due != Some(at) && due != Some(standing.place())) {
        // Whatever was to happen at that time did, or was put to another.
        standing.remove(state);
        return Vec::new();
    }
    match atomically(state, |fork| fire(fork, &standing.entry, time)) {
        Ok(events) => {
            let awaited = store::awaited(state, subject, &id).flatten();
            if awaited != Some(standing.place()) {
                standing.remove(state);
            }
            events
        }
        Err(error) => {
            standing.put_off(state, later(time, PUT_OFF_MS));
            let code = error.code();
            vec![Event::DeadlineRefused { subject, id, code }]
        }
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
        LeaseState::Reserved { .. } => {
            pay::close(state, id, lease, CloseReason::ReservationTimeout, time)
        }
        LeaseState::Provisioning { .. } => {
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

#[cfg(test)]
mod tests {
    use nupeer_ledger::{Pot, Purse, purse};
    use nupeer_primitives::{AssetId, Hash};

    use super::*;
    use crate::{
        actions::testing::{ESCROW, TENANT, World},
        invariants,
    };

    fn due_at(world: &mut World, at: u64, subject: Subject, id: Hash) {
        due::reschedule(&mut world.state, subject, &id, None, Some(TimeMs(at)));
    }

    /// Damages the record of a lease, so that nothing can be done about it.
    fn unreadable(world: &mut World, n: u16) -> Hash {
        let mut id = [0xee; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let id = Hash(id);
        let key = [store::LEASE, &id.0].concat();
        world.state.set_plain(key, Some(vec![0xff]));
        due_at(world, 1, Subject::Lease, id);
        id
    }

    #[test]
    fn however_many_deadlines_cannot_be_done_the_others_are() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let request = world.request();
        let limit = world.params().due_per_block_max as u16;
        let damaged: Vec<Hash> = (0..limit).map(|n| unreadable(&mut world, n)).collect();
        let expires = world.request_of(&request).wanted.expires;
        let refused = block(&mut world, expires);
        assert_eq!(refused.len(), usize::from(limit));
        for (id, event) in damaged.iter().zip(&refused) {
            let code = LeaseError::UnknownLease {
                lease: LeaseId(*id),
            }
            .code();
            let (subject, id) = (Subject::Lease, *id);
            assert_eq!(*event, Event::DeadlineRefused { subject, id, code });
        }
        let fired = block(&mut world, later(expires, 1));
        assert_eq!(fired, [Event::RequestExpired { request }]);
        assert_eq!(world.balance(TENANT), before);
        // They are tried again later, and do not come back sooner.
        assert_eq!(block(&mut world, later(expires, PUT_OFF_MS - 1)), []);
        let again = block(&mut world, later(expires, PUT_OFF_MS));
        assert_eq!(again, refused);
    }

    fn block(world: &mut World, time: TimeMs) -> Vec<Event> {
        end_block(&mut world.state, time)
    }

    #[test]
    fn what_was_put_off_is_done_once_it_can_be() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let id = world.request();
        let record = world.request_of(&id);
        // Its escrow is gone: a wrong rule took it.
        let (from, to) = (pay::escrow(record.tenant, &id), Purse::Pot(Pot::Fees));
        let amount = record.escrow_lovelace;
        purse::transfer(&mut world.state, &from, &to, &AssetId::Ada, amount).unwrap();
        let expires = record.wanted.expires;
        let refused = block(&mut world, expires);
        assert!(matches!(refused[..], [Event::DeadlineRefused { .. }]));
        purse::transfer(&mut world.state, &to, &from, &AssetId::Ada, amount).unwrap();
        let fired = block(&mut world, later(expires, PUT_OFF_MS));
        assert_eq!(fired, [Event::RequestExpired { request: id }]);
        assert_eq!(world.balance(TENANT), before);
        assert_eq!(invariants::violations(&world.state, expires), []);
    }

    #[test]
    fn entries_that_nothing_waits_for_are_forgotten_and_do_nothing() {
        let mut world = World::new();
        let lease = world.active();
        let sound = world.state.clone();
        // Before its time, of what does not exist, and no entry at all.
        due_at(&mut world, 1, Subject::Lease, lease.0);
        due_at(&mut world, 2, Subject::Request, Hash([0xaa; 32]));
        due_at(&mut world, 3, Subject::Offer, Hash([0xbb; 32]));
        let broken = [due::PREFIX, &[0; 20]].concat();
        world.state.set_plain(broken, Some(vec![]));
        let now = world.time;
        assert_eq!(block(&mut world, now), []);
        assert_eq!(world.state, sound);
        assert_eq!(world.escrow(&lease), ESCROW);
    }
}
