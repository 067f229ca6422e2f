//! Transactions that wait for a block. Pure: no clock, no disk; the state and the time are passed in.
//!
//! Admission runs the block's own code ([`nupeer_runtime::check`]) on a fork of the state, on top of what the same account
//! has pending. After each block what is left is executed again: first of accounts that the block touched, then in turn
//! of all others, a bounded number each time; an account's queue is also brought up to date before it takes another
//! transaction. So what is offered to a proposer can be executed, or (where two accounts compete for one thing) is found
//! out by the proposer, who executes it anyway.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use nupeer_ledger::{LedgerError, StateRead};
use nupeer_primitives::{AccountId, Code, Hash, Hash28, Numbered, TimeMs};
use nupeer_runtime::{Transaction, error::TransactionError};

use crate::store::cache::Generations;

mod error;
mod limits;
mod offer;
mod queue;
mod rebase;
mod waiting;

#[cfg(test)]
mod system_tests;
#[cfg(test)]
mod tests;

pub use error::MempoolError;
pub use limits::Limits;
pub use queue::{Candidate, Next};

use queue::{Entry, Queue, Repeat};
use waiting::Waiting;

/// Where a transaction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Submitted here: this node sees to it that others learn of it.
    Local,
    /// Told by a peer. It may have overtaken its predecessor.
    Peer,
}

/// What became of an admitted transaction.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// It is pending now, and with it those that had waited for it.
    New {
        /// They, in their order.
        followers: Vec<Candidate>,
    },
    /// It was pending already.
    Known,
    /// It waits for its predecessor.
    Held,
}

/// Why a transaction that was pending is so no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's number.
    pub code: Code,
    /// What the rule says.
    pub reason: String,
}

/// The mempool of one node.
pub struct Mempool {
    limits: Limits,
    queues: BTreeMap<AccountId, Queue>,
    /// Whose numbers are taken.
    slots: BTreeMap<(AccountId, Hash28, u64), Hash>,
    accounts: HashMap<Hash, AccountId>,
    bytes: usize,
    arrivals: u64,
    /// Accounts to execute again first: a proposer could not execute something of theirs.
    suspects: BTreeSet<AccountId>,
    /// The account at which executing again goes on.
    cursor: Option<AccountId>,
    waiting: Waiting,
    refused: Generations<Hash, Refusal>,
}

impl Mempool {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Mempool {
            limits,
            queues: BTreeMap::new(),
            slots: BTreeMap::new(),
            accounts: HashMap::new(),
            bytes: 0,
            arrivals: 0,
            suspects: BTreeSet::new(),
            cursor: None,
            waiting: Waiting::default(),
            refused: Generations::new(limits.refused_max.saturating_mul(2)),
        }
    }

    /// How many transactions are pending, and the sum of their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.accounts.len(), self.bytes)
    }

    /// Whether a transaction is pending.
    pub fn is_pending(&self, id: &Hash) -> bool {
        self.accounts.contains_key(id)
    }

    /// The number after those of `key` that are pending, or `committed` if none is.
    pub fn next_sequence(&self, account: &AccountId, key: &Hash28, committed: u64) -> u64 {
        let all = (*account, *key, committed)..=(*account, *key, u64::MAX);
        let last = self.slots.range(all).next_back();
        last.map_or(committed, |((_, _, number), _)| number.saturating_add(1))
    }

    /// Why a transaction that was pending was dropped, as long as it is remembered.
    pub fn refusal(&mut self, id: &Hash) -> Option<Refusal> {
        self.refused.get(id)
    }

    /// Takes a verified transaction, if the next block could execute it after what its account has pending.
    pub fn admit(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        candidate: Candidate,
        origin: Origin,
    ) -> Result<Admitted, MempoolError> {
        if self.is_pending(&candidate.id()) {
            return Ok(Admitted::Known);
        }
        match self.admit_one(state, next, &candidate, origin) {
            Ok(()) => Ok(Admitted::New {
                followers: self.admit_followers(state, next, candidate),
            }),
            Err(error) => match ahead(&error) {
                Some(numbers)
                    if origin == Origin::Peer
                        && self
                            .waiting
                            .hold(candidate, numbers, next.time, &self.limits) =>
                {
                    Ok(Admitted::Held)
                }
                _ => Err(error),
            },
        }
    }

    /// Says whether the next block would execute `transaction` after what its account has pending, were it signed in `size_bytes` bytes. Nothing is taken,
    /// and whether there is room for it is not asked.
    pub fn preview(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        transaction: &Transaction,
        size_bytes: usize,
    ) -> Result<(), MempoolError> {
        let account = transaction.sender.account;
        self.bring_up_to_date(state, next, &account);
        let none = Queue::default();
        let queue = self.queues.get(&account).unwrap_or(&none);
        Ok(queue.preview(state, next, transaction, size_bytes)?)
    }

    fn admit_one(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        candidate: &Candidate,
        origin: Origin,
    ) -> Result<(), MempoolError> {
        self.has_room(candidate)?;
        let account = candidate.verified.transaction().sender.account;
        self.bring_up_to_date(state, next, &account);
        self.is_free(candidate)?;
        let queue = self.queues.entry(account).or_default();
        let maximum = self.limits.per_account_max;
        let checked = if queue.entries.len() < maximum {
            queue
                .check(state, next, candidate)
                .map_err(MempoolError::from)
        } else {
            Err(MempoolError::AccountFull { maximum })
        };
        match checked {
            Ok(()) => self.push(account, candidate, origin, next.time),
            Err(error) => {
                self.drop_if_empty(&account);
                return Err(error);
            }
        }
        Ok(())
    }

    fn admit_followers(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        first: Candidate,
    ) -> Vec<Candidate> {
        let (mut followers, mut last) = (Vec::new(), first);
        while let Some(follower) = self.waiting.take_after(&last) {
            if self
                .admit_one(state, next, &follower, Origin::Peer)
                .is_err()
            {
                break;
            }
            followers.push(follower.clone());
            last = follower;
        }
        followers
    }

    /// System transactions cost their sender nothing, and yet nobody fills their part: rules take them of committee keys alone, and of each as many as it
    /// has to sign.
    fn has_room(&self, candidate: &Candidate) -> Result<(), MempoolError> {
        let Limits {
            mut count_max,
            mut bytes_max,
            ..
        } = self.limits;
        if candidate.is_system() {
            count_max = count_max.saturating_add(self.limits.system_count_max);
            bytes_max = bytes_max.saturating_add(self.limits.system_bytes_max);
        }
        let (count, bytes) = self.size();
        if count < count_max && bytes.saturating_add(candidate.bytes.len()) <= bytes_max {
            return Ok(());
        }
        Err(MempoolError::Full {
            count,
            bytes,
            count_max,
            bytes_max,
        })
    }

    fn is_free(&self, candidate: &Candidate) -> Result<(), MempoolError> {
        let (key, sequence) = candidate.slot();
        let account = candidate.verified.transaction().sender.account;
        match self.slots.get(&(account, key, sequence)) {
            None => Ok(()),
            Some(pending) => Err(MempoolError::SequenceTaken {
                sequence,
                pending: *pending,
            }),
        }
    }

    fn push(&mut self, account: AccountId, candidate: &Candidate, origin: Origin, now: TimeMs) {
        let (key, sequence) = candidate.slot();
        self.slots.insert((account, key, sequence), candidate.id());
        self.accounts.insert(candidate.id(), account);
        self.bytes = self.bytes.saturating_add(candidate.bytes.len());
        let repeat = (origin == Origin::Local).then(|| Repeat::after(self.limits.repeat_ms, now));
        let entry = Entry {
            candidate: candidate.clone(),
            arrival: self.arrivals,
            repeat,
        };
        self.arrivals = self.arrivals.saturating_add(1);
        self.queues
            .entry(account)
            .or_default()
            .entries
            .push_back(entry);
        self.refused.remove(&candidate.id());
    }

    /// Takes the account's and the key's place from a transaction that has left its queue.
    fn forget(&mut self, candidate: &Candidate) {
        let (key, sequence) = candidate.slot();
        if let Some(account) = self.accounts.remove(&candidate.id()) {
            self.slots.remove(&(account, key, sequence));
            self.bytes = self.bytes.saturating_sub(candidate.bytes.len());
        }
    }

    fn remember(&mut self, id: Hash, error: &TransactionError) {
        let refusal = Refusal {
            code: error.code(),
            reason: error.to_string(),
        };
        self.refused.insert(id, refusal, 1);
    }

    fn drop_if_empty(&mut self, account: &AccountId) {
        if self
            .queues
            .get(account)
            .is_some_and(|queue| queue.entries.is_empty())
        {
            self.queues.remove(account);
        }
    }

    /// Local transactions that peers should be told of once more, at most `limit` of them. Gossip delivers at most once, and
    /// whoever was away has missed them.
    pub fn to_repeat(&mut self, now: TimeMs, limit: usize) -> Vec<Bytes> {
        let entries = self
            .queues
            .values_mut()
            .flat_map(|queue| queue.entries.iter_mut());
        let due = entries.filter_map(|entry| {
            let repeat = entry.repeat.as_mut().filter(|repeat| repeat.at <= now)?;
            *repeat = repeat.again(now);
            Some(entry.candidate.bytes.clone())
        });
        due.take(limit).collect()
    }
}

/// The numbers of a transaction that comes too early.
fn ahead(error: &MempoolError) -> Option<(u64, u64)> {
    match error {
        MempoolError::Refused(TransactionError::Ledger(LedgerError::SequenceMismatch {
            provided,
            expected,
        })) => Some((*provided, *expected)),
        _ => None,
    }
}
