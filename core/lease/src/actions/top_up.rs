//! Putting more into a lease's escrow.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, LedgerError, StateWrite};
use nupeer_primitives::{Amount, TimeMs};

use crate::{
    actions::own_lease,
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{Lease, LeaseState, PauseReason},
    pay, store,
};

/// Puts more into the escrow of a lease of the sender's. One that was paused for funds runs on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TopUp {
    /// Which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// How much, in lovelace; above zero.
    #[n(1)]
    pub amount_lovelace: Amount,
}

impl TopUp {
    pub(crate) fn text(&self) -> String {
        let amount = self.amount_lovelace.display(6);
        format!("put {amount} ADA into lease {}", self.lease)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        if self.amount_lovelace.is_zero() {
            return Err(LedgerError::ZeroAmount.into());
        }
        let mut lease = own_lease(state, &self.lease, &context.sender)?;
        if let LeaseState::Closing { .. } | LeaseState::Closed { .. } = lease.state {
            return Err(LeaseError::WrongLeaseState {
                provided: lease.state.name(),
                needed: "not over",
            });
        }
        pay::deposit(state, lease.tenant, &self.lease, self.amount_lovelace)?;
        let deposited = lease.deposited_lovelace.checked_add(self.amount_lovelace);
        lease.deposited_lovelace = deposited.ok_or(LedgerError::AmountOverflow)?;
        let mut events = vec![Event::ToppedUp {
            lease: self.lease,
            amount_lovelace: self.amount_lovelace,
        }];
        if run_on(&mut lease, context.time) {
            events.push(Event::LeaseActive { lease: self.lease });
        }
        store::put_lease(state, &self.lease, Some(&lease));
        Ok(events)
    }
}

/// Lets a lease run on that was paused for funds, if it has some again.
fn run_on(lease: &mut Lease, time: TimeMs) -> bool {
    let reason = PauseReason::Funds;
    let paused = matches!(lease.state, LeaseState::Paused { reason: r, .. } if r == reason);
    let funded = paused && lease.clock_max_ms() > lease.ran_ms;
    if funded {
        lease.state = LeaseState::Active { since: time };
    }
    funded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::{
            CloseLease, SubmitUsage,
            testing::{ESCROW, OWNER, TENANT, World},
        },
        lease::CloseReason,
    };

    fn top_up(lease: LeaseId, amount: u128) -> TopUp {
        TopUp {
            lease,
            amount_lovelace: Amount::new(amount),
        }
    }

    #[test]
    fn a_lease_out_of_funds_pauses_keeps_its_pay_and_runs_on_when_topped_up() {
        let mut world = World::new();
        let lease = world.active();
        let reason = PauseReason::Funds;
        // A lovelace each ms: the escrow lasts as many ms as it has lovelace.
        assert_eq!(world.pass(ESCROW as u64 - 1), []);
        assert_eq!(world.pass(1), [Event::LeasePaused { lease, reason }]);
        world.pass(5_000);
        let usage = world.usage(lease, ESCROW as u64);
        world.run(OWNER, SubmitUsage { usage }).unwrap();
        assert_eq!(world.escrow(&lease), 0);
        let events = world.run(TENANT, top_up(lease, 1_000)).unwrap();
        assert_eq!(events[1], Event::LeaseActive { lease });
        assert_eq!(world.pass(999), []);
        assert_eq!(world.pass(1), [Event::LeasePaused { lease, reason }]);
    }

    #[test]
    fn a_lease_that_stays_out_of_funds_ends_after_the_grace() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let lease = world.active();
        world.pass(ESCROW as u64);
        let events = world.pass(world.params().pause_grace_ms);
        let reason = CloseReason::FundsExhausted;
        assert!(
            matches!(events[..], [Event::LeaseClosed { lease: l, reason: r, .. }] if (l, r) == (lease, reason))
        );
        // Nothing was signed for, so all of it goes back.
        assert_eq!(world.balance(TENANT), before);
    }

    #[test]
    fn nothing_the_unpayable_and_what_is_over_are_refused() {
        let mut world = World::new();
        let lease = world.active();
        let available = world.balance(TENANT);
        let broke = LedgerError::InsufficientFunds {
            asset: nupeer_primitives::AssetId::Ada,
            available: Amount::new(available),
            needed: Amount::new(available + 1),
        };
        let (provided, expected) = (world.account(OWNER).hash(), world.account(TENANT).hash());
        for (sender, amount, error) in [
            (TENANT, 0, LeaseError::Ledger(LedgerError::ZeroAmount)),
            (TENANT, available + 1, LeaseError::Ledger(broke)),
            (OWNER, 1, LeaseError::NotTenant { provided, expected }),
        ] {
            assert_eq!(world.refused(sender, top_up(lease, amount)), error);
        }
        world.pass(1_000);
        world
            .run(TENANT, CloseLease { lease, usage: None })
            .unwrap();
        let error = LeaseError::WrongLeaseState {
            provided: "closing",
            needed: "not over",
        };
        assert_eq!(world.refused(TENANT, top_up(lease, 1)), error);
    }
}
