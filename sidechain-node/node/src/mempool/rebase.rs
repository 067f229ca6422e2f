//! After a block: what was executed goes, what is left is executed again on the new state.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use nupeer_ledger::StateRead;
use nupeer_primitives::{AccountId, Hash};

use super::{Candidate, Mempool, Next};

impl Mempool {
    /// A block was decided: `included` are its transactions, `state` is the state after it, `next` what follows. Executes at
    /// most [`super::Limits::rebase_max`] transactions again (and one queue that goes over it).
    pub fn commit(&mut self, state: &dyn StateRead, next: Next, included: &[Hash]) {
        self.waiting.expire(next.time);
        let mut first = self.take_included(included);
        first.extend(self.with_expired(next));
        first.append(&mut self.suspects);
        self.rebase(state, next, first);
    }

    /// Something of these transactions' accounts could not be executed by a proposer: they are looked at first after the
    /// next block. Until then they stay, since that block may not be decided.
    pub fn suspect<'a>(&mut self, ids: impl Iterator<Item = &'a Hash>) {
        self.suspects
            .extend(ids.filter_map(|id| self.accounts.get(id)));
    }

    /// Executes an account's queue again if that was not done since the last block.
    pub(super) fn bring_up_to_date(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        account: &AccountId,
    ) {
        if self
            .queues
            .get(account)
            .is_some_and(|queue| !queue.is_current(next))
        {
            self.replay(state, next, account);
        }
    }

    fn take_included(&mut self, included: &[Hash]) -> BTreeSet<AccountId> {
        let mut by_account: BTreeMap<AccountId, BTreeSet<Hash>> = BTreeMap::new();
        for id in included {
            if let Some(account) = self.accounts.get(id) {
                by_account.entry(*account).or_default().insert(*id);
            }
        }
        for (account, ids) in &by_account {
            self.take_out(account, |candidate| ids.contains(&candidate.id()));
        }
        by_account.into_keys().collect()
    }

    /// Takes entries out of an account's queue, whose others must be executed again.
    fn take_out(&mut self, account: &AccountId, goes: impl Fn(&Candidate) -> bool) {
        let Some(queue) = self.queues.get_mut(account) else {
            return;
        };
        let mut gone = Vec::new();
        queue.entries.retain(|entry| {
            let goes = goes(&entry.candidate);
            if goes {
                gone.push(entry.candidate.clone());
            }
            !goes
        });
        queue.outdate();
        gone.iter().for_each(|candidate| self.forget(candidate));
        self.drop_if_empty(account);
    }

    /// Accounts with something that no later block may execute. Executing them again drops it.
    fn with_expired(&self, next: Next) -> Vec<AccountId> {
        let expired = |c: &Candidate| c.verified.transaction().valid_until < next.time;
        let has = |queue: &super::Queue| queue.entries.iter().any(|e| expired(&e.candidate));
        self.queues
            .iter()
            .filter(|(_, queue)| has(queue))
            .map(|(account, _)| *account)
            .collect()
    }

    fn rebase(&mut self, state: &dyn StateRead, next: Next, first: BTreeSet<AccountId>) {
        let mut room = self.limits.rebase_max;
        for account in &first {
            room = room.saturating_sub(self.replay(state, next, account));
            if room == 0 {
                // Those that are left keep their place at the front.
                self.suspects = first
                    .iter()
                    .filter(|other| *other > account)
                    .copied()
                    .collect();
                return;
            }
        }
        for _ in 0..self.queues.len() {
            if room == 0 {
                return;
            }
            let Some(account) = self.following() else {
                return;
            };
            self.cursor = Some(account);
            if !first.contains(&account) {
                room = room.saturating_sub(self.replay(state, next, &account));
            }
        }
    }

    /// The account after the cursor, in a circle.
    fn following(&self) -> Option<AccountId> {
        let after = self
            .cursor
            .and_then(|at| self.queues.range((Excluded(at), Unbounded)).next());
        after
            .or_else(|| self.queues.iter().next())
            .map(|(account, _)| *account)
    }

    /// Executes an account's queue again; says how many transactions that were.
    fn replay(&mut self, state: &dyn StateRead, next: Next, account: &AccountId) -> usize {
        let Some(queue) = self.queues.get_mut(account) else {
            return 0;
        };
        let count = queue.entries.len();
        for (candidate, error) in queue.replay(state, next) {
            self.forget(&candidate);
            self.remember(candidate.id(), &error);
        }
        self.drop_if_empty(account);
        count
    }
}
