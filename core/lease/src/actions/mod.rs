//! One file for each verb: the action, its check, its execution, its tests.

mod cancel_request;
mod close_lease;
mod end_lease;
mod match_offer;
mod post_request;
mod register_machine;
mod report_lease;
mod submit_usage;
#[cfg(test)]
pub(crate) mod testing;
mod top_up;
mod update_machine;
pub(crate) mod withdraw_machine;

pub use cancel_request::CancelRequest;
pub use close_lease::CloseLease;
pub use end_lease::EndLease;
pub use match_offer::{Match, check_pair};
pub use post_request::PostRequest;
pub use register_machine::RegisterMachine;
pub use report_lease::{Progress, ReportLease};
pub use submit_usage::SubmitUsage;
pub use top_up::TopUp;
pub use update_machine::UpdateMachine;
pub use withdraw_machine::WithdrawMachine;

use nupeer_ledger::StateRead;
use nupeer_primitives::AccountId;

use crate::{
    error::LeaseError,
    id::{LeaseId, MachineId},
    lease::Lease,
    machine::{Bond, Machine},
    params::KindParams,
    store,
};

/// Checks that a bond is what its kind demands.
pub(crate) fn check_bond(bond: &Bond, needed: &KindParams) -> Result<(), LeaseError> {
    if bond.asset != needed.bond_asset {
        return Err(LeaseError::WrongBondAsset {
            provided: bond.asset.clone(),
            expected: needed.bond_asset.clone(),
        });
    }
    if bond.amount < needed.bond_minimum {
        return Err(LeaseError::BondTooSmall {
            provided: bond.amount,
            minimum: needed.bond_minimum,
        });
    }
    Ok(())
}

/// The machine, if it is `sender`'s.
fn own_machine(
    state: &dyn StateRead,
    id: &MachineId,
    sender: &AccountId,
) -> Result<Machine, LeaseError> {
    let machine = store::machine(state, id).ok_or(LeaseError::UnknownMachine { machine: *id })?;
    check_owner(sender, &machine.owner)?;
    Ok(machine)
}

/// The lease, if it is on `sender`'s machine.
fn provided_lease(
    state: &dyn StateRead,
    id: &LeaseId,
    sender: &AccountId,
) -> Result<Lease, LeaseError> {
    let lease = store::lease(state, id).ok_or(LeaseError::UnknownLease { lease: *id })?;
    check_owner(sender, &lease.provider)?;
    Ok(lease)
}

/// The lease, if it is `sender`'s.
fn own_lease(state: &dyn StateRead, id: &LeaseId, sender: &AccountId) -> Result<Lease, LeaseError> {
    let lease = store::lease(state, id).ok_or(LeaseError::UnknownLease { lease: *id })?;
    check_tenant(sender, &lease.tenant)?;
    Ok(lease)
}

fn check_owner(sender: &AccountId, owner: &AccountId) -> Result<(), LeaseError> {
    if sender == owner {
        return Ok(());
    }
    Err(LeaseError::NotOwner {
        provided: sender.hash(),
        expected: owner.hash(),
    })
}

fn check_tenant(sender: &AccountId, tenant: &AccountId) -> Result<(), LeaseError> {
    if sender == tenant {
        return Ok(());
    }
    Err(LeaseError::NotTenant {
        provided: sender.hash(),
        expected: tenant.hash(),
    })
}
