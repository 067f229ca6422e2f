//! What a proposer gets.

use std::collections::BTreeSet;

use nupeer_primitives::AccountId;

use super::{Candidate, Mempool};

/// What the head of a byte string takes in a block, at most.
const FRAME_BYTES: usize = 5;

impl Mempool {
    /// Candidates for a block with room for `bytes_max`, in the order in which to execute them. Fair: everybody's first
    /// before anybody's second; among those, first come, first served. An account's order is kept, and with it that of
    /// each key's sequence numbers: when one does not fit, its account waits.
    pub fn offer(&self, bytes_max: usize) -> Vec<Candidate> {
        let mut order: Vec<(usize, u64, &AccountId, &Candidate)> =
            Vec::with_capacity(self.size().0);
        for (account, queue) in &self.queues {
            let entries = queue.entries.iter().enumerate();
            order.extend(entries.map(|(place, e)| (place, e.arrival, account, &e.candidate)));
        }
        order.sort_unstable_by_key(|(place, arrival, ..)| (*place, *arrival));
        let (mut room, mut closed, mut offer) = (bytes_max, BTreeSet::new(), Vec::new());
        for (_, _, account, candidate) in order {
            let taken = candidate.bytes.len().saturating_add(FRAME_BYTES);
            if closed.contains(account) {
                continue;
            }
            if taken > room {
                closed.insert(account);
                continue;
            }
            room -= taken;
            offer.push(candidate.clone());
        }
        offer
    }
}
