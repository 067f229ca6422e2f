//! The follower against a node on pallas' server halves, and its chain against a model.

mod failures;
#[cfg(feature = "failpoints")]
mod interrupted;
mod model;
mod needs_chain_data;
mod rollbacks;
mod speed;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use nupeer_primitives::{CardanoPoint, TimeMs};
use tokio::{sync::oneshot, task::JoinHandle};

use super::*;
use crate::{
    Network,
    testing::{Block, TestNode},
};

/// How long anything awaited here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// k = 12, f = 1: rows are kept for 72 slots.
fn network() -> Network {
    Network::devnet(TimeMs(0), 1000, 12, 120)
}

fn config(node: &TestNode, from: Option<CardanoPoint>) -> FollowerConfig {
    FollowerConfig {
        node: Node::new(&node.socket, network()),
        from,
        retention: Retention::Window,
    }
}

/// Observes a block's last byte and length.
fn observe(raw: &[u8]) -> Vec<u8> {
    [&raw.len().to_be_bytes()[..], &raw[raw.len() - 1..]].concat()
}

/// Whether everything that the node has is followed.
fn at_tip(status: &FollowerStatus) -> bool {
    status.connected && status.tip.is_some() && status.tip == status.node_tip
}

/// A follower with its store, and how many blocks it observed.
struct Fixture {
    folder: tempfile::TempDir,
    follower: Follower,
    observed: Arc<AtomicUsize>,
}

impl Fixture {
    fn new(config: FollowerConfig) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), config)
    }

    fn in_folder(folder: tempfile::TempDir, config: FollowerConfig) -> Self {
        let observed = Arc::new(AtomicUsize::new(0));
        let counter = observed.clone();
        let follower = Follower::open(folder.path(), config, move |raw| {
            counter.fetch_add(1, Ordering::SeqCst);
            observe(raw)
        });
        Fixture {
            folder,
            follower: follower.unwrap(),
            observed,
        }
    }

    /// The same store after the process ended and began again. A thread that was writing lets go of it a moment after its follower has stopped.
    fn reopened(self) -> Self {
        let until = std::time::Instant::now() + PATIENCE;
        while Arc::strong_count(&self.follower.inner) > 1 {
            assert!(std::time::Instant::now() < until, "the store is still held");
            std::thread::sleep(Duration::from_millis(1));
        }
        let config = self.follower.inner.config.clone();
        let Fixture {
            folder, follower, ..
        } = self;
        drop(follower);
        Self::in_folder(folder, config)
    }

    fn observed(&self) -> usize {
        self.observed.load(Ordering::SeqCst)
    }

    fn start(&self) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let follower = self.follower.clone();
        let task = tokio::spawn(async move {
            follower
                .run(async {
                    let _ = stopped.await;
                })
                .await
        });
        Running { stop, task }
    }

    /// Waits until the status is as wanted.
    async fn until(&self, wanted: impl Fn(&FollowerStatus) -> bool) -> FollowerStatus {
        let mut status = self.follower.subscribe();
        let seen = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await;
        match seen {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("waited in vain: {:?}", self.follower),
        }
    }

    async fn until_at(&self, block: &Block) {
        self.until(|status| status.tip == Some(block.tip)).await;
    }

    /// The store holds these blocks after its base, with what was observed in them, and no others.
    fn assert_holds(&self, base: Option<CardanoPoint>, blocks: &[Block]) {
        let last = blocks.last().unwrap();
        assert_eq!(self.follower.tip(), Some(last.tip));
        let found = self.follower.observations(base, last.tip.point).unwrap();
        let expected: Vec<_> = blocks
            .iter()
            .map(|block| BlockObservations {
                point: block.tip.point,
                block_number: block.tip.block_number,
                observations: observe(&block.raw),
            })
            .collect();
        assert_eq!(found, expected);
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), FollowerError>>,
}

impl Running {
    async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// The error with which it ended by itself.
    async fn failure(self) -> FollowerError {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.unwrap().unwrap().unwrap_err()
    }
}
