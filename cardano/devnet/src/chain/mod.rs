//! The chain and everything that follows from it: ledger, mempool, nonces, the file; owned by one thread.
//!
//! There is one ledger, and on it a stack of changes: those of each block, then those of the transactions that wait for one. A
//! rollback, a question about an earlier block and a new block all take changes off that stack and put some on.

mod error;
mod mint;
mod open;
mod reorganise;
mod report;
mod waiting;

use std::collections::{HashMap, VecDeque};

pub use error::{ChainError, SubmitError};
pub use report::{Reorganisation, Reorganised, Status, TxStatus};

use self::waiting::Shown;
use crate::{
    genesis::Genesis,
    keys::PoolKeys,
    mempool::Mempool,
    stack::Stack,
    store::ChainFile,
    verify::ChainState,
    view::{Block, ChainView, Point},
};
use nupeer_cardano_ledger::{Ledger, TxId};

/// How many refused transactions are remembered with their reasons.
const REFUSED_KEPT: usize = 1_000;

/// The chain. Its methods take the wall clock's slot where it matters; without one, a block follows in the next slot.
pub struct Chain {
    genesis: Genesis,
    pools: Vec<PoolKeys>,
    stack: Stack,
    mempool: Mempool,
    shown: Shown,
    file: Option<ChainFile>,
    view: ChainView,
    confirmed: HashMap<TxId, u64>,
    refused: VecDeque<(TxId, String)>,
    reorganisations: u64,
    stalled: bool,
    stopped: bool,
}

impl Chain {
    /// The chain as followers see it.
    pub fn view(&self) -> ChainView {
        self.view.clone()
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The slot of a block made now.
    pub fn next_slot(&self, wall_slot: Option<u64>) -> u64 {
        self.stack.state.next().1.max(wall_slot.unwrap_or(0))
    }

    /// Takes a raw transaction into the mempool.
    pub fn submit(&mut self, raw: &[u8], wall_slot: Option<u64>) -> Result<TxId, SubmitError> {
        self.mempool.check_room(raw)?;
        let slot = self.next_slot(wall_slot);
        let submitted = self.mempool.submit(&mut self.stack.ledger, raw, slot);
        if submitted.is_ok() {
            self.shown.outdate();
        }
        if let Err(error) = &submitted
            && let Ok(parts) = crate::block::TxParts::split(raw)
        {
            self.remember_refused(*parts.id(), error.to_string());
        }
        submitted
    }

    fn remember_refused(&mut self, id: TxId, reason: String) {
        self.refused.push_back((id, reason));
        if self.refused.len() > REFUSED_KEPT {
            self.refused.pop_front();
        }
    }

    /// Where a transaction is.
    pub fn transaction(&self, id: &TxId) -> TxStatus {
        let confirmed = self
            .confirmed
            .get(id)
            .and_then(|number| self.view.block(*number));
        if let Some(block) = confirmed {
            let depth = self
                .view
                .tip()
                .block_number
                .saturating_sub(block.block_number);
            return TxStatus::Confirmed { block, depth };
        }
        if self.mempool.contains(id) {
            return TxStatus::Waiting;
        }
        match self.refused.iter().rev().find(|(refused, _)| refused == id) {
            Some((_, reason)) => TxStatus::Refused {
                reason: reason.clone(),
            },
            None => TxStatus::Unknown,
        }
    }

    /// Stops or resumes the making of blocks.
    pub fn set_stalled(&mut self, stalled: bool) {
        self.stalled = stalled;
    }

    /// Whether no blocks are made.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// What is in the devnet.
    pub fn status(&self) -> Status {
        let (profile, state) = (self.genesis.profile, &self.stack.state);
        let slot = state.tip.map_or(0, |tip| tip.slot);
        Status {
            tip: self.view.tip(),
            epoch: profile.epoch_of(slot),
            epoch_slots_left: profile.next_epoch_slot(slot).saturating_sub(slot),
            epoch_nonce: state.nonces.active,
            mempool_transactions: self.mempool.len(),
            mempool_bytes: self.mempool.bytes(),
            rollbacks: self.reorganisations,
            stalled: self.stalled,
        }
    }

    /// The ledger with all that waits applied: what the next transaction in the mempool builds on.
    pub fn with_waiting(&self) -> &Ledger {
        &self.stack.ledger
    }

    /// Asks something of the ledger and the chain's state as they were after the block at `point`, at most k blocks back.
    pub fn at<T>(
        &mut self,
        point: &Point,
        ask: impl FnOnce(&Ledger, &ChainState) -> T,
    ) -> Result<T, ChainError> {
        let height = self.view.height_of(point).ok_or(ChainError::NotOnChain)?;
        let depth = self.view.tip().height.saturating_sub(height);
        let maximum = self.genesis.profile.security_parameter();
        if depth > maximum.min(self.stack.depth()) {
            return Err(ChainError::TooDeep { depth, maximum });
        }
        let waiting = self.mempool.unwind(&mut self.stack.ledger);
        let popped: Vec<_> = (0..depth).filter_map(|_| self.stack.pop()).collect();
        let answer = ask(&self.stack.ledger, &self.stack.state);
        popped
            .into_iter()
            .rev()
            .for_each(|block| self.stack.push_back(block));
        self.mempool.restore(&mut self.stack.ledger, waiting);
        Ok(answer)
    }

    /// Writes a change of the chain down and shows it to followers: of its blocks the first `keep` stay, `blocks` follow.
    fn commit(&mut self, keep: u64, blocks: Vec<Block>) -> Result<(), ChainError> {
        self.shown.outdate();
        let raws: Vec<&[u8]> = blocks.iter().map(|block| &*block.raw).collect();
        if let Some(file) = &mut self.file
            && let Err(error) = file.append(keep, &raws)
        {
            self.stopped = true;
            return Err(error.into());
        }
        self.view.replace(keep, blocks);
        Ok(())
    }

    fn refuse_if_stopped(&self) -> Result<(), ChainError> {
        if self.stopped {
            Err(ChainError::Stopped)
        } else {
            Ok(())
        }
    }
}
