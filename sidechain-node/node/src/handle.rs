//! What the API, the command line and tests see of a running node.

use std::sync::Arc;

use bytes::Bytes;
use nupeer_lease::OfferId;
use nupeer_observe::Observation;
use nupeer_outbox::OutputReference;
use nupeer_primitives::{
    AccountId, CardanoPoint, Hash, Hash28, Height,
    consensus::{Certificate, ValidatorId},
};
use nupeer_runtime::{Block, Chain, Event, Genesis, SignedTransaction, Tip};
use tokio::sync::{broadcast, watch};

use crate::{
    app::{App, Executor},
    cardano::CardanoHealth,
    gossip::{GossipStatus, Outbox},
    intake::SubmitError,
    mempool::{Origin, Refusal},
    offers::{OfferError, Offers},
    store::{Location, StoreError, View, codec},
    summary::BlockSummary,
};

/// A running node. Cheap to clone. What reads the store blocks for as long as a disk takes: within async code, call it in
/// `spawn_blocking`. The data folder stays locked until the last clone is dropped.
#[derive(Clone)]
pub struct NodeHandle(Arc<Inner>);

struct Inner {
    genesis: Genesis,
    app: Arc<App>,
    executor: Arc<Executor>,
    outbox: Outbox,
    gossip: watch::Receiver<GossipStatus>,
}

/// How a node is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The end of its chain.
    pub tip: Tip,
    /// The name under which it votes.
    pub validator: ValidatorId,
    /// Whether its chain knows that name.
    pub is_validator: bool,
    /// Transactions in the mempool.
    pub pending: usize,
    /// Their bytes.
    pub pending_bytes: usize,
    /// Where gossip listens, and how many peers it has.
    pub gossip: GossipStatus,
    /// Where consensus listens, as soon as it does.
    pub consensus_listening: Option<String>,
    /// Why consensus holds still until the operator looks, if it does.
    pub halted: Option<String>,
    /// Its view of Cardano.
    pub cardano: CardanoHealth,
    /// Pairs of contradicting signatures of validators seen since the start.
    pub accusations: usize,
}

/// What is known of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Nothing: never seen here, or dropped so long ago that it is forgotten.
    Unknown,
    /// In the mempool of this node.
    Pending,
    /// It was in the mempool, and a rule refuses it by now.
    Refused(Refusal),
    /// Executed, for good.
    Final(Location),
}

impl NodeHandle {
    pub(crate) fn new(
        genesis: Genesis,
        app: Arc<App>,
        executor: Arc<Executor>,
        outbox: Outbox,
        gossip: watch::Receiver<GossipStatus>,
    ) -> Self {
        NodeHandle(Arc::new(Inner {
            genesis,
            app,
            executor,
            outbox,
            gossip,
        }))
    }

    /// What the chain began with.
    pub fn genesis(&self) -> &Genesis {
        &self.0.genesis
    }

    /// What of the genesis rules need.
    pub fn chain(&self) -> &Chain {
        self.0.executor.chain()
    }

    /// Submits a signed transaction's canonical bytes; returns its id once it is in the mempool and on its way to the
    /// other validators. To submit one again that is pending or final does no harm.
    pub async fn submit(&self, transaction: impl Into<Bytes>) -> Result<Hash, SubmitError> {
        let (bytes, executor) = (transaction.into(), self.0.executor.clone());
        let taken =
            tokio::task::spawn_blocking(move || executor.intake().submit(bytes, Origin::Local));
        let taken = taken.await.map_err(|_| SubmitError::Stopping)??;
        taken
            .fresh
            .into_iter()
            .for_each(|bytes| self.0.outbox.tell(bytes));
        Ok(taken.id)
    }

    /// Says whether [`NodeHandle::submit`] would take this transaction, were it signed; the id. The signature is not looked at, and nothing is taken.
    pub async fn preview(&self, transaction: impl Into<Bytes>) -> Result<Hash, SubmitError> {
        let (bytes, executor) = (transaction.into(), self.0.executor.clone());
        let previewed = tokio::task::spawn_blocking(move || executor.intake().preview(&bytes));
        previewed.await.map_err(|_| SubmitError::Stopping)?
    }

    /// Submits a signed offer's canonical bytes; returns its id once it is verified and on its way to the other nodes.
    pub async fn submit_offer(&self, offer: impl Into<Bytes>) -> Result<OfferId, OfferError> {
        let (bytes, executor) = (offer.into(), self.0.executor.clone());
        let taken = tokio::task::spawn_blocking(move || {
            executor.intake().offers().submit(bytes, Origin::Local)
        });
        let taken = taken.await.map_err(|_| OfferError::Stopping)??;
        if let Some(bytes) = taken.fresh {
            self.0.outbox.tell_offer(bytes);
        }
        Ok(taken.id)
    }

    /// The offers that this node knows.
    pub fn offers(&self) -> &Offers {
        self.0.executor.intake().offers()
    }

    /// The state after the last decided block, for as long as the view is held. Rooms' queries take it as `&dyn StateRead`;
    /// [`View::prove`] proves a leaf against [`View::tip`].
    pub fn view(&self) -> Result<View<'_>, StoreError> {
        self.0.executor.store().view()
    }

    /// Decided blocks from now on, each after it is stored; [`NodeHandle::summary`] tells of earlier ones. The channel closes when
    /// the node stops.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<BlockSummary>> {
        self.0.executor.news().subscribe()
    }

    /// How the node is doing.
    pub fn status(&self) -> Result<Status, StoreError> {
        let Inner {
            app,
            executor,
            gossip,
            ..
        } = &*self.0;
        let (pending, pending_bytes) = executor.intake().mempool().size();
        Ok(Status {
            tip: executor.store().tip()?,
            validator: executor.id(),
            is_validator: self.chain().validators.get(&executor.id()).is_some(),
            pending,
            pending_bytes,
            gossip: gossip.borrow().clone(),
            consensus_listening: app.listening_at().borrow().clone(),
            halted: app.halted_by(),
            cardano: executor.cardano().health(),
            accusations: app.accused().len(),
        })
    }

    /// How its view of Cardano is.
    pub fn cardano_health(&self) -> CardanoHealth {
        self.0.executor.cardano().health()
    }

    /// How deep a deposit lies that no block of this chain has observed yet, in Cardano blocks, as this node sees it; `parent` is the point observed
    /// up to.
    pub fn deposit_depth(
        &self,
        parent: Option<CardanoPoint>,
        output: &OutputReference,
    ) -> Option<u64> {
        let is_it = |bytes: &[u8]| {
            let seen = Observation::from_bytes(bytes);
            matches!(seen, Ok(Observation::Deposit(seen)) if seen.output == *output)
        };
        self.0.executor.cardano().depth_of(parent, &is_it)
    }

    /// What became of a transaction.
    pub fn transaction_status(&self, id: &Hash) -> Result<TransactionStatus, StoreError> {
        if let Some(location) = self.0.executor.store().location(id)? {
            return Ok(TransactionStatus::Final(location));
        }
        let mut mempool = self.0.executor.intake().mempool();
        if mempool.is_pending(id) {
            return Ok(TransactionStatus::Pending);
        }
        let refusal = mempool.refusal(id);
        drop(mempool);
        // It may have become final between the two looks.
        match self.0.executor.store().location(id)? {
            Some(location) => Ok(TransactionStatus::Final(location)),
            None => Ok(refusal.map_or(TransactionStatus::Unknown, TransactionStatus::Refused)),
        }
    }

    /// A decided block.
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let bytes = self.0.executor.store().block(height)?;
        bytes.map(|bytes| codec::cbor("block", &bytes)).transpose()
    }

    /// The certificate by which a block was decided.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        self.0.executor.store().certificate(height)
    }

    /// An executed transaction and what it did.
    pub fn executed(&self, at: &Location) -> Result<(SignedTransaction, Vec<Event>), StoreError> {
        let store = self.0.executor.store();
        let signed = SignedTransaction::from_bytes(&store.transaction(at)?, self.chain());
        let signed = signed.map_err(|_| StoreError::Corrupt { what: "block" })?;
        Ok((signed, store.events_of(at)?))
    }

    /// What is told of a decided block.
    pub fn summary(&self, height: Height) -> Result<Option<BlockSummary>, StoreError> {
        let Some(block) = self.block(height)? else {
            return Ok(None);
        };
        let id_of = |bytes: &minicbor::bytes::ByteVec| {
            let signed = SignedTransaction::from_bytes(bytes, self.chain());
            signed.map(|signed| signed.transaction.id())
        };
        let ids: Result<Vec<Hash>, _> = block.transactions.iter().map(id_of).collect();
        let ids = ids.map_err(|_| StoreError::Corrupt { what: "block" })?;
        let events = self.0.executor.store().events(height)?;
        Ok(Some(BlockSummary::of(&block, &events, &ids)))
    }

    /// The sequence number that the next transaction of `account` with `signer` should carry, after what is pending here;
    /// `committed` is the next one in the state.
    pub fn next_sequence(&self, account: &AccountId, signer: &Hash28, committed: u64) -> u64 {
        self.0
            .executor
            .intake()
            .mempool()
            .next_sequence(account, signer, committed)
    }
}
