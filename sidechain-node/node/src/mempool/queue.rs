//! The pending transactions of one account.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use nupeer_ledger::{Changes, Overlay, StateRead};
use nupeer_primitives::{Hash, Hash28, Height, TimeMs};
use nupeer_runtime::{Transaction, Verified, check, error::TransactionError, preview};

/// What the next block will likely be: rules are asked as if it were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its height.
    pub height: Height,
    /// Its time, unix ms.
    pub time: TimeMs,
}

/// A signed transaction, and what it was verified to be.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The signed bytes.
    pub bytes: Bytes,
    /// What they say.
    pub verified: Arc<Verified>,
}

impl Candidate {
    /// The transaction's id.
    pub fn id(&self) -> Hash {
        self.verified.id()
    }

    /// Whether it is the chain's own business ([`nupeer_runtime::Action::is_system`]).
    pub(super) fn is_system(&self) -> bool {
        self.verified.transaction().action.is_system()
    }

    /// The key that signed, and its sequence number.
    pub(super) fn slot(&self) -> (Hash28, u64) {
        let transaction = self.verified.transaction();
        (transaction.sender.key, transaction.sequence)
    }
}

/// A pending transaction.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) candidate: Candidate,
    /// Number of its admission.
    pub(super) arrival: u64,
    /// When to tell others of it again; `None` if others told us.
    pub(super) repeat: Option<Repeat>,
}

/// A transaction that others are told of once more, and later again: each time after twice the time, so that a backlog is
/// not made worse by talking about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) at: TimeMs,
    after_ms: u64,
}

impl Repeat {
    pub(super) fn after(after_ms: u64, now: TimeMs) -> Self {
        Repeat {
            at: TimeMs(now.0.saturating_add(after_ms)),
            after_ms,
        }
    }

    pub(super) fn again(self, now: TimeMs) -> Self {
        Repeat::after(self.after_ms.saturating_mul(2), now)
    }
}

/// Transactions of one account in the order of their admission, each executed on top of those before it. Accounts do not
/// see one another's pending transactions, so that their order among accounts is free.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// What they change together, on top of the state at `executed_at`.
    changes: Changes,
    /// The height that `changes` belongs to; `None` when some entry before others was taken out.
    executed_at: Option<Height>,
}

impl Queue {
    /// Whether all entries were executed on the state below `next`.
    pub(super) fn is_current(&self, next: Next) -> bool {
        self.entries.is_empty() || self.executed_at == Some(next.height)
    }

    pub(super) fn outdate(&mut self) {
        self.executed_at = None;
    }

    /// Executes a transaction on top of all entries, which must be current.
    pub(super) fn check(
        &mut self,
        state: &dyn StateRead,
        next: Next,
        candidate: &Candidate,
    ) -> Result<(), TransactionError> {
        if self.entries.is_empty() {
            self.changes = Changes::default();
        }
        let mut fork = Overlay::with_changes(state, std::mem::take(&mut self.changes));
        let checked = check(&mut fork, &candidate.verified, next.height, next.time);
        self.changes = fork.into_changes();
        self.executed_at = Some(next.height);
        checked.map(drop)
    }

    /// What the block `next` would make of a transaction of `size_bytes` bytes after all entries, which must be current. Nothing changes.
    pub(super) fn preview(
        &self,
        state: &dyn StateRead,
        next: Next,
        transaction: &Transaction,
        size_bytes: usize,
    ) -> Result<(), TransactionError> {
        let pending = match self.entries.is_empty() {
            true => Changes::default(),
            false => self.changes.clone(),
        };
        let fork = Overlay::with_changes(state, pending);
        preview(fork, transaction, size_bytes, next.height, next.time).map(drop)
    }

    /// Executes all entries again on a new state; gives those that are refused now, with the reason.
    pub(super) fn replay(
        &mut self,
        state: &dyn StateRead,
        next: Next,
    ) -> Vec<(Candidate, TransactionError)> {
        let (mut fork, mut refused) = (Overlay::new(state), Vec::new());
        self.entries.retain(|Entry { candidate, .. }| {
            match check(&mut fork, &candidate.verified, next.height, next.time) {
                Ok(_) => true,
                Err(error) => {
                    refused.push((candidate.clone(), error));
                    false
                }
            }
        });
        self.changes = fork.into_changes();
        self.executed_at = Some(next.height);
        refused
    }
}
