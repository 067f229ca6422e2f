//! Follows a node's chain and remembers, for each block, what its owner observed in it.
//!
//! ```text
//!  node ──chain-sync──▶ sync (async) ──channel──▶ writer (a thread) ──batches──▶ RocksDB ◀──reads── anybody
//! ```
//!
//! What a block's observations are is a pure function given by the owner; here they are bytes. The undo of a block is
//! to forget its row, so rows are kept for 6k/f slots, which is longer than any rollback of an honest chain. A rollback
//! deeper than k is recorded and stays on record until somebody acknowledges it.

mod block;
mod chain;
mod error;
mod follow;
mod reader;
mod row;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::{future::Future, path::Path, sync::Arc};

use nupeer_primitives::CardanoPoint;
use tokio::sync::watch;

pub use block::BlockError;
pub use error::FollowerError;
pub use reader::{BlockObservations, Location};
pub use status::{DeepRollback, FollowerStatus};

use crate::{chain::Tip, node::Node};
use reader::Reader;
use store::Store;

/// What is observed in a block, given its era-tagged bytes. Must be pure: the same bytes for the same block, for ever.
pub type Observe = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// Which node to follow, from where, and how long to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerConfig {
    /// The node, with its network's figures.
    pub node: Node,
    /// The block after which to begin, which must be of Shelley or later; the network's origin if `None`.
    pub from: Option<CardanoPoint>,
    /// What must be true of a row before it is forgotten.
    pub retention: Retention,
}

/// What must be true of a row before it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It is older than 6k/f slots.
    Window,
    /// It is older than 6k/f slots, and [`Follower::consumed_up_to`] named it or a later one.
    WindowAndConsumed,
}

/// A chain follower. Copies share one store; any of them may be asked while one runs.
#[derive(Clone)]
pub struct Follower {
    inner: Arc<Inner>,
}

struct Inner {
    config: FollowerConfig,
    store: Arc<Store>,
    observe: Arc<Observe>,
    status: watch::Sender<FollowerStatus>,
    running: tokio::sync::Mutex<()>,
}

impl Follower {
    /// Opens or makes the store at `path`. It remembers its network and its beginning, and refuses others.
    pub fn open(
        path: &Path,
        config: FollowerConfig,
        observe: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<Self, FollowerError> {
        let store = Store::open(path, config.node.network.magic, config.from)?;
        let first = FollowerStatus {
            deep_rollback: store.deep_rollback()?,
            ..Reader::new(&store)?.status()
        };
        let (status, _) = watch::channel(first);
        let (store, observe, running) = (
            Arc::new(store),
            Arc::new(observe),
            tokio::sync::Mutex::default(),
        );
        Ok(Follower {
            inner: Arc::new(Inner {
                config,
                store,
                observe,
                status,
                running,
            }),
        })
    }

    /// Follows until `shutdown` is ready, connecting anew whenever the connection breaks. Ends with an error only if
    /// going on makes no sense: the store fails, or the chain was rolled back further than is remembered.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), FollowerError> {
        let Ok(_running) = self.inner.running.try_lock() else {
            return Err(FollowerError::AlreadyRunning);
        };
        follow::run(&self.inner, shutdown).await
    }

    /// The last block followed; `None` before the first.
    pub fn tip(&self) -> Option<Tip> {
        self.inner.status.borrow().tip
    }

    /// How following goes, as of now.
    pub fn status(&self) -> FollowerStatus {
        self.inner.status.borrow().clone()
    }

    /// Wakes with each new tip, and with each change of anything else in the status.
    pub fn subscribe(&self) -> watch::Receiver<FollowerStatus> {
        self.inner.status.subscribe()
    }

    /// What lies `depth` blocks under the tip (0: the tip itself); `None` if that is not remembered, or before the
    /// first block.
    pub fn point_at_depth(&self, depth: u64) -> Result<Option<Tip>, FollowerError> {
        self.reader()?.at_depth(depth)
    }

    /// Where `point` is, seen from this chain.
    pub fn locate(&self, point: CardanoPoint) -> Result<Location, FollowerError> {
        self.reader()?.locate(point)
    }

    /// Whether `point` is a block of this chain that is still remembered.
    pub fn contains(&self, point: CardanoPoint) -> Result<bool, FollowerError> {
        Ok(matches!(self.locate(point)?, Location::At { .. }))
    }

    /// What was observed in each block after `from_exclusive` (the beginning if `None`) up to `to_inclusive`, in order,
    /// blocks without observations included. All from one state of the chain.
    pub fn observations(
        &self,
        from_exclusive: Option<CardanoPoint>,
        to_inclusive: CardanoPoint,
    ) -> Result<Vec<BlockObservations>, FollowerError> {
        self.reader()?.observations(from_exclusive, to_inclusive)
    }

    /// Says that observations up to `point` are needed no more (see [`Retention::WindowAndConsumed`]).
    pub fn consumed_up_to(&self, point: CardanoPoint) -> Result<(), FollowerError> {
        match self.locate(point)? {
            Location::At { block_number, .. } => self.inner.store.put_consumed(block_number),
            Location::Forgotten => Ok(()),
            Location::Ahead | Location::Forked => Err(FollowerError::NotOnChain { point }),
        }
    }

    /// The first rollback deeper than k that nobody acknowledged.
    pub fn deep_rollback(&self) -> Option<DeepRollback> {
        self.inner.status.borrow().deep_rollback
    }

    /// Takes the deep rollback off the record: an operator looked into it.
    pub fn acknowledge_deep_rollback(&self) -> Result<(), FollowerError> {
        self.inner.store.clear_deep_rollback()?;
        self.inner
            .status
            .send_modify(|status| status.deep_rollback = None);
        Ok(())
    }

    fn reader(&self) -> Result<Reader<'_>, FollowerError> {
        Reader::new(&self.inner.store)
    }
}

/// Whether a block can be read, for the fuzz targets.
pub(crate) fn is_block(raw: &[u8]) -> bool {
    block::read(raw).is_ok()
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("config", &self.inner.config)
            .field("status", &self.status())
            .finish()
    }
}
