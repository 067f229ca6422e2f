//! What a proposer gets.

use std::collections::BTreeSet;

use nupeer_primitives::AccountId;
use nupeer_runtime::block::taken_bytes;

use super::{Candidate, Mempool};

/// Place in its account's queue, whether it is anything but a system transaction, and its number.
type Turn = (usize, bool, u64);

impl Mempool {
    /// Candidates for a block with room for `bytes_max`, in the order in which to execute them. Fair: everybody's first
    /// before anybody's second; among those, system transactions before others, and first come, first served. An account's order is kept, and with it that of
    /// each key's sequence numbers: when one does not fit, its account waits.
    pub fn offer(&self, bytes_max: usize) -> Vec<Candidate> {
        let mut order: Vec<(Turn, &AccountId, &Candidate)> = Vec::with_capacity(self.size().0);
        for (account, queue) in &self.queues {
            let entries = queue.entries.iter().enumerate();
            order.extend(entries.map(|(place, e)| {
                let turn = (place, !e.candidate.is_system(), e.arrival);
                (turn, account, &e.candidate)
            }));
        }
        order.sort_unstable_by_key(|(turn, ..)| *turn);
        let (mut room, mut closed, mut offer) = (bytes_max, BTreeSet::new(), Vec::new());
        for (_, account, candidate) in order {
            let taken = taken_bytes(&candidate.bytes);
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
