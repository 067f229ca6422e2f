//! Transactions on their way, so that a step which the chain has not answered yet is not taken twice.
//!
//! Nothing hangs on it: after a restart a step may be taken again, and the chain's rules refuse the second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nupeer_client::VALID_FOR;
use nupeer_lease::{Action, LeaseId};
use nupeer_primitives::Hash;

use crate::chain::{Certified, Chain, ChainError, Fate};
use crate::reconcile::Step;
use crate::records::hold;

/// How soon something that was refused, or that nobody knows, is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Blocks after which another node is asked about a transaction that is still on its way: it may have reached no other, or not be told of truly.
const LONG_BLOCKS: u64 = 20;

/// Transactions that were sent for a lease and a step.
pub struct Outbox {
    chain: Arc<dyn Chain>,
    sent: Mutex<BTreeMap<(LeaseId, u8), Sent>>,
    /// Held while one is submitted.
    submitting: Mutex<()>,
}

#[derive(Clone, Copy)]
struct Sent {
    id: Option<Hash>,
    at: Instant,
    /// Up to where the chain was known then.
    known: Certified,
}

impl Outbox {
    /// An empty one.
    pub fn new(chain: Arc<dyn Chain>) -> Self {
        Outbox {
            chain,
            sent: Mutex::new(BTreeMap::new()),
            submitting: Mutex::new(()),
        }
    }

    /// Submits `action` for `step` of a lease, unless that was done and the chain, as far as the caller has it `known`, is not past it. What is on
    /// its way is a node's word, which is not believed beyond the time in which the transaction can be in a block. One caller for each lease.
    ///
    /// # Errors
    /// The chain refused it or did not answer.
    pub fn send(
        &self,
        lease: &LeaseId,
        step: Step,
        known: Certified,
        action: Action,
    ) -> Result<(), ChainError> {
        let key = (*lease, step as u8);
        // No lease waits for what a node says of another's transaction.
        let before = hold(&self.sent).get(&key).copied();
        if let Some(before) = before
            && self.is_on_its_way(&before, known)?
        {
            return Ok(());
        }
        // One at a time: the sequence numbers of a key follow one another.
        let _turn = hold(&self.submitting);
        fail::fail_point!("outbox-before-submit");
        let submitted = self.chain.submit(action);
        fail::fail_point!("outbox-submitted");
        let id = submitted.as_ref().ok().copied();
        let at = Instant::now();
        hold(&self.sent).insert(key, Sent { id, at, known });
        submitted.map(drop)
    }

    fn is_on_its_way(&self, before: &Sent, known: Certified) -> Result<bool, ChainError> {
        let lately = before.at.elapsed() < AGAIN_AFTER;
        let Some(id) = before.id else {
            return Ok(lately);
        };
        let waited_ms = before.known.time.until(known.time);
        if u128::from(waited_ms) > VALID_FOR.as_millis() {
            return Ok(false);
        }
        if known.height.0 >= before.known.height.0.saturating_add(LONG_BLOCKS) {
            self.chain.doubt();
        }
        Ok(match self.chain.transaction(&id)? {
            Fate::Pending => true,
            // The caller acts on a state that does not show it yet.
            Fate::Final(at) => at > known.height,
            Fate::Refused(reason) => {
                tracing::warn!(%id, reason, "a transaction was refused");
                lately
            }
            Fate::Unknown => lately,
        })
    }

    /// Forgets a lease.
    pub fn forget(&self, lease: &LeaseId) {
        hold(&self.sent).retain(|(known, _), _| known != lease);
    }
}
