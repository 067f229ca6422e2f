//! The provider's word on how far a lease is.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::provided_lease,
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{Lease, LeaseState, PauseReason, later},
    params::Params,
    store,
};

/// How far a lease is, as a provider may say it. The numbers are part of the wire format and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Progress {
    /// It is being prepared, the provider having all that it needs: from reserved. Its time to get it to run begins here.
    #[n(0)]
    Provisioning,
    /// It runs: from provisioning, or from a pause because of unsigned usage. Its clock runs from here.
    #[n(1)]
    Active,
    /// It was stopped because usage stayed unsigned: from active. Its clock stands.
    #[n(2)]
    Paused,
}

/// Says how far a lease on a machine of the sender's is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReportLease {
    /// Which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// How far it is.
    #[n(1)]
    pub progress: Progress,
}

impl ReportLease {
    pub(crate) fn text(&self) -> String {
        let progress = match self.progress {
            Progress::Provisioning => "is being provisioned",
            Progress::Active => "runs",
            Progress::Paused => "is paused as unsigned",
        };
        format!("lease {} {progress}", self.lease)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let mut lease = provided_lease(state, &self.lease, &context.sender)?;
        let (next, event) = self.next(&lease, &Params::load(state), context)?;
        lease.stop(context.time, next);
        store::put_lease(state, &self.lease, Some(&lease));
        Ok(vec![event])
    }

    fn next(
        &self,
        lease: &Lease,
        params: &Params,
        context: &Context,
    ) -> Result<(LeaseState, Event), LeaseError> {
        let (id, since) = (self.lease, context.time);
        let reason = PauseReason::Unsigned;
        match (self.progress, lease.state) {
            (Progress::Provisioning, LeaseState::Reserved { .. }) => {
                let until = later(context.time, params.provision_timeout_ms);
                Ok((
                    LeaseState::Provisioning { until },
                    Event::LeaseProvisioning { lease: id },
                ))
            }
            (Progress::Active, LeaseState::Provisioning { .. })
            | (
                Progress::Active,
                LeaseState::Paused {
                    reason: PauseReason::Unsigned,
                    ..
                },
            ) => Ok((
                LeaseState::Active { since },
                Event::LeaseActive { lease: id },
            )),
            (Progress::Paused, LeaseState::Active { .. }) => {
                let until = later(context.time, params.pause_grace_ms);
                Ok((
                    LeaseState::Paused { reason, until },
                    Event::LeasePaused { lease: id, reason },
                ))
            }
            _ => Err(LeaseError::WrongLeaseState {
                provided: lease.state.name(),
                needed: self.needed(),
            }),
        }
    }

    fn needed(&self) -> &'static str {
        match self.progress {
            Progress::Provisioning => "reserved",
            Progress::Active => "provisioning or paused unsigned",
            Progress::Paused => "active",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::testing::{ESCROW, OWNER, START, TENANT, World},
        lease::CloseReason,
    };
    use nupeer_primitives::TimeMs;

    fn report(lease: LeaseId, progress: Progress) -> ReportLease {
        ReportLease { lease, progress }
    }

    #[test]
    fn a_lease_is_provisioned_runs_pauses_and_runs_on() {
        let mut world = World::new();
        let (_, lease) = world.matched();
        let mut seen = Vec::new();
        for progress in [
            Progress::Provisioning,
            Progress::Active,
            Progress::Paused,
            Progress::Active,
        ] {
            world.pass(100);
            world.run(OWNER, report(lease, progress)).unwrap();
            seen.push(world.lease(&lease).state.name());
        }
        let names = ["provisioning", "active", "paused unsigned", "active"];
        assert_eq!(seen, names);
        // 100 ms between the first report that it ran and the pause.
        assert_eq!(world.lease(&lease).ran_ms, 100);
    }

    #[test]
    fn every_other_step_is_refused() {
        let needed = |progress| match progress {
            Progress::Provisioning => "reserved",
            Progress::Active => "provisioning or paused unsigned",
            Progress::Paused => "active",
        };
        for (steps, refused) in [
            (&[][..], &[Progress::Active, Progress::Paused][..]),
            (
                &[Progress::Provisioning],
                &[Progress::Provisioning, Progress::Paused],
            ),
            (
                &[Progress::Provisioning, Progress::Active],
                &[Progress::Provisioning, Progress::Active],
            ),
            (
                &[Progress::Provisioning, Progress::Active, Progress::Paused],
                &[Progress::Provisioning, Progress::Paused],
            ),
        ] {
            let mut world = World::new();
            let (_, lease) = world.matched();
            for step in steps {
                world.run(OWNER, report(lease, *step)).unwrap();
            }
            for progress in refused {
                let error = LeaseError::WrongLeaseState {
                    provided: world.lease(&lease).state.name(),
                    needed: needed(*progress),
                };
                assert_eq!(world.refused(OWNER, report(lease, *progress)), error);
            }
        }
    }

    #[test]
    fn only_the_provider_says_so() {
        let mut world = World::new();
        let (_, lease) = world.matched();
        let (provided, expected) = (world.account(TENANT).hash(), world.account(OWNER).hash());
        let refused = world.refused(TENANT, report(lease, Progress::Provisioning));
        assert_eq!(refused, LeaseError::NotOwner { provided, expected });
    }

    /// Whoever was late: as long as the provider did not begin, nobody can tell.
    #[test]
    fn what_does_not_run_in_time_is_refunded_whole_and_blamed_on_who_had_begun() {
        use crate::lease::Fault;
        for (began_after_ms, ends_after_ms, reason, fault) in [
            (
                None,
                600_000,
                CloseReason::ReservationTimeout,
                Fault::Nobody,
            ),
            (
                Some(599_999),
                599_999 + 120_000,
                CloseReason::ProvisioningTimeout,
                Fault::Provider,
            ),
        ] {
            let mut world = World::new();
            let before = world.balance(TENANT);
            let (machine, lease) = world.matched();
            if let Some(ms) = began_after_ms {
                world.pass(ms);
                world
                    .run(OWNER, report(lease, Progress::Provisioning))
                    .unwrap();
            }
            world.pass(ends_after_ms - 1 - began_after_ms.unwrap_or_default());
            assert_eq!(world.escrow(&lease), ESCROW);
            world.pass(1);
            let forget = TimeMs(START + ends_after_ms + world.params().retention_ms);
            assert_eq!(
                world.lease(&lease).state,
                LeaseState::Closed { reason, forget }
            );
            assert_eq!(reason.fault(), fault);
            assert_eq!(world.balance(TENANT), before);
            assert_eq!(world.machine(&machine).leases_open, 0);
        }
    }

    #[test]
    fn a_lease_left_unsigned_ends_after_the_grace() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let lease = world.active();
        world.run(OWNER, report(lease, Progress::Paused)).unwrap();
        let events = world.pass(world.params().pause_grace_ms);
        let closed = Event::LeaseClosed {
            lease,
            reason: CloseReason::Unsigned,
            refunded_lovelace: nupeer_primitives::Amount::new(ESCROW),
        };
        assert_eq!(events, [closed]);
        assert_eq!(world.balance(TENANT), before);
    }
}
