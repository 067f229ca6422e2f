//! Transactions from peers that came before their predecessor: messages may overtake one another on their ways.

use std::collections::BTreeMap;

use nupeer_primitives::{AccountId, Hash28, TimeMs};

use super::{Candidate, Limits};

type Slot = (AccountId, Hash28, u64);

/// How far ahead of the next number one may be.
const AHEAD_MAX: u64 = 64;

/// Held by account, key and sequence number, for a short while.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    held: BTreeMap<Slot, (Candidate, TimeMs)>,
}

impl Waiting {
    /// Holds a transaction whose number is `provided` where `expected` is next; says whether it did.
    pub(super) fn hold(
        &mut self,
        candidate: Candidate,
        (provided, expected): (u64, u64),
        now: TimeMs,
        limits: &Limits,
    ) -> bool {
        let ahead = provided > expected && provided - expected <= AHEAD_MAX;
        if !ahead || self.held.len() >= limits.waiting_max {
            return false;
        }
        let until = TimeMs(now.0.saturating_add(limits.waiting_ms));
        let (key, sequence) = candidate.slot();
        let account = candidate.verified.transaction().sender.account;
        self.held
            .insert((account, key, sequence), (candidate, until));
        true
    }

    /// The one that waited for `candidate`, if there is one.
    pub(super) fn take_after(&mut self, candidate: &Candidate) -> Option<Candidate> {
        let (key, sequence) = candidate.slot();
        let account = candidate.verified.transaction().sender.account;
        let (next, _) = self
            .held
            .remove(&(account, key, sequence.checked_add(1)?))?;
        Some(next)
    }

    /// Forgets those that waited long enough.
    pub(super) fn expire(&mut self, now: TimeMs) {
        self.held.retain(|_, (_, until)| *until > now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}
