//! Settling what both sides signed for.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::provided_lease, error::LeaseError, event::Event, id::LeaseId, pay, store,
    usage::SignedUsage,
};

/// Pays for what a usage note adds to the last one. The provider sends it, who is the one to gain by it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SubmitUsage {
    /// The note, with both signatures.
    #[n(0)]
    pub usage: SignedUsage,
}

impl SubmitUsage {
    pub(crate) fn text(&self) -> String {
        format!(
            "lease {} ran for {} ms",
            self.usage.usage.lease, self.usage.usage.metered_ms
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let id: LeaseId = self.usage.usage.lease;
        let mut lease = provided_lease(state, &id, &context.sender)?;
        let event = pay::settle(state, &id, &mut lease, &self.usage, context.time)?;
        store::put_lease(state, &id, Some(&lease));
        Ok(vec![event])
    }
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::{LedgerError, Pot, Purse};
    use nupeer_primitives::{Amount, Hash};

    use super::*;
    use crate::actions::{
        EndLease,
        testing::{ESCROW, OPERATOR, OWNER, SESSION, STRANGER, TENANT, World, key},
    };

    #[test]
    fn both_signatures_move_the_pay_and_the_fee() {
        let mut world = World::new();
        let lease = world.active();
        let before = world.balance(OWNER);
        world.pass(10_000);
        let usage = world.usage(lease, 10_000);
        let events = world.run(OWNER, SubmitUsage { usage }).unwrap();
        let settled = Event::Settled {
            lease,
            metered_ms: 10_000,
            paid_lovelace: Amount::new(9_000),
            fee_lovelace: Amount::new(1_000),
        };
        assert_eq!(events, [settled]);
        assert_eq!(world.balance(OWNER), before + 9_000);
        assert_eq!(world.held(&Purse::Pot(Pot::Protocol)), 1_000);
        assert_eq!(world.escrow(&lease), ESCROW - 10_000);
        let now = world.lease(&lease);
        let amounts = (now.paid_lovelace(), now.protocol_fee_lovelace());
        assert_eq!(amounts, (Amount::new(9_000), Amount::new(1_000)));
    }

    #[test]
    fn a_note_neither_goes_back_nor_beyond_the_clock() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        let usage = world.usage(lease, 5_000);
        world.run(OWNER, SubmitUsage { usage }).unwrap();
        let metered_ms = 5_000;
        for (provided_ms, error) in [
            (
                4_999,
                LeaseError::UsageBackwards {
                    provided_ms: 4_999,
                    metered_ms,
                },
            ),
            (
                5_000,
                LeaseError::UsageBackwards {
                    provided_ms: 5_000,
                    metered_ms,
                },
            ),
            (
                10_001,
                LeaseError::UsageBeyondClock {
                    provided_ms: 10_001,
                    clock_ms: 10_000,
                },
            ),
            (
                u64::MAX,
                LeaseError::UsageBeyondClock {
                    provided_ms: u64::MAX,
                    clock_ms: 10_000,
                },
            ),
        ] {
            let usage = world.usage(lease, provided_ms);
            assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
        }
        let usage = world.usage(lease, 10_000);
        assert!(world.run(OWNER, SubmitUsage { usage }).is_ok());
    }

    #[test]
    fn a_note_needs_the_operators_and_the_tenants_word() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        let good = world.usage(lease, 5_000);
        let stranger = key(STRANGER);
        let tenant = key(STRANGER).public.hash();
        let reason = LedgerError::KeyNotGranted { key: tenant };
        for (usage, error) in [
            (
                world.usage_signed_by(lease, 5_000, STRANGER, SESSION),
                LeaseError::WrongOperator {
                    provided: stranger.public.hash(),
                    expected: key(OPERATOR).public.hash(),
                },
            ),
            (
                SignedUsage {
                    operator_signature: good.tenant_signature,
                    ..good.clone()
                },
                LeaseError::BadUsageSignature { side: "provider" },
            ),
            (
                world.usage_signed_by(lease, 5_000, OPERATOR, STRANGER),
                LeaseError::TenantKeyNotGranted {
                    key: tenant,
                    reason,
                },
            ),
            (
                SignedUsage {
                    tenant_signature: good.operator_signature,
                    ..good.clone()
                },
                LeaseError::BadUsageSignature { side: "tenant" },
            ),
        ] {
            assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
        }
        assert!(world.run(OWNER, SubmitUsage { usage: good }).is_ok());
    }

    #[test]
    fn an_altered_note_is_nobodys() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        let mut usage = world.usage(lease, 5_000);
        usage.usage.metered_ms = 9_000;
        let error = LeaseError::BadUsageSignature { side: "provider" };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
    }

    #[test]
    fn a_key_with_another_scope_does_not_sign_for_the_tenant() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        world.grant(TENANT, STRANGER, nupeer_ledger::Scope::SPEND);
        let usage = world.usage_signed_by(lease, 5_000, OPERATOR, STRANGER);
        let reason = LedgerError::OutOfScope {
            granted: nupeer_ledger::Scope::SPEND,
            needed: Some(nupeer_ledger::Scope::LEASE),
        };
        let key = key(STRANGER).public.hash();
        let error = LeaseError::TenantKeyNotGranted { key, reason };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
    }

    #[test]
    fn a_settled_or_unknown_lease_takes_no_note() {
        let mut world = World::new();
        let lease = world.active();
        world.pass(10_000);
        let usage = world.usage(lease, 5_000);
        world.run(OWNER, EndLease { lease, usage: None }).unwrap();
        let error = LeaseError::WrongLeaseState {
            provided: "closed",
            needed: "not settled yet",
        };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
        let unknown = LeaseId(Hash::ZERO);
        let usage = world.usage(unknown, 5_000);
        let error = LeaseError::UnknownLease { lease: unknown };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
    }

    #[test]
    fn a_lease_that_does_not_run_has_no_time_to_sign_for() {
        let mut world = World::new();
        let (_, lease) = world.matched();
        world.pass(10_000);
        let usage = world.usage(lease, 1);
        let error = LeaseError::UsageBeyondClock {
            provided_ms: 1,
            clock_ms: 0,
        };
        assert_eq!(world.refused(OWNER, SubmitUsage { usage }), error);
    }
}
