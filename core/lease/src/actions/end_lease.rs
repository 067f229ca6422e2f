//! Ending a lease as its provider.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::{close_lease::usage_text, provided_lease},
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{CloseReason, LeaseState},
    pay,
    usage::SignedUsage,
};

/// Ends a lease on a machine of the sender's and settles it at once: the provider alone gains by usage notes, and has none after this.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EndLease {
    /// Which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// The last usage note, where it is not settled yet.
    #[n(1)]
    pub usage: Option<SignedUsage>,
}

impl EndLease {
    pub(crate) fn text(&self) -> String {
        let usage = usage_text(&self.usage);
        format!("end lease {}{usage} as provider", self.lease)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let (id, time) = (self.lease, context.time);
        let mut lease = provided_lease(state, &id, &context.sender)?;
        let reason = match lease.state {
            LeaseState::Reserved { .. }
            | LeaseState::Provisioning { .. }
            | LeaseState::Active { .. } => CloseReason::ProviderClosed,
            LeaseState::Paused { reason, .. } => reason.when_over(),
            LeaseState::Closing { reason, .. } => reason,
            LeaseState::Closed { .. } => {
                return Err(LeaseError::WrongLeaseState {
                    provided: lease.state.name(),
                    needed: "not settled yet",
                });
            }
        };
        let mut events = Vec::new();
        if let Some(usage) = &self.usage {
            events.push(pay::settle(state, &id, &mut lease, usage, time)?);
        }
        events.extend(pay::close(state, &id, lease, reason, time)?);
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::{
            Progress, ReportLease,
            testing::{BOND, ESCROW, OWNER, TENANT, World},
        },
        lease::Fault,
    };

    fn reason(world: &World, lease: &LeaseId) -> CloseReason {
        match world.lease(lease).state {
            LeaseState::Closed { reason, .. } => reason,
            other => panic!("{}", other.name()),
        }
    }

    #[test]
    fn a_provider_is_paid_for_what_is_signed_and_the_rest_goes_back_at_once() {
        let mut world = World::new();
        let (tenant, owner) = (world.balance(TENANT), world.balance(OWNER));
        let lease = world.active();
        world.pass(10_000);
        let usage = Some(world.usage(lease, 4_000));
        world.run(OWNER, EndLease { lease, usage }).unwrap();
        assert_eq!(reason(&world, &lease), CloseReason::ProviderClosed);
        assert_eq!(world.balance(TENANT), tenant - 4_000);
        assert_eq!(world.balance(OWNER), owner - BOND + 3_600);
    }

    #[test]
    fn a_lease_ended_while_paused_ends_for_the_pauses_reason() {
        let mut world = World::new();
        let lease = world.active();
        let progress = Progress::Paused;
        world.run(OWNER, ReportLease { lease, progress }).unwrap();
        world.run(OWNER, EndLease { lease, usage: None }).unwrap();
        assert_eq!(reason(&world, &lease), CloseReason::Unsigned);

        let lease = world.active();
        world.pass(ESCROW as u64);
        world.run(OWNER, EndLease { lease, usage: None }).unwrap();
        assert_eq!(reason(&world, &lease), CloseReason::FundsExhausted);
        assert_eq!(reason(&world, &lease).fault(), Fault::Tenant);
    }

    #[test]
    fn a_lease_is_ended_once_and_by_its_provider() {
        let mut world = World::new();
        let (_, lease) = world.matched();
        let end = || EndLease { lease, usage: None };
        let (provided, expected) = (world.account(TENANT).hash(), world.account(OWNER).hash());
        let error = LeaseError::NotOwner { provided, expected };
        assert_eq!(world.refused(TENANT, end()), error);
        world.run(OWNER, end()).unwrap();
        let error = LeaseError::WrongLeaseState {
            provided: "closed",
            needed: "not settled yet",
        };
        assert_eq!(world.refused(OWNER, end()), error);
    }
}
