//! Forks and rollbacks on demand.

use super::{
    Chain, ChainError, Reorganisation, Reorganised, SubmitError,
    open::{origin, replay},
};
use crate::{
    block::{TxParts, split_block},
    stack::Popped,
    view::{Block, Point},
};
use nupeer_cardano_ledger::TxId;

impl Chain {
    /// Takes blocks back and, if wanted, lets a second chain of blocks outgrow them, one block longer. What was in the old blocks
    /// returns to the new ones or to the mempool, but for what is to be dropped and for what conflicts with the replacements.
    pub fn reorganise(&mut self, wanted: &Reorganisation) -> Result<Reorganised, ChainError> {
        self.refuse_if_stopped()?;
        let height = self.view.tip().height;
        let keep = self.check_depth(wanted, height)?;
        let old: Vec<Block> = (keep..height)
            .filter_map(|number| self.view.block(number))
            .collect();
        let waiting = self.mempool.unwind(&mut self.stack.ledger);
        let popped = self.rewind(keep, height)?;
        if let Err(error) = self.replace(&wanted.replacements) {
            self.mempool.unwind(&mut self.stack.ledger);
            self.rewind_undone(popped, height)?;
            self.mempool.restore(&mut self.stack.ledger, waiting);
            return Err(error);
        }
        let waiting = waiting.iter().map(|tx| tx.raw().to_vec());
        let candidates = old.iter().flat_map(transactions).chain(waiting).collect();
        self.forget(&old);
        let (returned, dropped) = self.bring_back(candidates, &wanted.drop);
        self.reorganisations += u64::from(wanted.depth > 0);
        let blocks = if wanted.outgrow { wanted.depth + 1 } else { 0 };
        let blocks = (0..blocks)
            .map(|_| self.make_block(self.next_slot(None)))
            .collect();
        self.commit(keep, blocks)?;
        let intersection = self.point_before(keep);
        Ok(Reorganised {
            intersection,
            rolled_back: wanted.depth,
            tip: self.view.tip(),
            returned,
            dropped,
        })
    }

    fn check_depth(&self, wanted: &Reorganisation, height: u64) -> Result<u64, ChainError> {
        let (depth, maximum) = (wanted.depth, self.genesis.profile.security_parameter());
        if depth > maximum && !wanted.force {
            return Err(ChainError::TooDeep { depth, maximum });
        }
        height
            .checked_sub(depth)
            .ok_or(ChainError::BeyondOrigin { depth, height })
    }

    /// Takes the ledger back to its first `keep` blocks; beyond what can be undone, by replaying them.
    fn rewind(&mut self, keep: u64, height: u64) -> Result<Vec<Popped>, ChainError> {
        let depth = height - keep;
        if depth <= self.stack.depth() {
            return Ok((0..depth).filter_map(|_| self.stack.pop()).collect());
        }
        self.replay_to(keep)?;
        Ok(Vec::new())
    }

    fn rewind_undone(&mut self, popped: Vec<Popped>, height: u64) -> Result<(), ChainError> {
        popped
            .into_iter()
            .rev()
            .for_each(|block| self.stack.push_back(block));
        if self.stack.state.next().0 != height {
            self.replay_to(height)?;
        }
        Ok(())
    }

    fn replay_to(&mut self, height: u64) -> Result<(), ChainError> {
        let mut stack = origin(&self.genesis)?;
        for block in (0..height).filter_map(|number| self.view.block(number)) {
            replay(&mut stack, block.raw)?;
        }
        self.stack = stack;
        Ok(())
    }

    fn replace(&mut self, replacements: &[Vec<u8>]) -> Result<(), ChainError> {
        let slot = self.next_slot(None);
        for (index, raw) in replacements.iter().enumerate() {
            let submitted = self.mempool.submit(&mut self.stack.ledger, raw, slot);
            submitted.map_err(|error| ChainError::Replacement { index, error })?;
        }
        Ok(())
    }

    fn forget(&mut self, blocks: &[Block]) {
        let ids = blocks
            .iter()
            .flat_map(transactions)
            .filter_map(|raw| id_of(&raw));
        for id in ids {
            self.confirmed.remove(&id);
        }
    }

    /// Takes transactions into the mempool again: those that are in it, those that the new chain refuses.
    fn bring_back(
        &mut self,
        candidates: Vec<Vec<u8>>,
        unwanted: &[TxId],
    ) -> (Vec<TxId>, Vec<(TxId, String)>) {
        let (slot, mut returned, mut dropped) = (self.next_slot(None), Vec::new(), Vec::new());
        for raw in candidates {
            let Some(id) = id_of(&raw).filter(|id| !self.mempool.contains(id)) else {
                continue;
            };
            let submitted = if unwanted.contains(&id) {
                Err("dropped by the fork".to_owned())
            } else {
                let submitted = self.mempool.submit(&mut self.stack.ledger, &raw, slot);
                submitted.map_err(|error: SubmitError| error.to_string())
            };
            match submitted {
                Ok(id) => returned.push(id),
                Err(reason) => {
                    self.remember_refused(id, reason.clone());
                    dropped.push((id, reason));
                }
            }
        }
        (returned, dropped)
    }

    fn point_before(&self, height: u64) -> Point {
        match height
            .checked_sub(1)
            .and_then(|number| self.view.block(number))
        {
            Some(block) => Point::Block {
                slot: block.slot,
                hash: block.hash,
            },
            None => Point::Origin,
        }
    }
}

/// The transactions of one of our blocks.
fn transactions(block: &Block) -> Vec<Vec<u8>> {
    let body = split_block(&block.raw).map(|(_, body)| body.transactions());
    body.and_then(|transactions| transactions)
        .unwrap_or_default()
}

fn id_of(raw: &[u8]) -> Option<TxId> {
    TxParts::split(raw).ok().map(|parts| *parts.id())
}
