//! What must hold after every block, as functions that tests, simulation and a node on demand call alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, purse};
use nupeer_primitives::{Amount, AssetId, Hash, TimeMs, cbor};

use crate::{
    due::{self, Entry, Subject},
    id::{LeaseId, MachineId},
    lease::Lease,
    machine::{Machine, MachineState},
    offer::OfferUse,
    pay::escrow,
    request::{Request, RequestState},
    resources::Resources,
    settlement, store,
};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A machine's record of what its leases take is not the sum of what they take.
    WrongSum(MachineId),
    /// Leases take more than a machine has.
    OverCommitted(MachineId),
    /// A bond's hold is not what the machine's record says.
    WrongBond(MachineId),
    /// A withdrawn machine with an open lease, or an open lease without a machine.
    Homeless(LeaseId),
    /// An escrow is not deposits − charged − refunded, or not that of an open request.
    WrongEscrow(LeaseId),
    /// A lease was charged other than its metered time costs, or metered beyond its clock, or beyond its deposits.
    WrongCharge(LeaseId),
    /// A lease without its matched request, or a matched request without its lease.
    Unpaired(LeaseId),
    /// The time queue is not what the records say it should be.
    WrongQueue(Entry),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn all<T: for<'b> Decode<'b, ()> + Encode<()>>(
    state: &dyn StateRead,
    prefix: &[u8],
) -> BTreeMap<Hash, T> {
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let id = Hash::try_from(&key[prefix.len()..]).ok()?;
        Some((id, cbor::decode(&value).ok()?))
    };
    let entries = state.plain_prefix(prefix, usize::MAX);
    entries.into_iter().filter_map(read).collect()
}

struct Market {
    machines: BTreeMap<Hash, Machine>,
    requests: BTreeMap<Hash, Request>,
    leases: BTreeMap<Hash, Lease>,
    offers: BTreeMap<Hash, OfferUse>,
}

/// Everything that is wrong at `now`, the last block's time, which should be nothing. Reads the whole market.
pub fn violations(state: &dyn StateRead, now: TimeMs) -> Vec<Violation> {
    let market = Market {
        machines: all(state, store::MACHINE),
        requests: all(state, store::REQUEST),
        leases: all(state, store::LEASE),
        offers: all(state, store::OFFER_USE),
    };
    let mut found = machines(state, &market);
    found.extend(leases(state, &market, now));
    found.extend(requests(state, &market));
    found.extend(queue(state, &market));
    found
}

fn machines(state: &dyn StateRead, market: &Market) -> Vec<Violation> {
    let mut found = Vec::new();
    for (id, machine) in &market.machines {
        let name = MachineId(*id);
        let open = |lease: &&Lease| lease.machine == name && lease.state.is_open();
        let leases: Vec<&Lease> = market.leases.values().filter(open).collect();
        let sum = leases.iter().try_fold(Resources::default(), |sum, lease| {
            sum.checked_add(&lease.resources)
        });
        if sum != Some(machine.used) || leases.len() != machine.leases_open as usize {
            found.push(Violation::WrongSum(name));
        }
        if machine.used.excess_over(&machine.terms.capacity).is_some() {
            found.push(Violation::OverCommitted(name));
        }
        if !bonds_hold(state, &name, machine) {
            found.push(Violation::WrongBond(name));
        }
    }
    found
}

fn bonds_hold(state: &dyn StateRead, id: &MachineId, machine: &Machine) -> bool {
    let withdrawn = matches!(machine.state, MachineState::Withdrawn { .. });
    machine.bonds.iter().all(|bond| {
        let expected = if withdrawn { Amount::ZERO } else { bond.amount };
        purse::balance(state, &bond.purse(machine.owner, id), &bond.asset) == expected
    })
}

fn leases(state: &dyn StateRead, market: &Market, now: TimeMs) -> Vec<Violation> {
    let mut found = Vec::new();
    for (id, lease) in &market.leases {
        let name = LeaseId(*id);
        let machine = market.machines.get(&lease.machine.0);
        let gone = |m: &Machine| matches!(m.state, MachineState::Withdrawn { .. });
        if lease.state.is_open() && machine.is_none_or(gone) {
            found.push(Violation::Homeless(name));
        }
        let held = purse::balance(state, &escrow(lease.tenant, &name), &AssetId::Ada);
        let settled = !lease.state.is_open() && !held.is_zero();
        if held != lease.held_lovelace() || settled {
            found.push(Violation::WrongEscrow(name));
        }
        if !charge_holds(lease, now) {
            found.push(Violation::WrongCharge(name));
        }
        let request = market.requests.get(id);
        if request.is_none_or(|request| request.state != RequestState::Matched) {
            found.push(Violation::Unpaired(name));
        }
    }
    found
}

fn charge_holds(lease: &Lease, now: TimeMs) -> bool {
    let cost = settlement::cost(lease.price_lovelace_per_hour, lease.metered_ms);
    let spent = lease.charged_lovelace.checked_add(lease.refunded_lovelace);
    lease.charged_lovelace == cost
        && spent.is_some_and(|spent| spent <= lease.deposited_lovelace)
        && lease.metered_ms <= lease.clock_ms(now)
}

fn requests(state: &dyn StateRead, market: &Market) -> Vec<Violation> {
    let mut found = Vec::new();
    for (id, request) in &market.requests {
        let name = LeaseId(*id);
        let held = purse::balance(state, &escrow(request.tenant, &name), &AssetId::Ada);
        let expected = match request.state {
            RequestState::Open => request.escrow_lovelace,
            RequestState::Expired { .. } | RequestState::Cancelled { .. } => Amount::ZERO,
            RequestState::Matched if market.leases.contains_key(id) => continue,
            RequestState::Matched => {
                found.push(Violation::Unpaired(name));
                continue;
            }
        };
        if held != expected {
            found.push(Violation::WrongEscrow(name));
        }
    }
    found
}

/// What differs between the queue and what the records say that it should be.
fn queue(state: &dyn StateRead, market: &Market) -> Vec<Violation> {
    let entry = |subject| move |(id, at): (Hash, TimeMs)| Entry { at, subject, id };
    let machines = market.machines.iter();
    let machines = machines.filter_map(|(id, machine)| Some((*id, machine.due()?)));
    let requests = market.requests.iter();
    let requests = requests.filter_map(|(id, request)| Some((*id, request.due()?)));
    let leases = market.leases.iter().map(|(id, lease)| (*id, lease.due()));
    let offers = market.offers.iter().map(|(id, used)| (*id, used.expires));
    let expected: BTreeSet<Entry> = machines
        .map(entry(Subject::Machine))
        .chain(requests.map(entry(Subject::Request)))
        .chain(leases.map(entry(Subject::Lease)))
        .chain(offers.map(entry(Subject::Offer)))
        .collect();
    let entries = due::until(state, TimeMs(u64::MAX), usize::MAX).standing;
    // What was put off still stands for its first time, or for nothing any more.
    let found = entries.into_iter();
    let found = found.filter(|at| at.put_off.is_none() || expected.contains(&at.entry));
    let found: BTreeSet<Entry> = found.map(|at| at.entry).collect();
    let differ = expected.symmetric_difference(&found);
    differ.copied().map(Violation::WrongQueue).collect()
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::StateWrite;

    use super::*;
    use crate::actions::testing::{ESCROW, TENANT, World};

    /// Records are written past `store`, as a wrong rule would, so that their entries in the queue stay behind.
    fn write<T: Encode<()>>(world: &mut World, prefix: &[u8], id: &Hash, value: &T) {
        let key = [prefix, &id.0].concat();
        world.state.set_plain(key, Some(cbor::encode(value)));
    }

    #[test]
    fn each_broken_record_is_noticed() {
        let mut world = World::new();
        let (machine, lease) = world.matched();
        let idle = world.request();
        assert_eq!(violations(&world.state, world.time), []);

        let mut over = world.fork();
        let mut record = over.machine(&machine);
        record.terms.capacity.cpu_milli = 100;
        record.bonds[0].amount = Amount::new(1);
        record.leases_open = 2;
        write(&mut over, store::MACHINE, &machine.0, &record);
        let expected = [
            Violation::WrongSum(machine),
            Violation::OverCommitted(machine),
            Violation::WrongBond(machine),
        ];
        assert_eq!(violations(&over.state, over.time), expected);

        let mut charged = world.fork();
        let mut record = charged.lease(&lease);
        record.charged_lovelace = Amount::new(1);
        write(&mut charged, store::LEASE, &lease.0, &record);
        let expected = [Violation::WrongEscrow(lease), Violation::WrongCharge(lease)];
        assert_eq!(violations(&charged.state, charged.time), expected);

        let mut homeless = world.fork();
        let key = [store::MACHINE, &machine.0.0].concat();
        homeless.state.set_plain(key, None);
        assert_eq!(
            violations(&homeless.state, homeless.time),
            [Violation::Homeless(lease)]
        );

        let mut poor = world.fork();
        let tenant = poor.account(TENANT);
        let amount = Amount::new(ESCROW);
        crate::pay::withdraw(&mut poor.state, tenant, &idle, amount).unwrap();
        assert_eq!(
            violations(&poor.state, poor.time),
            [Violation::WrongEscrow(idle)]
        );

        let mut unpaired = world.fork();
        let record = world.request_of(&idle);
        write(&mut unpaired, store::REQUEST, &lease.0, &record);
        let found = violations(&unpaired.state, unpaired.time);
        assert!(found.contains(&Violation::Unpaired(lease)), "{found:?}");
    }

    #[test]
    fn more_than_the_clock_shows_is_noticed_while_it_runs() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(1_000);
        for (metered_ms, expected) in [
            (1_000, vec![]),
            (1_001, vec![Violation::WrongCharge(lease)]),
        ] {
            let mut forged = world.fork();
            let mut record = forged.lease(&lease);
            let price = record.price_lovelace_per_hour;
            (record.metered_ms, record.charged_lovelace) =
                (metered_ms, settlement::cost(price, metered_ms));
            let from = escrow(record.tenant, &lease);
            let to = nupeer_ledger::Purse::Account(record.provider);
            let paid = record.charged_lovelace;
            purse::transfer(&mut forged.state, &from, &to, &AssetId::Ada, paid).unwrap();
            write(&mut forged, store::LEASE, &lease.0, &record);
            assert_eq!(violations(&forged.state, forged.time), expected);
        }
    }

    #[test]
    fn a_missing_deadline_is_noticed() {
        let mut world = World::new();
        let (_, lease) = world.matched();
        let at = world.lease(&lease).due();
        let (subject, id) = (Subject::Lease, lease.0);
        due::reschedule(&mut world.state, subject, &id, Some(at), None);
        let entry = Entry { at, subject, id };
        assert_eq!(
            violations(&world.state, world.time),
            [Violation::WrongQueue(entry)]
        );
    }
}
