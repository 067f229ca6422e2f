//! Making a lease of a request and an offer. Anyone may: the chain checks everything again, in constant time.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, LedgerError, StateRead, StateWrite};
use nupeer_primitives::{Amount, Hash, TimeMs};

use crate::{
    error::LeaseError,
    event::Event,
    id::LeaseId,
    lease::{Lease, LeaseState, later},
    machine::{Machine, MachineState},
    offer::{Offer, OfferUse, SignedOffer},
    params::Params,
    request::{Request, RequestState},
    resources::Excess,
    score, store,
};

/// Makes a lease of an open request and a signed offer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Match {
    /// Which request.
    #[n(0)]
    pub request: LeaseId,
    /// Which offer.
    #[n(1)]
    pub offer: SignedOffer,
}

impl Match {
    pub(crate) fn text(&self) -> String {
        format!(
            "match request {} with an offer of machine {}",
            self.request,
            self.offer.offer.machine.short()
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let request = open_request(state, &self.request, context.time)?;
        let machine = self.offer.verify(state, context.time)?;
        let offer = &self.offer.offer;
        let price = check_pair(&request, offer, &machine)?;
        self.count_use(state)?;
        let lease = self.lease(state, &request, &machine, price, context.time);
        store::put_lease(state, &self.request, Some(&lease));
        take_capacity(state, offer, machine, &request)?;
        let matched = Request {
            state: RequestState::Matched,
            ..request
        };
        store::put_request(state, &self.request, Some(&matched));
        Ok(vec![Event::Matched {
            lease: self.request,
            machine: offer.machine,
            offer: lease.offer,
        }])
    }

    fn count_use(&self, state: &mut dyn StateWrite) -> Result<(), LeaseError> {
        let id = self.offer.offer.id(&crate::genesis::chain(state));
        let used = store::offer_use(state, &id).map_or(0, |used| used.leases);
        let leases = used.checked_add(1).ok_or(LedgerError::AmountOverflow)?;
        let expires = self.offer.offer.expires;
        store::put_offer_use(state, &id, Some(&OfferUse { leases, expires }));
        Ok(())
    }

    fn lease(
        &self,
        state: &dyn StateRead,
        request: &Request,
        machine: &Machine,
        price_lovelace_per_hour: u64,
        time: TimeMs,
    ) -> Lease {
        let params = Params::load(state);
        let wanted = &request.wanted;
        Lease {
            tenant: request.tenant,
            provider: machine.owner,
            machine: self.offer.offer.machine,
            offer: self.offer.offer.id(&crate::genesis::chain(state)),
            kind: wanted.kind,
            resources: wanted.resources,
            image: wanted.image,
            manifest: wanted.manifest,
            price_lovelace_per_hour,
            protocol_fee_per_10k: params.protocol_fee_per_10k,
            duration_ms: wanted.duration_ms,
            matched_at: time,
            deposited_lovelace: request.escrow_lovelace,
            charged_lovelace: Amount::ZERO,
            refunded_lovelace: Amount::ZERO,
            metered_ms: 0,
            evidence: Hash::ZERO,
            ran_ms: 0,
            state: LeaseState::Reserved {
                until: later(time, params.upload_timeout_ms),
            },
        }
    }
}

fn open_request(state: &dyn StateRead, id: &LeaseId, time: TimeMs) -> Result<Request, LeaseError> {
    let request = store::request(state, id).ok_or(LeaseError::UnknownRequest { request: *id })?;
    if request.state != RequestState::Open {
        return Err(LeaseError::RequestNotOpen {
            provided: request.state.name(),
        });
    }
    if request.wanted.expires <= time {
        return Err(LeaseError::RequestExpired {
            expired: request.wanted.expires,
            now: time,
        });
    }
    Ok(request)
}

/// Checks that a request and an offer that hold suit one another; returns the price in lovelace per hour. Matchers and pages use it to
/// say why there is no match.
///
/// # Errors
/// The first thing that does not suit.
pub fn check_pair(request: &Request, offer: &Offer, machine: &Machine) -> Result<u64, LeaseError> {
    let wanted = &request.wanted;
    check_parties(request, offer, machine)?;
    score::check_floors(&machine.terms.scores, &wanted.score_floors)?;
    if wanted.duration_ms > offer.duration_ms_max {
        return Err(LeaseError::OverDuration {
            needed_ms: wanted.duration_ms,
            offered_ms: offer.duration_ms_max,
        });
    }
    if let Some(excess) = wanted.resources.excess_over(&offer.capacity) {
        return Err(LeaseError::OverOffer {
            resource: excess.resource,
            needed: excess.needed,
            offered: excess.available,
        });
    }
    if let Some(excess) = wanted.resources.excess_over(&machine.free()) {
        return Err(over_capacity(excess));
    }
    check_price(request, offer)
}

fn check_parties(request: &Request, offer: &Offer, machine: &Machine) -> Result<(), LeaseError> {
    if machine.state != MachineState::Live {
        return Err(LeaseError::WrongMachineState {
            provided: machine.state.name(),
            needed: "live",
        });
    }
    if offer.kind != request.wanted.kind {
        return Err(LeaseError::WrongKind {
            offered: offer.kind,
            requested: request.wanted.kind,
        });
    }
    if let Some(tenant) = offer.tenant.filter(|tenant| *tenant != request.tenant) {
        return Err(LeaseError::OfferForAnother {
            offered: tenant.hash(),
            tenant: request.tenant.hash(),
        });
    }
    match request.wanted.machine {
        Some(requested) if requested != offer.machine => Err(LeaseError::RequestForAnother {
            offered: offer.machine,
            requested,
        }),
        _ => Ok(()),
    }
}

fn check_price(request: &Request, offer: &Offer) -> Result<u64, LeaseError> {
    let maximum = request.wanted.price_max_lovelace_per_hour;
    let price = offer.price.for_resources(&request.wanted.resources);
    price
        .filter(|price| *price <= maximum)
        .ok_or(LeaseError::PriceTooHigh {
            offered: price.unwrap_or(u64::MAX),
            maximum,
        })
}

fn over_capacity(excess: Excess) -> LeaseError {
    LeaseError::OverCapacity {
        resource: excess.resource,
        needed: excess.needed,
        free: excess.available,
    }
}

fn take_capacity(
    state: &mut dyn StateWrite,
    offer: &Offer,
    mut machine: Machine,
    request: &Request,
) -> Result<(), LeaseError> {
    let overflow = LedgerError::AmountOverflow;
    let used = machine.used.checked_add(&request.wanted.resources);
    machine.used = used.ok_or(overflow.clone())?;
    machine.leases_open = machine.leases_open.checked_add(1).ok_or(overflow)?;
    store::put_machine(state, &offer.machine, Some(&machine));
    Ok(())
}

#[cfg(test)]
mod tests;
