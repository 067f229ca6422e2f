//! The door for transactions and offers: the API and gossip bring them, the mempool and the book of offers take them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nupeer_ledger::LedgerError;
use nupeer_primitives::{Code, Hash, Numbered};
use nupeer_runtime::{SignedTransaction, error::TransactionError};

use crate::{
    clock::Clock,
    mempool::{Admitted, Candidate, Mempool, MempoolError, Origin},
    offers::Offers,
    store::{Store, StoreError, View},
    verified::VerifiedCache,
};

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The mempool or a rule refuses it.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error("the node is stopping; submit to another one")]
    Stopping,
}

impl Numbered for SubmitError {
    fn code(&self) -> Code {
        match self {
            SubmitError::Mempool(error) => error.code(),
            SubmitError::Store(error) => error.code(),
            SubmitError::Stopping => Code(6023),
        }
    }
}

/// What became of a transaction that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its id.
    pub id: Hash,
    /// What is newly pending and should be told to others: it, and those that had waited for it.
    pub fresh: Vec<Bytes>,
}

/// Admission to the mempool of one node. Calls block: they verify and execute.
pub struct Intake {
    store: Arc<Store>,
    verified: Arc<VerifiedCache>,
    mempool: Mutex<Mempool>,
    offers: Offers,
    clock: Clock,
}

impl Intake {
    /// The door to an empty mempool.
    pub fn new(
        store: Arc<Store>,
        verified: Arc<VerifiedCache>,
        mempool: Mempool,
        clock: Clock,
    ) -> Self {
        Intake {
            offers: Offers::new(store.clone(), clock.clone()),
            store,
            verified,
            mempool: Mutex::new(mempool),
            clock,
        }
    }

    /// Verifies a signed transaction and takes it into the mempool. One that is pending or final already is no error:
    /// submitting again does no harm.
    pub fn submit(&self, bytes: Bytes, origin: Origin) -> Result<Taken, SubmitError> {
        // Outside the lock: this is the dear part, and it needs no state.
        let verified = self.verified.verify(&bytes).map_err(MempoolError::from)?;
        let mut mempool = self.mempool();
        let view = self.store.view()?;
        self.admit(&mut mempool, &view, Candidate { bytes, verified }, origin)
    }

    /// Says whether [`Intake::submit`] would take this transaction, were it signed: the signature is not looked at. Nothing is taken; the id.
    pub fn preview(&self, bytes: &[u8]) -> Result<Hash, SubmitError> {
        let chain = self.verified.chain();
        let signed = SignedTransaction::from_bytes(bytes, chain).map_err(MempoolError::from)?;
        let transaction = signed.transaction;
        transaction.is_for(chain).map_err(MempoolError::from)?;
        let mut mempool = self.mempool();
        let view = self.store.view()?;
        let next = self.clock.next(view.tip());
        let previewed = mempool.preview(&view, next, &transaction, bytes.len());
        self.store.healthy()?;
        previewed?;
        Ok(transaction.id())
    }

    /// As [`Intake::submit`] for many, in their order, with one answer each.
    pub fn submit_all(&self, all: Vec<Bytes>, origin: Origin) -> Vec<Result<Taken, SubmitError>> {
        self.verified
            .verify_all(&all.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>());
        let verify = |bytes: Bytes| match self.verified.verify(&bytes) {
            Ok(verified) => Ok(Candidate { bytes, verified }),
            Err(error) => Err(SubmitError::from(MempoolError::from(error))),
        };
        let candidates: Vec<_> = all.into_iter().map(verify).collect();
        let mut mempool = self.mempool();
        let view = match self.store.view() {
            Ok(view) => view,
            Err(error) => return vec![Err(error.into())],
        };
        let mut admit = |candidate| self.admit(&mut mempool, &view, candidate, origin);
        candidates
            .into_iter()
            .map(|candidate| candidate.and_then(&mut admit))
            .collect()
    }

    fn admit(
        &self,
        mempool: &mut Mempool,
        view: &View<'_>,
        candidate: Candidate,
        origin: Origin,
    ) -> Result<Taken, SubmitError> {
        let (id, bytes) = (candidate.id(), candidate.bytes.clone());
        let admitted = mempool.admit(view, self.clock.next(view.tip()), candidate, origin);
        // What was decided on a failed read means nothing.
        self.store.healthy()?;
        match admitted {
            Ok(Admitted::New { followers }) => {
                let followers = followers.into_iter().map(|follower| follower.bytes);
                Ok(Taken {
                    id,
                    fresh: std::iter::once(bytes).chain(followers).collect(),
                })
            }
            Ok(Admitted::Known | Admitted::Held) => Ok(Taken {
                id,
                fresh: Vec::new(),
            }),
            Err(error) if is_used(&error) && self.store.location(&id)?.is_some() => Ok(Taken {
                id,
                fresh: Vec::new(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The book of offers.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The mempool. Whoever commits a block holds it meanwhile, so that nothing is admitted on a state that is gone.
    pub fn mempool(&self) -> MutexGuard<'_, Mempool> {
        // A panic in a rule must not stop the node; queues are brought up to date after each block anyway.
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that was used: perhaps by this very transaction.
fn is_used(error: &MempoolError) -> bool {
    matches!(
        error,
        MempoolError::Refused(TransactionError::Ledger(LedgerError::SequenceMismatch { provided, expected }))
            if provided < expected
    )
}
