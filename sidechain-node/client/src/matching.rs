//! Which offers suit a request, and why the others do not: by the chain's own rule, so that what is said here is what a match is told.

use std::collections::BTreeMap;

use nupeer_lease::{
    LeaseError, Machine, MachineId, OfferId, Request, SignedOffer, actions::check_pair,
};

use crate::{
    client::Client,
    error::ClientError,
    market::{MachineFilter, Page},
};

/// An offer, looked at for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The offer's name.
    pub id: OfferId,
    /// The offer.
    pub offer: SignedOffer,
    /// Its machine.
    pub machine: Machine,
    /// The price in lovelace per hour, or the first thing that does not suit.
    pub verdict: Result<u64, LeaseError>,
}

/// Every offer whose machine is known, those that suit first and the cheapest of them foremost.
pub fn candidates(
    request: &Request,
    offers: Vec<(OfferId, SignedOffer)>,
    machines: &BTreeMap<MachineId, Machine>,
) -> Vec<Candidate> {
    let look = |(id, offer): (OfferId, SignedOffer)| {
        let machine = machines.get(&offer.offer.machine)?.clone();
        let verdict = check_pair(request, &offer.offer, &machine);
        Some(Candidate {
            id,
            offer,
            machine,
            verdict,
        })
    };
    let mut all: Vec<Candidate> = offers.into_iter().filter_map(look).collect();
    // A machine's newer offer comes before its older one of the same price: it holds longer.
    all.sort_by_key(|candidate| {
        let price = candidate.verdict.as_ref().ok().copied();
        let newest_first = std::cmp::Reverse(candidate.offer.offer.nonce);
        (price.is_none(), price, newest_first, candidate.id)
    });
    all
}

impl Client {
    /// Every offer that the node knows, looked at for `request`; those that suit first, the cheapest foremost.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn candidates(&self, request: &Request) -> Result<Vec<Candidate>, ClientError> {
        let Page {
            entries: offers, ..
        } = self.offers(None)?;
        let machines = self.machines(MachineFilter::All)?.entries;
        let machines = machines.into_iter().collect();
        Ok(candidates(request, offers, &machines))
    }
}
