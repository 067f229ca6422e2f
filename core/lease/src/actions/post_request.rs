//! Asking for a lease.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateRead, StateWrite};
use nupeer_primitives::Amount;

use crate::{
    error::LeaseError,
    event::Event,
    id::LeaseId,
    params::Params,
    pay,
    request::{Request, RequestState, Wanted},
    resources::Resources,
    score, settlement, store,
};

/// Posts a request of the sender's and holds its escrow.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PostRequest {
    /// What is wanted.
    #[n(0)]
    pub wanted: Wanted,
    /// What is held for it, in lovelace.
    #[n(1)]
    pub escrow_lovelace: Amount,
}

impl PostRequest {
    pub(crate) fn text(&self) -> String {
        let Wanted {
            resources,
            duration_ms,
            price_max_lovelace_per_hour,
            ..
        } = &self.wanted;
        format!(
            "lease {} mCPU {} MiB for {} s at <= {} ADA/h, escrow {} ADA",
            resources.cpu_milli,
            resources.memory_bytes >> 20,
            duration_ms / 1_000,
            Amount::from(*price_max_lovelace_per_hour).display(6),
            self.escrow_lovelace.display(6)
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let params = Params::load(state);
        self.check(state, &params, context)?;
        let id = LeaseId::requested_by(&context.transaction);
        let tenant = context.sender;
        pay::deposit(state, tenant, &id, self.escrow_lovelace)?;
        let request = Request {
            tenant,
            wanted: self.wanted.clone(),
            escrow_lovelace: self.escrow_lovelace,
            state: RequestState::Open,
        };
        store::put_request(state, &id, Some(&request));
        Ok(vec![Event::Requested {
            request: id,
            tenant,
        }])
    }

    fn check(
        &self,
        state: &dyn StateRead,
        params: &Params,
        context: &Context,
    ) -> Result<(), LeaseError> {
        let wanted = &self.wanted;
        let kind = params.kind(wanted.kind)?;
        check_resources(&wanted.resources, &kind.minimum, &kind.maximum)?;
        if !(1..=params.duration_ms_max).contains(&wanted.duration_ms) {
            return Err(LeaseError::InvalidDuration {
                provided_ms: wanted.duration_ms,
                maximum_ms: params.duration_ms_max,
            });
        }
        score::check_order(&wanted.score_floors)?;
        let life_ms = context.time.until(wanted.expires);
        if !(1..=params.request_life_ms_max).contains(&life_ms) {
            return Err(LeaseError::RequestLife {
                expires: wanted.expires,
                now: context.time,
                maximum_ms: params.request_life_ms_max,
            });
        }
        if let Some(machine) = wanted.machine {
            store::machine(state, &machine).ok_or(LeaseError::UnknownMachine { machine })?;
        }
        self.check_escrow(params)
    }

    fn check_escrow(&self, params: &Params) -> Result<(), LeaseError> {
        let cover_ms = params.escrow_cover_ms_min.min(self.wanted.duration_ms);
        let minimum = settlement::cost(self.wanted.price_max_lovelace_per_hour, cover_ms);
        if self.escrow_lovelace < minimum {
            return Err(LeaseError::EscrowTooSmall {
                provided: self.escrow_lovelace,
                minimum,
            });
        }
        Ok(())
    }
}

fn check_resources(
    wanted: &Resources,
    minimum: &Resources,
    maximum: &Resources,
) -> Result<(), LeaseError> {
    if let Some(excess) = minimum.excess_over(wanted) {
        return Err(LeaseError::ResourceTooSmall {
            resource: excess.resource,
            provided: excess.available,
            minimum: excess.needed,
        });
    }
    match wanted.excess_over(maximum) {
        None => Ok(()),
        Some(excess) => Err(LeaseError::ResourceTooLarge {
            resource: excess.resource,
            provided: excess.needed,
            maximum: excess.available,
        }),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Hash, TimeMs};

    use super::*;
    use crate::{
        actions::testing::{ESCROW, START, TENANT, World, request},
        id::MachineId,
        resources::Resource,
        score::{Metric, Score},
    };

    fn with(change: impl Fn(&mut Wanted)) -> PostRequest {
        let mut action = request();
        change(&mut action.wanted);
        action
    }

    #[test]
    fn an_open_request_holds_its_escrow() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let id = world.request();
        assert_eq!(world.request_of(&id).state, RequestState::Open);
        assert_eq!(world.balance(TENANT), before - ESCROW);
        assert_eq!(world.escrow(&id), ESCROW);
    }

    #[test]
    fn each_flaw_has_its_error() {
        let params = World::new().params();
        let unknown = MachineId(Hash::ZERO);
        let floor = Score {
            metric: Metric::CpuAll,
            value: 1,
        };
        let life = |expires| LeaseError::RequestLife {
            expires: TimeMs(expires),
            now: TimeMs(START),
            maximum_ms: params.request_life_ms_max,
        };
        let duration = |provided_ms| LeaseError::InvalidDuration {
            provided_ms,
            maximum_ms: params.duration_ms_max,
        };
        let too_late = START + params.request_life_ms_max + 1;
        for (action, error) in [
            (
                with(|w| w.resources.cpu_milli = 9),
                LeaseError::ResourceTooSmall {
                    resource: Resource::Cpu,
                    provided: 9,
                    minimum: 10,
                },
            ),
            (
                with(|w| w.resources.ports = 9),
                LeaseError::ResourceTooLarge {
                    resource: Resource::Ports,
                    provided: 9,
                    maximum: 8,
                },
            ),
            (with(|w| w.duration_ms = 0), duration(0)),
            (with(|w| w.duration_ms = u64::MAX), duration(u64::MAX)),
            (
                with(|w| w.score_floors = vec![floor, floor]),
                LeaseError::ScoresOutOfOrder,
            ),
            (with(|w| w.expires = TimeMs(START)), life(START)),
            (with(|w| w.expires = TimeMs(too_late)), life(too_late)),
            (
                with(|w| w.machine = Some(unknown)),
                LeaseError::UnknownMachine { machine: unknown },
            ),
            (
                PostRequest {
                    escrow_lovelace: Amount::new(59_999),
                    ..request()
                },
                LeaseError::EscrowTooSmall {
                    provided: Amount::new(59_999),
                    minimum: Amount::new(60_000),
                },
            ),
        ] {
            assert_eq!(World::new().refused(TENANT, action), error);
        }
    }

    #[test]
    fn a_request_that_nobody_matches_expires_and_is_refunded() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let id = world.request();
        let life_ms = START.abs_diff(request().wanted.expires.0);
        assert_eq!(world.pass(life_ms - 1), []);
        assert_eq!(world.pass(1), [Event::RequestExpired { request: id }]);
        assert_eq!(world.balance(TENANT), before);
        world.pass(world.params().retention_ms);
        assert!(store::request(&world.state, &id).is_none());
    }
}
