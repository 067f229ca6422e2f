//! Reading the market: for the API, agents, matchers and pages. Listings are in the order of ids and go on after the last one seen.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, state::after_prefix};
use nupeer_primitives::{AccountId, Hash, cbor};

use crate::{
    id::{LeaseId, MachineId, OfferId},
    lease::Lease,
    machine::Machine,
    offer::OfferUse,
    request::Request,
    store,
};

/// Most entries of one page.
pub const PAGE_MAX: usize = 100;

/// The machine of that name.
pub fn machine(state: &dyn StateRead, id: &MachineId) -> Option<Machine> {
    store::machine(state, id)
}

/// The request of that name, until it is forgotten.
pub fn request(state: &dyn StateRead, id: &LeaseId) -> Option<Request> {
    store::request(state, id)
}

/// The lease of that name, until it is forgotten.
pub fn lease(state: &dyn StateRead, id: &LeaseId) -> Option<Lease> {
    store::lease(state, id)
}

/// How often an offer was used; `None` where it never was, or where it has expired.
pub fn offer_use(state: &dyn StateRead, id: &OfferId) -> Option<OfferUse> {
    store::offer_use(state, id)
}

/// All machines, withdrawn ones included until they are forgotten.
pub fn machines(
    state: &dyn StateRead,
    after: Option<MachineId>,
    limit: usize,
) -> Vec<(MachineId, Machine)> {
    let rows = records(state, store::MACHINE, after.map(|id| id.0), limit);
    rows.into_iter()
        .map(|(id, machine)| (MachineId(id), machine))
        .collect()
}

/// The machines of an account.
pub fn machines_of(
    state: &dyn StateRead,
    owner: &AccountId,
    after: Option<MachineId>,
    limit: usize,
) -> Vec<(MachineId, Machine)> {
    let prefix = [store::MACHINE_OF, &owner.to_bytes()].concat();
    let ids = ids(state, &prefix, after.map(|id| id.0), limit);
    let read = |id| Some((MachineId(id), store::machine(state, &MachineId(id))?));
    ids.into_iter().filter_map(read).collect()
}

/// The requests that stand open.
pub fn requests_open(
    state: &dyn StateRead,
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Request)> {
    requests(state, store::REQUEST_OPEN, after, limit)
}

/// The requests of an account.
pub fn requests_of(
    state: &dyn StateRead,
    tenant: &AccountId,
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Request)> {
    let prefix = [store::REQUEST_OF, &tenant.to_bytes()].concat();
    requests(state, &prefix, after, limit)
}

/// All leases, closed ones included until they are forgotten.
pub fn leases(
    state: &dyn StateRead,
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Lease)> {
    let rows = records(state, store::LEASE, after.map(|id| id.0), limit);
    rows.into_iter()
        .map(|(id, lease)| (LeaseId(id), lease))
        .collect()
}

/// The leases of a tenant.
pub fn leases_of(
    state: &dyn StateRead,
    tenant: &AccountId,
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Lease)> {
    let prefix = [store::LEASE_OF, &tenant.to_bytes()].concat();
    indexed_leases(state, &prefix, after, limit)
}

/// The leases on a machine: what its agent is to do.
pub fn leases_on(
    state: &dyn StateRead,
    machine: &MachineId,
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Lease)> {
    let prefix = [store::LEASE_ON, &machine.0.0].concat();
    indexed_leases(state, &prefix, after, limit)
}

fn requests(
    state: &dyn StateRead,
    prefix: &[u8],
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Request)> {
    let ids = ids(state, prefix, after.map(|id| id.0), limit);
    let read = |id| Some((LeaseId(id), store::request(state, &LeaseId(id))?));
    ids.into_iter().filter_map(read).collect()
}

fn indexed_leases(
    state: &dyn StateRead,
    prefix: &[u8],
    after: Option<LeaseId>,
    limit: usize,
) -> Vec<(LeaseId, Lease)> {
    let ids = ids(state, prefix, after.map(|id| id.0), limit);
    let read = |id| Some((LeaseId(id), store::lease(state, &LeaseId(id))?));
    ids.into_iter().filter_map(read).collect()
}

/// Entries below `prefix` that come after the id `after`, at most a page of them.
fn page(
    state: &dyn StateRead,
    prefix: &[u8],
    after: Option<Hash>,
    limit: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let from = match after {
        // The first key above one of a fixed length is that key and a zero.
        Some(id) => [prefix, &id.0, &[0]].concat(),
        None => prefix.to_vec(),
    };
    state.plain_range(&from, &after_prefix(prefix), limit.min(PAGE_MAX))
}

fn ids(state: &dyn StateRead, prefix: &[u8], after: Option<Hash>, limit: usize) -> Vec<Hash> {
    let entries = page(state, prefix, after, limit);
    entries
        .iter()
        .filter_map(|(key, _)| Hash::try_from(&key[prefix.len()..]).ok())
        .collect()
}

fn records<T: for<'b> Decode<'b, ()> + Encode<()>>(
    state: &dyn StateRead,
    prefix: &[u8],
    after: Option<Hash>,
    limit: usize,
) -> Vec<(Hash, T)> {
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let id = Hash::try_from(&key[prefix.len()..]).ok()?;
        Some((id, cbor::decode(&value).ok()?))
    };
    let entries = page(state, prefix, after, limit);
    entries.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::{OWNER, TENANT, World};

    #[test]
    fn pages_cover_everything_once_and_in_order() {
        let mut world = World::new();
        let mut all: Vec<MachineId> = (0..7).map(|_| world.register()).collect();
        all.sort();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = machines(&world.state, after, 3);
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            seen.extend(page.iter().map(|(id, _)| *id));
        }
        assert_eq!(seen, all);
        let owner = world.account(OWNER);
        let after_third = machines_of(&world.state, &owner, Some(all[2]), PAGE_MAX);
        let rest: Vec<MachineId> = after_third.into_iter().map(|(id, _)| id).collect();
        assert_eq!(rest, all[3..]);
    }

    #[test]
    fn a_lease_is_found_by_tenant_and_by_machine_and_no_request_is_open() {
        let mut world = World::new();
        let (machine, lease) = world.matched();
        let (tenant, owner) = (world.account(TENANT), world.account(OWNER));
        let state = &world.state;
        let names = |rows: Vec<(LeaseId, Lease)>| -> Vec<LeaseId> {
            rows.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(names(leases(state, None, 9)), [lease]);
        assert_eq!(names(leases_of(state, &tenant, None, 9)), [lease]);
        assert_eq!(names(leases_of(state, &owner, None, 9)), []);
        assert_eq!(names(leases_on(state, &machine, None, 9)), [lease]);
        assert_eq!(requests_open(state, None, 9), []);
        assert_eq!(requests_of(state, &tenant, None, 9).len(), 1);
    }

    #[test]
    fn an_open_request_is_listed_for_matchers() {
        let mut world = World::new();
        let request = world.request();
        let open = requests_open(&world.state, None, 9);
        assert_eq!((open.len(), open[0].0), (1, request));
    }
}
