//! What is believed of what a node tells: heights as far as the validators signed, leases as state proofs show them. A node can hold something
//! back, but make nothing up.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use nupeer_lease::{Lease, LeaseId};
use nupeer_primitives::Height;

use crate::actual::Actual;
use crate::agent::tell;
use crate::chain::{Certified, ChainError, ProvenLease};
use crate::desired::Desired;
use crate::error::AgentError;
use crate::records::hold;
use crate::site::Site;

/// Blocks after which a lease is shown again though a listing says nothing new of it: who holds its end back must show it then, or no newer block.
const SHOWN_FOR: u64 = 20;

/// Takes a node's listing as a list of what to ask about. What it has otherwise than it was shown before, and what it lacks though something of it
/// is here, is shown by a state proof that is not older than anything seen before.
///
/// # Errors
/// It is older, or something in it cannot be shown: then nothing of it counts.
pub(crate) fn learn(
    site: &Site,
    told: Desired,
    actual: &Actual,
) -> Result<Arc<Desired>, AgentError> {
    let seen = not_behind(site, told.height)?;
    let certified = certified(site, &told, actual)?;
    let height = told.height.min(certified.height);
    not_behind(site, height)?;
    let mut desired = Desired {
        height,
        time: told.time.min(certified.time),
        ..Desired::default()
    };
    let due = longest_ago(site, height);
    for id in ids(site, &told, actual) {
        let listed = told.leases.get(&id).filter(|_| due != Some(id));
        if let Some(lease) = shown(site, &id, listed)? {
            desired.leases.insert(id, lease);
        }
    }
    note(site, seen, &desired);
    let desired = Arc::new(desired);
    let mut known = site.known.write().unwrap_or_else(PoisonError::into_inner);
    *known = Some(desired.clone());
    Ok(desired)
}

/// A block that the validators signed, to go by for a listing: one that was shown before where that is enough ([`crate::seen::Seen::suffices`]).
fn certified(site: &Site, told: &Desired, actual: &Actual) -> Result<Certified, ChainError> {
    let nothing = is_nothing(site, told, actual);
    if let Some(known) = hold(&site.seen).suffices(told.height, nothing) {
        return Ok(known);
    }
    let certified = site.chain.certified()?;
    not_behind(site, told.height.min(certified.height))?;
    hold(&site.seen).certify(certified);
    Ok(certified)
}

/// Whether a listing says nothing new, and nothing here waits for the chain's time.
fn is_nothing(site: &Site, told: &Desired, actual: &Actual) -> bool {
    let shown = hold(&site.shown);
    let is_known = |id: &LeaseId, lease: &Lease| {
        let before = shown.get(id).and_then(|proven| proven.lease.as_ref());
        before == Some(lease) && !lease.state.is_open()
    };
    actual.workloads.is_empty()
        && told.leases.len() == shown.len()
        && told.leases.iter().all(|(id, lease)| is_known(id, lease))
}

/// The height that was seen before, where `provided` is not below it.
pub(crate) fn not_behind(site: &Site, provided: Height) -> Result<Height, ChainError> {
    let seen = hold(&site.seen).height();
    if provided < seen {
        return Err(ChainError::Behind { provided, seen });
    }
    Ok(seen)
}

fn ids(site: &Site, told: &Desired, actual: &Actual) -> BTreeSet<LeaseId> {
    let mut ids: BTreeSet<LeaseId> = hold(&site.shown).keys().copied().collect();
    ids.extend(told.leases.keys().copied());
    ids.extend(actual.workloads.keys().copied());
    ids.extend(site.records.ids());
    ids
}

/// The lease that was shown the longest ago, where that is too long: one each round.
fn longest_ago(site: &Site, height: Height) -> Option<LeaseId> {
    let shown = hold(&site.shown);
    let (id, proven) = shown.iter().min_by_key(|(_, proven)| proven.at.height)?;
    let until = proven.at.height.0.saturating_add(SHOWN_FOR);
    (height.0 >= until).then_some(*id)
}

/// A lease on this machine as it was shown before, where `listed` says nothing else; else as it is shown now. What was shown is kept even where
/// the rest of an answer is refused: a node may only take so many questions at a time.
fn shown(site: &Site, id: &LeaseId, listed: Option<&Lease>) -> Result<Option<Lease>, AgentError> {
    let before = hold(&site.shown).get(id).cloned();
    if let Some(ProvenLease { lease, .. }) = before
        && lease.as_ref() == listed
    {
        return Ok(lease);
    }
    let mut proven = site.chain.lease(id)?;
    take(site, proven.at)?;
    proven.lease = proven.lease.filter(|lease| lease.machine == site.machine);
    let mut shown = hold(&site.shown);
    let lease = proven.lease.clone();
    match lease {
        Some(_) => shown.insert(*id, proven),
        None => shown.remove(id),
    };
    Ok(lease)
}

/// Takes the block of a proof for what the chain is at least as far as.
///
/// # Errors
/// It is older than one that was seen before.
pub(crate) fn take(site: &Site, shown: Certified) -> Result<(), AgentError> {
    not_behind(site, shown.height)?;
    hold(&site.seen).certify(shown);
    raise(site, shown.height, false);
    Ok(())
}

/// The chain is as far as `height`. That it cannot be written down is told, and holds nothing up: it matters after a restart alone.
fn raise(site: &Site, height: Height, at_once: bool) {
    let raised = hold(&site.seen).raise(height, at_once);
    let problem = raised.err().map(AgentError::from);
    tell(
        &site.unwritten,
        problem.as_ref(),
        "after a restart a node that lags behind may be believed",
    );
}

/// Notes how far the chain is, and asks another node from now on where this one seems to stand still.
fn note(site: &Site, before: Height, desired: &Desired) {
    // A lease that is new must not be forgotten by an older answer after a restart.
    let known = site.known();
    let is_news = known.is_none_or(|known| known.leases.keys().ne(desired.leases.keys()));
    raise(site, desired.height, is_news);
    let stands_still = hold(&site.seen).stands_still_since(before);
    if stands_still {
        site.chain.doubt();
    }
}
