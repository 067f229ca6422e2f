//! The chain above consensus: what [`nupeer_consensus::Application`] asks for, answered on threads that may block.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use nupeer_consensus::{
    Application, ApplicationError, Block as Proposed, Evidence, Proposal, Undecided, Verdict,
};
use nupeer_primitives::{
    Hash, Height,
    consensus::{Certificate, ValidatorId, ValidatorSet},
};
use tokio::sync::watch;

use crate::store::Store;

pub mod builders;
pub mod error;
pub mod executor;
pub mod news;
pub mod time;

pub use error::AppError;
pub use executor::Executor;
pub use news::News;

use builders::Builders;

/// Most bytes of blocks that one answer to a peer holds; one block always fits.
const RANGE_BYTES_MAX: usize = 8 << 20;
/// Accusations that are remembered.
const EVIDENCE_MAX: usize = 64;

/// The application of one node.
pub struct App {
    executor: Arc<Executor>,
    builders: Mutex<Builders>,
    listening: watch::Sender<Option<String>>,
    halted: watch::Sender<Option<String>>,
    evidence: Mutex<Vec<Evidence>>,
}

impl App {
    /// The application over a store that is open.
    pub fn new(executor: Arc<Executor>) -> Result<Self, AppError> {
        Ok(App {
            builders: Mutex::new(Builders::load(executor.store())?),
            executor,
            listening: watch::Sender::new(None),
            halted: watch::Sender::new(None),
            evidence: Mutex::default(),
        })
    }

    /// Where consensus listens, as soon as it does.
    pub fn listening_at(&self) -> watch::Receiver<Option<String>> {
        self.listening.subscribe()
    }

    /// Why consensus holds still until its operator looks, if it does.
    pub fn halted_by(&self) -> Option<String> {
        self.halted.borrow().clone()
    }

    /// Validators that signed twice since this node started, the first few.
    pub fn accused(&self) -> Vec<Evidence> {
        lock(&self.evidence).clone()
    }

    /// The chain that this node is of.
    pub fn chain(&self) -> &nupeer_runtime::Chain {
        self.executor.chain()
    }

    fn store(&self) -> &Arc<Store> {
        self.executor.store()
    }

    /// Runs what blocks beside the tasks of consensus and network.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Executor) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, ApplicationError> {
        let executor = self.executor.clone();
        Ok(tokio::task::spawn_blocking(move || work(&executor)).await??)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Application for App {
    async fn next_height(&self) -> Result<Height, ApplicationError> {
        Ok(self.store().tip()?.height.next())
    }

    async fn validator_set(&self, _: Height) -> Result<ValidatorSet, ApplicationError> {
        Ok(self.executor.chain().validators.clone())
    }

    async fn recent_builders(
        &self,
        height: Height,
        count: usize,
    ) -> Result<Vec<ValidatorId>, ApplicationError> {
        Ok(lock(&self.builders).below(height, count))
    }

    fn block_id(&self, bytes: &[u8]) -> Option<Hash> {
        self.executor
            .decode(bytes)
            .map(|block| block.header.id())
            .ok()
    }

    async fn build(
        &self,
        height: Height,
        _: u32,
        deadline: Instant,
    ) -> Result<Option<Proposed>, ApplicationError> {
        self.blocking(move |executor| executor.build(height, deadline))
            .await
    }

    async fn judge(&self, proposal: &Proposal) -> Result<Verdict, ApplicationError> {
        let proposal = proposal.clone();
        self.blocking(move |executor| executor.judge(&proposal))
            .await
    }

    async fn put_undecided(&self, undecided: Undecided) -> Result<(), ApplicationError> {
        self.blocking(move |executor| {
            fail::fail_point!("undecided-before-store");
            executor.store().put_undecided(&undecided)?;
            fail::fail_point!("undecided-stored");
            Ok(())
        })
        .await
    }

    async fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError> {
        self.blocking(move |executor| Ok(executor.store().undecided(height)?))
            .await
    }

    async fn decided(
        &self,
        block: Proposed,
        certificate: Certificate,
    ) -> Result<(), ApplicationError> {
        let work = move |executor: &Executor| executor.decide(&block, &certificate);
        let header = self.blocking(work).await?;
        lock(&self.builders).push(header.height, header.proposer);
        Ok(())
    }

    async fn decided_range(
        &self,
        from: Height,
        to: Height,
    ) -> Result<Vec<(Bytes, Certificate)>, ApplicationError> {
        self.blocking(move |executor| read_range(executor.store(), from, to))
            .await
    }

    async fn history_min_height(&self) -> Result<Height, ApplicationError> {
        Ok(Height(1))
    }

    async fn evidence(&self, evidence: Evidence) -> Result<(), ApplicationError> {
        let mut all = lock(&self.evidence);
        if all.len() < EVIDENCE_MAX {
            all.push(evidence);
        }
        Ok(())
    }

    fn listening(&self, address: &str) {
        tracing::info!(address, "consensus listens");
        self.listening.send_replace(Some(address.to_owned()));
    }

    fn halted(&self, reason: &str) {
        self.halted.send_replace(Some(reason.to_owned()));
    }
}

fn read_range(
    store: &Store,
    from: Height,
    to: Height,
) -> Result<Vec<(Bytes, Certificate)>, AppError> {
    let (mut range, mut bytes, mut height) = (Vec::new(), 0usize, from);
    while height <= to {
        let (Some(block), Some(certificate)) = (store.block(height)?, store.certificate(height)?)
        else {
            break;
        };
        bytes = bytes.saturating_add(block.len());
        if bytes > RANGE_BYTES_MAX && !range.is_empty() {
            break;
        }
        range.push((block.into(), certificate));
        height = height.next();
    }
    Ok(range)
}
