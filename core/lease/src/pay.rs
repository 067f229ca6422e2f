//! Where a lease's money moves: into the escrow, out of it for metered time, and back. The end of a lease is here because it is the
//! last of these.

use nupeer_ledger::{HoldKind, LedgerError, Pot, Purse, StateWrite, purse};
use nupeer_primitives::{AccountId, Amount, AssetId, TimeMs};

use crate::{
    actions::withdraw_machine,
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{CloseReason, Lease, LeaseState, later},
    machine::MachineState,
    params::Params,
    settlement, store,
    usage::SignedUsage,
};

/// The escrow of a request or lease.
pub fn escrow(tenant: AccountId, id: &LeaseId) -> Purse {
    Purse::Hold {
        owner: tenant,
        kind: HoldKind::Escrow,
        id: id.0,
    }
}

/// Moves `amount` of the tenant's lovelace into the escrow.
pub(crate) fn deposit(
    state: &mut dyn StateWrite,
    tenant: AccountId,
    id: &LeaseId,
    amount: Amount,
) -> Result<(), LedgerError> {
    let (from, to) = (Purse::Account(tenant), escrow(tenant, id));
    purse::transfer(state, &from, &to, &AssetId::Ada, amount)
}

/// Moves `amount` of the escrow back to the tenant.
pub(crate) fn withdraw(
    state: &mut dyn StateWrite,
    tenant: AccountId,
    id: &LeaseId,
    amount: Amount,
) -> Result<(), LedgerError> {
    let (from, to) = (escrow(tenant, id), Purse::Account(tenant));
    purse::transfer(state, &from, &to, &AssetId::Ada, amount)
}

/// Checks a usage note, pays for what it adds, and notes that on `lease`, which the caller writes.
pub(crate) fn settle(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    lease: &mut Lease,
    signed: &SignedUsage,
    time: TimeMs,
) -> Result<Event, LeaseError> {
    signed.check(state, id, lease, time)?;
    let settled = settlement::settle(
        lease.price_lovelace_per_hour,
        lease.protocol_fee_per_10k,
        lease.charged_lovelace,
        signed.usage.metered_ms,
    );
    let from = escrow(lease.tenant, id);
    let provider = Purse::Account(lease.provider);
    for (to, amount) in [
        (provider, settled.pay),
        (Purse::Pot(Pot::Protocol), settled.fee),
    ] {
        purse::transfer(state, &from, &to, &AssetId::Ada, amount)?;
    }
    lease.charged_lovelace = settled.charged;
    lease.metered_ms = signed.usage.metered_ms;
    lease.evidence = signed.usage.evidence;
    Ok(Event::Settled {
        lease: *id,
        metered_ms: lease.metered_ms,
        paid_lovelace: settled.pay,
        fee_lovelace: settled.fee,
    })
}

/// Gives `amount` of what the lease holds back to the tenant, and notes that on `lease`, which the caller writes.
fn refund(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    lease: &mut Lease,
    amount: Amount,
) -> Result<(), LeaseError> {
    withdraw(state, lease.tenant, id, amount)?;
    lease.refunded_lovelace = lease
        .refunded_lovelace
        .checked_add(amount)
        .ok_or(LedgerError::AmountOverflow)?;
    Ok(())
}

/// Ends a lease that ran: what no usage note can claim any more goes back at once, the rest when the window for the last
/// note is over. A lease without unsigned time is closed at once.
pub(crate) fn wind_down(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    mut lease: Lease,
    reason: CloseReason,
    time: TimeMs,
) -> Result<Vec<Event>, LeaseError> {
    let until = later(time, Params::load(state).settle_window_ms);
    lease.stop(time, LeaseState::Closing { reason, until });
    let claimable = settlement::cost(lease.price_lovelace_per_hour, lease.ran_ms)
        .saturating_sub(lease.charged_lovelace);
    if claimable.is_zero() {
        return close(state, id, lease, reason, time);
    }
    let rest = lease.held_lovelace().saturating_sub(claimable);
    refund(state, id, &mut lease, rest)?;
    store::put_lease(state, id, Some(&lease));
    Ok(vec![Event::LeaseClosing { lease: *id, reason }])
}

/// Ends a lease for good: the whole rest of the escrow goes back, the machine has its capacity again, and if it was the last lease of a
/// draining machine, that is withdrawn.
pub(crate) fn close(
    state: &mut dyn StateWrite,
    id: &LeaseId,
    mut lease: Lease,
    reason: CloseReason,
    time: TimeMs,
) -> Result<Vec<Event>, LeaseError> {
    let rest = lease.held_lovelace();
    refund(state, id, &mut lease, rest)?;
    let forget = later(time, Params::load(state).retention_ms);
    lease.stop(time, LeaseState::Closed { reason, forget });
    store::put_lease(state, id, Some(&lease));
    let mut events = vec![Event::LeaseClosed {
        lease: *id,
        reason,
        refunded_lovelace: lease.refunded_lovelace,
    }];
    events.extend(free_capacity(state, &lease, time)?);
    Ok(events)
}

fn free_capacity(
    state: &mut dyn StateWrite,
    lease: &Lease,
    time: TimeMs,
) -> Result<Option<Event>, LeaseError> {
    let id = lease.machine;
    let mut machine =
        store::machine(state, &id).ok_or(LeaseError::UnknownMachine { machine: id })?;
    machine.used = machine.used.saturating_sub(&lease.resources);
    machine.leases_open = machine.leases_open.saturating_sub(1);
    if machine.state == MachineState::Draining && machine.leases_open == 0 {
        return withdraw_machine::release(state, &id, machine, time).map(Some);
    }
    store::put_machine(state, &id, Some(&machine));
    Ok(None)
}
