//! The thread that owns the chain, and the way to it: what runs scripts or writes to disk must not hold up connections.

use std::{io, sync::Arc, thread};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    chain::{Chain, ChainError, SubmitError},
    clock::Clock,
    waiting::Snapshot,
};
use nupeer_cardano_ledger::TxId;

/// Requests that wait for the thread; more senders wait for a place.
const QUEUE: usize = 256;

enum Job {
    Do(Box<dyn FnOnce(&mut Chain) + Send>),
    Stop(oneshot::Sender<()>),
}

/// The chain's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the devnet has stopped")]
pub struct Stopped;

/// A way to the chain. The thread ends when it is told to, or when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Owner {
    jobs: mpsc::Sender<Job>,
    clock: Clock,
    waiting_changes: watch::Receiver<u64>,
}

impl Owner {
    /// Gives the chain to a thread of its own. `guard` is dropped after the chain, at the thread's end.
    pub fn spawn(chain: Chain, clock: Clock, guard: impl Send + 'static) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let waiting_changes = chain.waiting_changes();
        thread::Builder::new()
            .name("devnet-chain".into())
            .spawn(move || serve(chain, queue, guard))?;
        Ok(Self {
            jobs,
            clock,
            waiting_changes,
        })
    }

    /// A way to no chain: what is asked is answered as by one that has stopped.
    pub(crate) fn nobody() -> Self {
        Self {
            jobs: mpsc::channel(1).0,
            clock: Clock::Manual,
            waiting_changes: watch::channel(0).1,
        }
    }

    /// Does something with the chain and gives the result.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Chain) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        // If the asker is gone, nobody misses the answer.
        let job = Job::Do(Box::new(move |chain| drop(answer.send(job(chain)))));
        self.jobs.send(job).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// The wall clock's slot, if slots pass with time.
    pub fn wall_slot(&self) -> Option<u64> {
        self.clock.slot()
    }

    /// Submits a raw transaction.
    pub async fn submit(&self, raw: Vec<u8>) -> Result<Result<TxId, SubmitError>, Stopped> {
        let wall_slot = self.clock.slot();
        self.ask(move |chain| chain.submit(&raw, wall_slot)).await
    }

    /// What waits for a block now.
    pub(crate) async fn waiting(&self) -> Result<Arc<Snapshot>, Stopped> {
        self.ask(Chain::waiting).await
    }

    /// Tells whenever what waits, or the tip, may be another; ends with the chain.
    pub(crate) fn waiting_changes(&self) -> watch::Receiver<u64> {
        self.waiting_changes.clone()
    }

    /// Makes blocks now, stalled or not.
    pub async fn mint(&self, count: u64) -> Result<Result<(), ChainError>, Stopped> {
        let wall_slot = self.clock.slot();
        self.ask(move |chain| chain.mint(count, wall_slot)).await
    }

    /// Makes a block unless production is stalled.
    pub async fn tick(&self) -> Result<Result<(), ChainError>, Stopped> {
        let wall_slot = self.clock.slot();
        self.ask(move |chain| {
            if chain.is_stalled() {
                Ok(())
            } else {
                chain.mint(1, wall_slot)
            }
        })
        .await
    }

    /// Ends the thread once what was asked before is done, and waits for its end.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            // The sender is dropped at the end whether or not it says so.
            let _ = ended.await;
        }
    }
}

fn serve(mut chain: Chain, mut queue: mpsc::Receiver<Job>, guard: impl Send) {
    let mut done = None;
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Do(job) => job(&mut chain),
            Job::Stop(sender) => {
                done = Some(sender);
                break;
            }
        }
    }
    drop(chain);
    drop(guard);
    drop(done);
}
