//! Building, judging and deciding blocks. Calls block their thread.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nupeer_consensus::{Block as Proposed, Proposal, Verdict};
use nupeer_primitives::{
    Code, Hash, Height, Numbered, TimeMs,
    consensus::{Certificate, ValidatorId},
};
use nupeer_runtime::{
    Block, BlockError, BlockInput, Chain, Executed, Header, apply_block,
    block::{room_bytes, transaction_root},
    error::TransactionError,
    execute,
};

use super::{
    AppError, News,
    time::{Drift, Seen, drift},
};
use crate::{
    cardano::{CardanoView, ObservationError},
    clock::Clock,
    intake::Intake,
    store::{Commit, Store, StoreError, View},
    summary::BlockSummary,
    verified::VerifiedCache,
};

/// Executed blocks that are kept until their height is decided. More than one round proposes only when something is wrong.
const PREPARED_MAX: usize = 2;
/// Blocks whose arrival is remembered. A height rarely has more than one.
const ARRIVALS_MAX: usize = 64;
/// The part of the time for a proposal that its builder spends on executing transactions. As much again or twice that goes into
/// the tree; then it travels, and the others do all of it once more before their time runs out.
const BUILD_SHARE: u32 = 10;
/// Transactions that are executed even when there is no time: a chain that only builds empty blocks stands still.
const BUILD_MIN: usize = 64;
/// How often a node that catches up looks whether its view of Cardano has.
const CARDANO_POLL: Duration = Duration::from_millis(50);

/// A block that was executed on its parent, and what it does.
struct Prepared {
    id: Hash,
    parent: Hash,
    block: Block,
    transactions: Vec<Hash>,
    executed: Executed,
}

/// What the executor works with.
pub struct Parts {
    /// The chain's rules.
    pub chain: Chain,
    /// This validator.
    pub id: ValidatorId,
    /// Its store.
    pub store: Arc<Store>,
    /// Its memory of verified transactions.
    pub verified: Arc<VerifiedCache>,
    /// Its mempool.
    pub intake: Arc<Intake>,
    /// Its view of Cardano.
    pub cardano: Arc<dyn CardanoView>,
    /// Its clock.
    pub clock: Clock,
}

/// Builds, judges and decides blocks for one node.
pub struct Executor {
    parts: Parts,
    prepared: Mutex<VecDeque<Arc<Prepared>>>,
    news: News,
    arrivals: Mutex<BTreeMap<Hash, TimeMs>>,
    stopping: AtomicBool,
}

impl Executor {
    /// One over these parts.
    pub fn new(parts: Parts) -> Self {
        Executor {
            parts,
            prepared: Mutex::default(),
            news: News::default(),
            arrivals: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The chain's rules.
    pub fn chain(&self) -> &Chain {
        &self.parts.chain
    }

    /// This validator.
    pub fn id(&self) -> ValidatorId {
        self.parts.id
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.parts.store
    }

    /// The door to the mempool.
    pub fn intake(&self) -> &Arc<Intake> {
        &self.parts.intake
    }

    /// The view of Cardano.
    pub fn cardano(&self) -> &Arc<dyn CardanoView> {
        &self.parts.cardano
    }

    /// What is decided.
    pub fn news(&self) -> &News {
        &self.news
    }

    /// The block that `bytes` are. Its transactions are those that its header commits to, so that no two byte strings
    /// have one id; nothing else is checked.
    pub fn decode(&self, bytes: &[u8]) -> Result<Block, BlockError> {
        let block = Block::from_bytes(bytes, self.parts.chain.limits.block_bytes_max as usize)?;
        let expected = transaction_root(block.transactions.iter().map(|bytes| bytes.as_slice()));
        let provided = block.header.transaction_root;
        if provided != expected {
            return Err(BlockError::Mismatch {
                what: "transaction root",
                provided,
                expected,
            });
        }
        Ok(block)
    }

    /// Builds the block for `height` out of the mempool; `None` if that height is not the next one any more.
    pub fn build(&self, height: Height, deadline: Instant) -> Result<Option<Proposed>, AppError> {
        let Parts {
            chain,
            store,
            intake,
            clock,
            cardano,
            id,
            ..
        } = &self.parts;
        let view = store.view()?;
        let tip = view.tip();
        if tip.height.next() != height {
            return Ok(None);
        }
        let point = cardano.point(tip.cardano);
        // A point that cannot be observed right now is not named.
        let (point, observations) = match cardano.observations(tip.cardano, point) {
            Ok(observations) => (point, observations),
            Err(error) => {
                tracing::warn!(%error, "this block names no newer Cardano point");
                (tip.cardano, Vec::new())
            }
        };
        let input = BlockInput {
            // Asked after Cardano: no block is older than the look by which it names its point.
            time: clock.next(tip).time,
            proposer: *id,
            cardano: point,
            observations,
        };
        let room = room_bytes(chain.limits.block_bytes_max);
        let offer = intake.mempool().offer(room);
        let stop = stop_at(Instant::now(), deadline);
        let candidates = offer.iter().map(|c| (&c.bytes[..], &*c.verified));
        let in_time = |(place, _): &(usize, _)| *place < BUILD_MIN || Instant::now() < stop;
        let candidates = candidates
            .enumerate()
            .take_while(in_time)
            .map(|(_, candidate)| candidate);
        let built = execute::propose(&view, chain, tip, &input, candidates);
        store.healthy()?;
        let built = built.map_err(|error| AppError::Build(Box::new(error)))?;
        intake
            .mempool()
            .suspect(built.refused.iter().map(|(id, _)| id));
        let (block, included) = (built.block, built.included);
        Ok(Some(self.keep(block, included, built.executed)))
    }

    /// Whether this validator may vote for a proposal.
    pub fn judge(&self, proposal: &Proposal) -> Result<Verdict, AppError> {
        let seen = self.seen(&proposal.block.id);
        let block = match self.decode(&proposal.block.bytes) {
            Ok(block) => block,
            Err(error) => return Ok(invalid(&error)),
        };
        let header = &block.header;
        if !proposal.builders.contains(&header.proposer) {
            let (provided, expected) = (header.proposer, proposal.proposer);
            return Ok(invalid(&BlockError::Proposer { provided, expected }));
        }
        // A block that two thirds prevoted was in time then.
        if proposal.valid_round.is_none() {
            match drift(header.time, seen, proposal.round) {
                Drift::Within => {}
                Drift::Ahead => return Ok(Verdict::NotYet),
                Drift::Behind => {
                    let (time, first) = (header.time, seen.first);
                    let late = format!("its time {time} lies too far behind {first}");
                    return Ok(Verdict::Invalid(late));
                }
            }
        }
        self.judge_content(&proposal.block.id, block)
    }

    /// When a block arrived. Forgotten when its height is decided, or when others come in crowds.
    fn seen(&self, id: &Hash) -> Seen {
        let now = self.parts.clock.now();
        let mut arrivals = lock(&self.arrivals);
        if arrivals.len() >= ARRIVALS_MAX && !arrivals.contains_key(id) {
            arrivals.clear();
        }
        let first = *arrivals.entry(*id).or_insert(now);
        Seen { first, now }
    }

    fn judge_content(&self, id: &Hash, block: Block) -> Result<Verdict, AppError> {
        let view = self.parts.store.view()?;
        let tip = view.tip();
        if tip.height.next() != block.header.height {
            // Its height was decided meanwhile, or the engine is ahead of us; either passes.
            return Ok(Verdict::NotYet);
        }
        if self.prepared(id, &tip.id).is_some() {
            return Ok(Verdict::Valid);
        }
        let cardano = &self.parts.cardano;
        let observations = match cardano.observations(tip.cardano, block.header.cardano) {
            Ok(observations) => observations,
            Err(ObservationError::NotReached(_) | ObservationError::Halted { .. }) => {
                return Ok(Verdict::NotYet);
            }
            Err(error) => return Ok(Verdict::Invalid(error.to_string())),
        };
        match self.execute(&view, block, &observations)? {
            Ok(_) => Ok(Verdict::Valid),
            Err(error) => Ok(invalid(&error)),
        }
    }

    /// Executes and stores a decided block, with its certificate, in one synced batch; then the mempool moves on and everybody
    /// is told. A block that is stored already is left at that.
    pub fn decide(
        &self,
        decided: &Proposed,
        certificate: &Certificate,
    ) -> Result<Header, AppError> {
        fail::fail_point!("decided-before-execution");
        let Parts {
            store,
            intake,
            clock,
            ..
        } = &self.parts;
        if store.tip()?.height >= certificate.height {
            let stored = store.header(certificate.height)?;
            if let Some(header) = stored.filter(|header| header.id() == decided.id) {
                return Ok(header);
            }
        }
        let prepared = self.prepare_decided(decided, certificate.height)?;
        let Prepared {
            block,
            transactions,
            executed,
            ..
        } = &*prepared;
        fail::fail_point!("decided-before-commit");
        let mut mempool = intake.mempool();
        let bytes = &decided.bytes;
        let commit = Commit {
            block: bytes,
            certificate,
            transactions,
            executed,
        };
        store.commit(&commit)?;
        fail::fail_point!("decided-after-commit");
        if let Some(point) = block.header.cardano {
            self.parts.cardano.consumed(point);
        }
        let view = store.view()?;
        mempool.commit(&view, clock.next(view.tip()), transactions);
        drop(mempool);
        lock(&self.prepared).clear();
        lock(&self.arrivals).clear();
        self.news.tell(Arc::new(BlockSummary::of(
            block,
            &executed.events,
            transactions,
        )));
        fail::fail_point!("decided-before-reply");
        Ok(block.header.clone())
    }

    fn prepare_decided(
        &self,
        decided: &Proposed,
        height: Height,
    ) -> Result<Arc<Prepared>, AppError> {
        let view = self.parts.store.view()?;
        if let Some(prepared) = self.prepared(&decided.id, &view.tip().id) {
            return Ok(prepared);
        }
        let block = self.decode(&decided.bytes);
        let block = block.map_err(|_| AppError::Undecodable {
            height,
            block: decided.id,
        })?;
        let (cardano, seen) = (&self.parts.cardano, view.tip().cardano);
        let observations = loop {
            match cardano.decided_observations(seen, block.header.cardano) {
                Ok(observations) => break observations,
                // More than two thirds have seen it.
                Err(ObservationError::NotReached(_) | ObservationError::Halted { .. }) => {
                    self.wait_for_cardano()?;
                }
                Err(error) => {
                    return Err(AppError::Observation {
                        height,
                        block: decided.id,
                        error: Box::new(error),
                    });
                }
            }
        };
        let executed = self.execute(&view, block, &observations)?;
        executed.map_err(|error| AppError::Diverged {
            height,
            block: decided.id,
            error: Box::new(error),
        })
    }

    fn wait_for_cardano(&self) -> Result<(), AppError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(AppError::Stopping);
        }
        thread::sleep(CARDANO_POLL);
        Ok(())
    }

    /// The node goes down: ends what may wait for long, here and at listeners.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.news.close();
    }

    /// Executes a block and remembers what it does. The outer error is this node's, the inner one the block's.
    fn execute(
        &self,
        view: &View<'_>,
        block: Block,
        observations: &[Vec<u8>],
    ) -> Result<Result<Arc<Prepared>, BlockError>, AppError> {
        let Parts {
            chain,
            verified,
            store,
            ..
        } = &self.parts;
        let all: Vec<&[u8]> = block
            .transactions
            .iter()
            .map(|bytes| bytes.as_slice())
            .collect();
        verified.verify_all(&all);
        let mut transactions = Vec::with_capacity(all.len());
        let mut verify = |bytes: &[u8]| -> Result<_, TransactionError> {
            let known = verified.verify(bytes)?;
            transactions.push(known.id());
            Ok(known.as_ref().clone())
        };
        let executed = apply_block(view, chain, view.tip(), &block, observations, &mut verify);
        // What was computed from a failed read is nobody's fault but this node's.
        store.healthy()?;
        match executed {
            Ok(executed) => Ok(Ok(self.remember(block, transactions, executed))),
            Err(BlockError::Tree(reason)) => Err(StoreError::Poisoned { reason }.into()),
            Err(error) => Ok(Err(error)),
        }
    }

    fn keep(&self, block: Block, transactions: Vec<Hash>, executed: Executed) -> Proposed {
        let prepared = self.remember(block, transactions, executed);
        Proposed {
            id: prepared.id,
            bytes: prepared.block.to_bytes().into(),
        }
    }

    fn remember(&self, block: Block, transactions: Vec<Hash>, executed: Executed) -> Arc<Prepared> {
        let (id, parent) = (executed.tip.id, block.header.parent);
        let prepared = Arc::new(Prepared {
            id,
            parent,
            block,
            transactions,
            executed,
        });
        let mut all = lock(&self.prepared);
        all.push_back(prepared.clone());
        if all.len() > PREPARED_MAX {
            all.pop_front();
        }
        prepared
    }

    /// A block that was executed on `tip`.
    fn prepared(&self, id: &Hash, tip: &Hash) -> Option<Arc<Prepared>> {
        let all = lock(&self.prepared);
        all.iter()
            .find(|prepared| prepared.id == *id && prepared.parent == *tip)
            .cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(error: &BlockError) -> Verdict {
    let code: Code = error.code();
    Verdict::Invalid(format!("{code}: {error}"))
}

/// When to stop putting transactions into a block.
fn stop_at(now: Instant, deadline: Instant) -> Instant {
    now + deadline.saturating_duration_since(now) / BUILD_SHARE
}
