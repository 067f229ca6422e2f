//! A chain of one validator without a network, decided by hand: the same at each run.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nupeer_consensus::{Application, ApplicationError, Block, Undecided};
use nupeer_node::{
    app::{App, Executor, executor::Parts},
    cardano::{CardanoView, NoCardano},
    clock::Clock,
    intake::Intake,
    mempool::{Limits, Mempool, Origin},
    store::{Store, StoreConfig},
    verified::VerifiedCache,
};
use nupeer_primitives::{Height, TimeMs};
use nupeer_runtime::Genesis;
use tokio::sync::watch;

use super::chain::{self, Pay};

pub struct Solo {
    pub app: App,
    pub executor: Arc<Executor>,
    /// What its clock is ahead of the chain's time.
    pub ahead_ms: watch::Sender<i64>,
}

impl Solo {
    /// A second per block, by the clock too.
    pub fn open(folder: &Path, accounts: u16) -> Solo {
        Solo::of(folder, &chain::genesis(1, accounts), Arc::new(NoCardano))
    }

    /// As [`Solo::open`], of a chain that sees Cardano through `cardano`.
    pub fn of(folder: &Path, genesis: &Genesis, cardano: Arc<dyn CardanoView>) -> Solo {
        let chain = genesis.chain().unwrap();
        let store = Store::open(&StoreConfig::new(folder), genesis).unwrap();
        let verified = Arc::new(VerifiedCache::new(chain.clone()));
        let (ahead_ms, ahead) = watch::channel(0);
        let told = store.clone();
        let clock = Clock::of(move || {
            let chain_time = 1_000_000 + told.tip().unwrap().height.0 * 1_000;
            TimeMs(chain_time.saturating_add_signed(*ahead.borrow()))
        });
        let mempool = Mempool::new(Limits::default());
        let intake = Intake::new(store.clone(), verified.clone(), mempool, clock.clone());
        let executor = Arc::new(Executor::new(Parts {
            id: chain::public(&chain::validator_key(0)).hash(),
            chain,
            store,
            verified,
            intake: Arc::new(intake),
            cardano,
            clock,
        }));
        let app = App::new(executor.clone()).unwrap();
        Solo {
            app,
            executor,
            ahead_ms,
        }
    }

    pub fn submit(&self, pay: &Pay) {
        let bytes = pay.bytes(self.executor.chain());
        self.executor.intake().submit(bytes, Origin::Local).unwrap();
    }

    pub fn next_height(&self) -> Height {
        self.executor.store().tip().unwrap().height.next()
    }

    pub async fn build(&self) -> Block {
        let deadline = Instant::now() + Duration::from_secs(600);
        self.app
            .build(self.next_height(), 0, deadline)
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn build_and_store(&self) -> Block {
        let (height, block) = (self.next_height(), self.build().await);
        let proposer = self.executor.id();
        let block_of = block.clone();
        let undecided = Undecided {
            height,
            round: 0,
            valid_round: None,
            proposer,
            block,
        };
        self.app.put_undecided(undecided).await.unwrap();
        block_of
    }

    pub async fn decide(&self, block: Block) -> Result<(), ApplicationError> {
        let height = self.next_height();
        let certificate = chain::certificate(self.executor.chain(), height, block.id, 1);
        self.app.decided(block, certificate).await
    }
}
