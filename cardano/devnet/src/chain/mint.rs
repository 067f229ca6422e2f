//! Making blocks.

use std::sync::Arc;

use pallas_crypto::hash::Hash;

use super::{Chain, ChainError};
use crate::{
    block::{BlockBody, TxParts},
    header::{Claim, Header, forge},
    mempool::Budget,
    stack::{Layer, apply},
    verify::ChainState,
    view::Block,
};
use nupeer_cardano_ledger::ValidatedTx;

impl Chain {
    /// Makes `count` blocks in consecutive slots, the first not before the wall clock's; they are on disk when this returns.
    pub fn mint(&mut self, count: u64, wall_slot: Option<u64>) -> Result<(), ChainError> {
        self.refuse_if_stopped()?;
        let keep = self.view.tip().height;
        let mut blocks = Vec::new();
        for index in 0..count {
            let slot = self.next_slot(wall_slot.filter(|_| index == 0));
            blocks.push(self.make_block(slot));
        }
        self.commit(keep, blocks)
    }

    /// Makes the block of `slot` out of the transactions that wait, as many as fit, in their order. Those that are no longer
    /// valid are dropped.
    pub(super) fn make_block(&mut self, slot: u64) -> Block {
        let waiting = self.mempool.unwind(&mut self.stack.ledger);
        let mut layer = self.stack.open(slot);
        self.fill(&mut layer, waiting, slot);
        let raws: Vec<_> = layer
            .applied
            .iter()
            .map(|applied| applied.tx.raw().to_vec())
            .collect();
        let parts: Vec<_> = raws
            .iter()
            .filter_map(|raw| TxParts::split(raw).ok())
            .collect();
        let body = BlockBody::assemble(&parts);
        let (header, state) = self.make_header(slot, &body);
        for applied in &layer.applied {
            self.confirmed
                .insert(applied.tx.id(), header.body.block_number);
        }
        let block = Block {
            block_number: header.body.block_number,
            slot,
            hash: header.hash,
            raw: Arc::from(body.with_header(&header.raw)),
        };
        self.stack.close(layer, state);
        block
    }

    /// Applies the waiting transactions that are still valid: those that fit to the block, from the first that does not on to
    /// the mempool again.
    fn fill(&mut self, layer: &mut Layer, waiting: Vec<ValidatedTx>, slot: u64) {
        let mut budget = Some(Budget::of(self.stack.ledger.parameters()));
        for tx in waiting {
            let id = tx.id();
            let ledger = &mut self.stack.ledger;
            match ledger
                .validate(tx.raw(), slot)
                .and_then(|tx| apply(ledger, tx))
            {
                Ok(applied) => {
                    budget = budget.and_then(|budget| budget.after(&applied.tx).ok());
                    if budget.is_some() {
                        layer.applied.push(applied);
                    } else {
                        self.mempool.push(applied);
                    }
                }
                Err(error) => {
                    tracing::info!(tx = %Hash::new(id), %error, "a waiting transaction is no longer valid");
                    self.remember_refused(id, error.to_string());
                }
            }
        }
    }

    /// Forges the header over `body`, and gives the chain's state after it.
    fn make_header(&mut self, slot: u64, body: &BlockBody<'_>) -> (Header, ChainState) {
        let (profile, state) = (self.genesis.profile, &self.stack.state);
        let kes_period = slot / profile.kes_period_slots();
        let epoch_nonce = state.nonces.tick(profile, slot).active;
        let claim = Claim {
            block_number: state.next().0,
            slot,
            prev_hash: state.tip.map(|tip| tip.hash),
            body_size: body.size(),
            body_hash: body.hash(),
        };
        let pool = leader(&mut self.pools, slot, self.reorganisations);
        let last = state.certificates.get(&pool.id()).copied();
        let certificate = pool.certificate(kes_period, |start| match last {
            Some(last) if last.kes_period == start => last.counter,
            Some(last) => last.counter.saturating_add(1),
            None => 0,
        });
        let header = forge(pool, kes_period, certificate, &epoch_nonce, claim);
        let after = state.advance(&header);
        (header, after)
    }
}

/// The pool that makes the block of `slot`. With f = 1 every pool leads every slot, so taking turns is within the rules; after a
/// reorganisation the turns shift, or the second chain's blocks would be the first one's again.
fn leader(
    pools: &mut [crate::keys::PoolKeys],
    slot: u64,
    reorganisations: u64,
) -> &mut crate::keys::PoolKeys {
    let turn = slot.wrapping_add(reorganisations) % pools.len().max(1) as u64;
    &mut pools[usize::try_from(turn).unwrap_or(0)]
}
