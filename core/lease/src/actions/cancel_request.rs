//! Taking a request back.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::check_tenant,
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::later,
    params::Params,
    pay,
    request::{Request, RequestState},
    store,
};

/// Takes an open request of the sender's back, and its escrow.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CancelRequest {
    /// Which request.
    #[n(0)]
    pub request: LeaseId,
}

impl CancelRequest {
    pub(crate) fn text(&self) -> String {
        format!("cancel request {}", self.request)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let id = self.request;
        let request =
            store::request(state, &id).ok_or(LeaseError::UnknownRequest { request: id })?;
        check_tenant(&context.sender, &request.tenant)?;
        if request.state != RequestState::Open {
            return Err(LeaseError::RequestNotOpen {
                provided: request.state.name(),
            });
        }
        pay::withdraw(state, request.tenant, &id, request.escrow_lovelace)?;
        let forget = later(context.time, Params::load(state).retention_ms);
        let cancelled = Request {
            state: RequestState::Cancelled { forget },
            ..request
        };
        store::put_request(state, &id, Some(&cancelled));
        Ok(vec![Event::RequestCancelled { request: id }])
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash;

    use super::*;
    use crate::actions::testing::{OWNER, TENANT, World};

    #[test]
    fn a_cancelled_request_is_refunded() {
        let mut world = World::new();
        let before = world.balance(TENANT);
        let request = world.request();
        world.run(TENANT, CancelRequest { request }).unwrap();
        assert_eq!(world.balance(TENANT), before);
        assert_eq!(world.escrow(&request), 0);
    }

    #[test]
    fn what_is_not_ones_own_or_not_open_stays() {
        let mut world = World::new();
        let (_, request) = world.matched();
        let (provided, expected) = (world.account(OWNER).hash(), world.account(TENANT).hash());
        let unknown = LeaseId(Hash::ZERO);
        for (sender, request, error) in [
            (OWNER, request, LeaseError::NotTenant { provided, expected }),
            (
                TENANT,
                request,
                LeaseError::RequestNotOpen {
                    provided: "matched",
                },
            ),
            (
                TENANT,
                unknown,
                LeaseError::UnknownRequest { request: unknown },
            ),
        ] {
            assert_eq!(world.refused(sender, CancelRequest { request }), error);
        }
    }
}
