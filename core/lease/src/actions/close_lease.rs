//! Ending a lease as its tenant.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::own_lease,
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{CloseReason, LeaseState},
    pay,
    usage::SignedUsage,
};

/// Ends a lease of the sender's and settles it: the usage note that comes along is paid, what no note can claim any more goes back at
/// once. If a note for the rest of the time may still be on its way, its cost stays held for the settlement window.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CloseLease {
    /// Which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// The last usage note, where it is not settled yet.
    #[n(1)]
    pub usage: Option<SignedUsage>,
}

impl CloseLease {
    pub(crate) fn text(&self) -> String {
        format!("close lease {}{}", self.lease, usage_text(&self.usage))
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let (id, time) = (self.lease, context.time);
        let mut lease = own_lease(state, &id, &context.sender)?;
        if let LeaseState::Closing { .. } | LeaseState::Closed { .. } = lease.state {
            return Err(LeaseError::WrongLeaseState {
                provided: lease.state.name(),
                needed: "not over",
            });
        }
        let mut events = Vec::new();
        if let Some(usage) = &self.usage {
            events.push(pay::settle(state, &id, &mut lease, usage, time)?);
        }
        events.extend(pay::wind_down(
            state,
            &id,
            lease,
            CloseReason::TenantClosed,
            time,
        )?);
        Ok(events)
    }
}

/// What a closing action's text says of the note that comes along.
pub(crate) fn usage_text(usage: &Option<SignedUsage>) -> String {
    let ran = |signed: &SignedUsage| format!(" after {} ms", signed.usage.metered_ms);
    usage.as_ref().map(ran).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{
        EndLease, SubmitUsage,
        testing::{ESCROW, OWNER, TENANT, World},
    };

    #[test]
    fn a_lease_that_is_signed_for_closes_at_once() {
        let mut world = World::new();
        let (tenant, owner) = (world.balance(TENANT), world.balance(OWNER));
        let lease = world.active();
        world.pass(10_000);
        let usage = Some(world.usage(lease, 10_000));
        world.run(TENANT, CloseLease { lease, usage }).unwrap();
        assert_eq!(world.lease(&lease).state.name(), "closed");
        assert_eq!(world.balance(TENANT), tenant - 10_000);
        assert_eq!(
            world.balance(OWNER),
            owner - crate::actions::testing::BOND + 9_000
        );
        assert_eq!(world.escrow(&lease), 0);
    }

    #[test]
    fn a_lease_that_never_ran_is_refunded_whole_and_at_once() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let (_, lease) = world.matched();
        let usage = None;
        world.run(TENANT, CloseLease { lease, usage }).unwrap();
        assert_eq!(world.lease(&lease).state.name(), "closed");
        assert_eq!(world.balance(TENANT), before);
    }

    #[test]
    fn what_a_late_note_could_claim_stays_held_for_the_window() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let lease = world.active();
        world.pass(10_000);
        let usage = Some(world.usage(lease, 4_000));
        world.run(TENANT, CloseLease { lease, usage }).unwrap();
        assert_eq!(world.lease(&lease).state.name(), "closing");
        assert_eq!(world.escrow(&lease), 6_000);
        assert_eq!(world.balance(TENANT), before - 10_000);
        // The provider's last note, within the window; time beyond the close is not for sale.
        world.pass(1_000);
        let beyond = world.usage(lease, 10_001);
        let error = LeaseError::UsageBeyondClock {
            provided_ms: 10_001,
            clock_ms: 10_000,
        };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage: beyond }), error);
        let usage = world.usage(lease, 9_000);
        world.run(OWNER, SubmitUsage { usage }).unwrap();
        world.pass(world.params().settle_window_ms);
        assert_eq!(world.lease(&lease).state.name(), "closed");
        assert_eq!(world.balance(TENANT), before - 9_000);
    }

    #[test]
    fn the_provider_may_end_the_window() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        let usage = None;
        world.run(TENANT, CloseLease { lease, usage }).unwrap();
        let usage = Some(world.usage(lease, 10_000));
        world.run(OWNER, EndLease { lease, usage }).unwrap();
        let closed = world.lease(&lease);
        let reason = CloseReason::TenantClosed;
        assert!(matches!(closed.state, LeaseState::Closed { reason: r, .. } if r == reason));
        assert_eq!(
            closed.refunded_lovelace,
            nupeer_primitives::Amount::new(ESCROW - 10_000)
        );
    }

    #[test]
    fn a_lease_is_closed_once_by_its_tenant_with_its_own_note() {
        let mut world = World::new();
        let lease = world.active();
        let other = world.active();
        world.pass(10_000);
        let (provided, expected) = (world.account(OWNER).hash(), world.account(TENANT).hash());
        let close = |usage| CloseLease { lease, usage };
        let error = LeaseError::NotTenant { provided, expected };
        assert_eq!(world.refused(OWNER, close(None)), error);
        let usage = Some(world.usage(other, 10_000));
        let error = LeaseError::UsageOfAnotherLease {
            provided: other,
            expected: lease,
        };
        assert_eq!(world.refused(TENANT, close(usage)), error);
        world.run(TENANT, close(None)).unwrap();
        let error = LeaseError::WrongLeaseState {
            provided: "closing",
            needed: "not over",
        };
        assert_eq!(world.refused(TENANT, close(None)), error);
    }

    #[test]
    fn a_lease_that_ran_its_time_completes() {
        let mut world = World::new();
        let lease = world.active();
        let duration_ms = world.lease(&lease).duration_ms;
        let missing = u128::from(duration_ms) - ESCROW;
        let top_up = crate::actions::TopUp {
            lease,
            amount_lovelace: nupeer_primitives::Amount::new(missing + 500),
        };
        world.run(TENANT, top_up).unwrap();
        let reason = CloseReason::Completed;
        assert_eq!(world.pass(duration_ms - 1), []);
        assert_eq!(world.pass(1), [Event::LeaseClosing { lease, reason }]);
        assert_eq!(world.escrow(&lease), u128::from(duration_ms));
        let usage = world.usage(lease, duration_ms);
        world.run(OWNER, SubmitUsage { usage }).unwrap();
        world.pass(world.params().settle_window_ms);
        assert_eq!(world.lease(&lease).state.name(), "closed");
        assert_eq!(world.escrow(&lease), 0);
    }
}
