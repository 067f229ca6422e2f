//! The book of signed offers: machines' words that this node has seen, verified, and shows to tenants. It lives in memory alone;
//! what was posted here is repeated to others, so that nodes which were away learn of it too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nupeer_lease::{LeaseError, MachineId, MachineState, OfferId, SignedOffer};
use nupeer_primitives::{Code, Numbered, TimeMs, cbor::CborError};

mod book;

use book::{Book, Entry};

use crate::{
    clock::Clock,
    mempool::Origin,
    store::{Store, StoreError, View},
};

/// Most offers of one machine; a newer one takes the place of the oldest.
pub const PER_MACHINE_MAX: usize = 8;
/// Most offers in all.
pub const OFFERS_MAX: usize = 8_192;

/// Why an offer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// Truncated, re-encoded or too long.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Altered, expired, taken back, used up, or no machine's word; boxed, so that results stay small.
    #[error(transparent)]
    Lease(Box<LeaseError>),
    /// The machine takes no more leases.
    #[error("machine {machine} is {state} and takes no more leases")]
    NotLive {
        /// Which.
        machine: MachineId,
        /// How far it is.
        state: &'static str,
    },
    /// Older than all that the machine may have here.
    #[error(
        "machine {machine} has {PER_MACHINE_MAX} offers here with nonces from {lowest}; {provided} is older"
    )]
    Older {
        /// Which machine.
        machine: MachineId,
        /// The lowest nonce that is kept.
        lowest: u64,
        /// This one's.
        provided: u64,
    },
    /// The book is full.
    #[error("{OFFERS_MAX} offers are kept here; this node takes no more")]
    Full,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error("the node is stopping; offer it to another one")]
    Stopping,
}

impl From<LeaseError> for OfferError {
    fn from(error: LeaseError) -> Self {
        OfferError::Lease(Box::new(error))
    }
}

impl OfferError {
    /// Whether no node at all could take it, whatever its state: whoever passed it on should have seen that.
    pub fn is_always_wrong(&self) -> bool {
        match self {
            OfferError::Encoding(_) => true,
            OfferError::Lease(error) => matches!(**error, LeaseError::BadOfferSignature { .. }),
            _ => false,
        }
    }
}

impl Numbered for OfferError {
    fn code(&self) -> Code {
        match self {
            OfferError::Encoding(error) => error.code(),
            OfferError::Lease(error) => error.code(),
            OfferError::NotLive { .. } => Code(6030),
            OfferError::Older { .. } => Code(6031),
            OfferError::Full => Code(6032),
            OfferError::Store(error) => error.code(),
            OfferError::Stopping => Code(6033),
        }
    }
}

/// An offer that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOffer {
    /// Its id.
    pub id: OfferId,
    /// Its bytes, where it is new here and others should be told.
    pub fresh: Option<Bytes>,
}

/// The door to a node's book of offers. Calls block: they verify and read the state.
pub struct Offers {
    store: Arc<Store>,
    clock: Clock,
    book: Mutex<Book>,
}

impl Offers {
    /// An empty book.
    pub fn new(store: Arc<Store>, clock: Clock) -> Self {
        Offers {
            store,
            clock,
            book: Mutex::default(),
        }
    }

    /// Verifies an offer's canonical bytes and keeps it. One that is known is no error.
    ///
    /// # Errors
    /// See [`OfferError`]; nothing is kept then.
    pub fn submit(&self, bytes: Bytes, origin: Origin) -> Result<TakenOffer, OfferError> {
        let signed = SignedOffer::from_bytes(&bytes)?;
        let view = self.store.view()?;
        let id = signed.offer.id(&nupeer_lease::genesis::chain(&view));
        let now = self.clock.next(view.tip()).time;
        // The id says nothing of the signature beside it.
        let known = self.book().get(&id).is_some_and(|kept| *kept == signed);
        if known && signed.offer.expires > now {
            return Ok(TakenOffer { id, fresh: None });
        }
        check(&signed, &view, now)?;
        self.store.healthy()?;
        let is_local = matches!(origin, Origin::Local);
        let entry = Entry::new(signed, bytes.clone(), is_local.then_some(now));
        self.book().insert(id, entry, now)?;
        let fresh = Some(bytes);
        Ok(TakenOffer { id, fresh })
    }

    /// Offers after `after` in the order of ids, of all machines or one, at most `limit`: those that still hold in `view`. What does
    /// not hold any more is forgotten.
    pub fn list(
        &self,
        view: &View<'_>,
        machine: Option<&MachineId>,
        after: Option<&OfferId>,
        limit: usize,
    ) -> Vec<(OfferId, SignedOffer)> {
        let now = self.clock.next(view.tip()).time;
        let (mut found, mut after) = (Vec::new(), after.copied());
        while found.len() < limit {
            let page = self.book().page(machine, after.as_ref(), limit);
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let (good, gone): (Vec<_>, Vec<_>) = page
                .into_iter()
                .partition(|(_, signed)| check(signed, view, now).is_ok());
            let mut book = self.book();
            gone.iter().for_each(|(id, _)| book.remove(id));
            found.extend(good);
        }
        found.truncate(limit);
        found
    }

    /// Offers posted here that others should be told of again at `now`, at most `limit`.
    pub fn to_repeat(&self, now: TimeMs, limit: usize) -> Vec<Bytes> {
        self.book().repeats(now, limit)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is consistent between any two of its steps.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(signed: &SignedOffer, view: &View<'_>, now: TimeMs) -> Result<(), OfferError> {
    let machine = signed.verify(view, now)?;
    match machine.state {
        MachineState::Live => Ok(()),
        other => Err(OfferError::NotLive {
            machine: signed.offer.machine,
            state: other.name(),
        }),
    }
}
