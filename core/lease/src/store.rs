//! Where things are in the state, and what else is written when one is.
//!
//! All keys are in the plain space, flat below `lease/`: what an exit must prove is value, and value sits in purses. That a machine, a request
//! or a lease can be shown by itself, `sidechain-node/runtime` sees to (`record.rs`), by the keys of the first column.
//!
//! ```text
//! lease/machine/ ‖ id          the machine            lease/machine-of/ ‖ owner ‖ id     index
//! lease/request/ ‖ id          the request            lease/request-of/ ‖ tenant ‖ id    index
//!                                                     lease/request-open/ ‖ id           index
//! lease/lease/ ‖ id            the lease              lease/lease-of/ ‖ tenant ‖ id      index
//!                                                     lease/lease-on/ ‖ machine ‖ id     index
//! lease/offer-use/ ‖ id        how often an offer was used, until it expires
//! lease/due/ ‖ time ‖ subject ‖ id                    the time queue (`due`)
//! lease/chain                  the genesis id         params/lease                       the parameters
//! ```

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_primitives::{Hash, TimeMs, cbor};

use crate::{
    due::{self, Subject},
    id::{LeaseId, MachineId, OfferId},
    lease::Lease,
    machine::Machine,
    offer::OfferUse,
    request::{Request, RequestState},
};

/// Where machines are, by their id.
pub const MACHINE: &[u8] = b"lease/machine/";
pub(crate) const MACHINE_OF: &[u8] = b"lease/machine-of/";
/// Where requests are, by their id.
pub const REQUEST: &[u8] = b"lease/request/";
pub(crate) const REQUEST_OF: &[u8] = b"lease/request-of/";
pub(crate) const REQUEST_OPEN: &[u8] = b"lease/request-open/";
/// Where leases are, by their id.
pub const LEASE: &[u8] = b"lease/lease/";
pub(crate) const LEASE_OF: &[u8] = b"lease/lease-of/";
pub(crate) const LEASE_ON: &[u8] = b"lease/lease-on/";
pub(crate) const OFFER_USE: &[u8] = b"lease/offer-use/";

fn key(prefix: &[u8], id: &Hash) -> Vec<u8> {
    [prefix, &id.0].concat()
}

fn get<T: for<'b> Decode<'b, ()> + Encode<()>>(
    state: &dyn StateRead,
    prefix: &[u8],
    id: &Hash,
) -> Option<T> {
    let bytes = state.plain(&key(prefix, id))?;
    cbor::decode(&bytes).ok()
}

fn put<T: Encode<()>>(state: &mut dyn StateWrite, prefix: &[u8], id: &Hash, value: Option<&T>) {
    state.set_plain(key(prefix, id), value.map(cbor::encode));
}

/// Writes or removes the entries of an index under each of `keys`, where that changes.
fn index(state: &mut dyn StateWrite, before: &[Vec<u8>], after: &[Vec<u8>]) {
    for gone in before.iter().filter(|key| !after.contains(key)) {
        state.set_plain(gone.clone(), None);
    }
    for new in after.iter().filter(|key| !before.contains(key)) {
        state.set_plain(new.clone(), Some(Vec::new()));
    }
}

pub(crate) fn machine(state: &dyn StateRead, id: &MachineId) -> Option<Machine> {
    get(state, MACHINE, &id.0)
}

fn machine_keys(id: &MachineId, machine: &Machine) -> Vec<Vec<u8>> {
    vec![[MACHINE_OF, &machine.owner.to_bytes(), &id.0.0].concat()]
}

/// Writes a machine, its index entry and its entry in the time queue; `None` removes all of them.
pub(crate) fn put_machine(
    state: &mut dyn StateWrite,
    id: &MachineId,
    machine_after: Option<&Machine>,
) {
    let before = machine(state, id);
    let keys = |machine: Option<&Machine>| machine.map_or(Vec::new(), |m| machine_keys(id, m));
    index(state, &keys(before.as_ref()), &keys(machine_after));
    let (from, to) = (
        before.and_then(|machine| machine.due()),
        machine_after.and_then(Machine::due),
    );
    due::reschedule(state, Subject::Machine, &id.0, from, to);
    put(state, MACHINE, &id.0, machine_after);
}

pub(crate) fn request(state: &dyn StateRead, id: &LeaseId) -> Option<Request> {
    get(state, REQUEST, &id.0)
}

fn request_keys(id: &LeaseId, request: &Request) -> Vec<Vec<u8>> {
    let mut keys = vec![[REQUEST_OF, &request.tenant.to_bytes(), &id.0.0].concat()];
    if request.state == RequestState::Open {
        keys.push(key(REQUEST_OPEN, &id.0));
    }
    keys
}

/// Writes a request, its index entries and its entry in the time queue; `None` removes all of them.
pub(crate) fn put_request(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    request_after: Option<&Request>,
) {
    let before = request(state, id);
    let keys = |request: Option<&Request>| request.map_or(Vec::new(), |r| request_keys(id, r));
    index(state, &keys(before.as_ref()), &keys(request_after));
    let (from, to) = (
        before.and_then(|request| request.due()),
        request_after.and_then(Request::due),
    );
    due::reschedule(state, Subject::Request, &id.0, from, to);
    put(state, REQUEST, &id.0, request_after);
}

pub(crate) fn lease(state: &dyn StateRead, id: &LeaseId) -> Option<Lease> {
    get(state, LEASE, &id.0)
}

fn lease_keys(id: &LeaseId, lease: &Lease) -> Vec<Vec<u8>> {
    vec![
        [LEASE_OF, &lease.tenant.to_bytes(), &id.0.0].concat(),
        [LEASE_ON, &lease.machine.0.0, &id.0.0].concat(),
    ]
}

/// Writes a lease, its index entries and its entry in the time queue; `None` removes all of them.
pub(crate) fn put_lease(state: &mut dyn StateWrite, id: &LeaseId, lease_after: Option<&Lease>) {
    let before = lease(state, id);
    let keys = |lease: Option<&Lease>| lease.map_or(Vec::new(), |l| lease_keys(id, l));
    index(state, &keys(before.as_ref()), &keys(lease_after));
    let (from, to) = (before.map(|lease| lease.due()), lease_after.map(Lease::due));
    due::reschedule(state, Subject::Lease, &id.0, from, to);
    put(state, LEASE, &id.0, lease_after);
}

pub(crate) fn offer_use(state: &dyn StateRead, id: &OfferId) -> Option<OfferUse> {
    get(state, OFFER_USE, &id.0)
}

/// Writes how often an offer was used and its entry in the time queue; `None` removes both.
pub(crate) fn put_offer_use(
    state: &mut dyn StateWrite,
    id: &OfferId,
    use_after: Option<&OfferUse>,
) {
    let from = offer_use(state, id).map(|used| used.expires);
    let to = use_after.map(|used| used.expires);
    due::reschedule(state, Subject::Offer, &id.0, from, to);
    put(state, OFFER_USE, &id.0, use_after);
}

/// When something is to happen to a thing by itself; `None` inside where nothing is, or where there is no such thing. `None` where there is something that
/// cannot be read.
pub(crate) fn awaited(
    state: &dyn StateRead,
    subject: Subject,
    id: &Hash,
) -> Option<Option<TimeMs>> {
    let (prefix, due) = match subject {
        Subject::Request => (REQUEST, request(state, &LeaseId(*id)).map(|r| r.due())),
        Subject::Lease => (LEASE, lease(state, &LeaseId(*id)).map(|l| Some(l.due()))),
        Subject::Offer => {
            let used = offer_use(state, &OfferId(*id));
            (OFFER_USE, used.map(|used| Some(used.expires)))
        }
        Subject::Machine => (MACHINE, machine(state, &MachineId(*id)).map(|m| m.due())),
    };
    match due {
        None if state.plain(&key(prefix, id)).is_none() => Some(None),
        due => due,
    }
}
