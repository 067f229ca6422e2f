//! The ledger with the changes that led to it, newest last, so that blocks can be taken back and put back.

use std::collections::VecDeque;

use crate::verify::ChainState;
use nupeer_cardano_ledger::{Ledger, LedgerError, Undo, ValidatedTx};

/// How many blocks can be taken back without replaying the chain: twice the deeper profile's k.
const LAYERS_KEPT: usize = 4_320;

/// A transaction that is applied, with what takes it back.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) tx: ValidatedTx,
    pub(crate) undo: Undo,
}

/// One block's changes.
#[derive(Debug)]
pub(crate) struct Layer {
    slot: u64,
    before: ChainState,
    advance: Undo,
    pub(crate) applied: Vec<Applied>,
}

/// A block's changes, taken back and ready to be put back.
#[derive(Debug)]
pub(crate) struct Popped {
    slot: u64,
    after: ChainState,
    transactions: Vec<ValidatedTx>,
}

/// The ledger and the chain's state after its last block, with the way back.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) ledger: Ledger,
    pub(crate) state: ChainState,
    layers: VecDeque<Layer>,
}

/// Applies a validated transaction.
pub(crate) fn apply(ledger: &mut Ledger, tx: ValidatedTx) -> Result<Applied, LedgerError> {
    let undo = ledger.apply(&tx)?;
    Ok(Applied { tx, undo })
}

/// Takes the newest transaction back.
pub(crate) fn revert(ledger: &mut Ledger, applied: Applied) -> ValidatedTx {
    ledger.undo(applied.undo);
    applied.tx
}

impl Stack {
    pub(crate) fn new(ledger: Ledger, state: ChainState) -> Self {
        Self {
            ledger,
            state,
            layers: VecDeque::new(),
        }
    }

    /// How many blocks can be taken back.
    pub(crate) fn depth(&self) -> u64 {
        self.layers.len() as u64
    }

    /// The transactions of the newest block.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &ValidatedTx> {
        self.layers
            .back()
            .into_iter()
            .flat_map(|layer| layer.applied.iter().map(|applied| &applied.tx))
    }

    /// Begins a block at `slot`.
    pub(crate) fn open(&mut self, slot: u64) -> Layer {
        let advance = match self.ledger.apply_block(slot, &[]) {
            Ok(undo) => undo,
            Err(_) => unreachable!("a block without transactions has none that could be refused"),
        };
        Layer {
            slot,
            before: self.state.clone(),
            advance,
            applied: Vec::new(),
        }
    }

    /// Ends a block, after which the chain's state is `after`.
    pub(crate) fn close(&mut self, layer: Layer, after: ChainState) {
        self.state = after;
        self.layers.push_back(layer);
        if self.layers.len() > LAYERS_KEPT {
            self.layers.pop_front();
        }
    }

    /// Takes the newest block back.
    pub(crate) fn pop(&mut self) -> Option<Popped> {
        let mut layer = self.layers.pop_back()?;
        let mut transactions = Vec::with_capacity(layer.applied.len());
        while let Some(applied) = layer.applied.pop() {
            transactions.push(revert(&mut self.ledger, applied));
        }
        transactions.reverse();
        self.ledger.undo(layer.advance);
        let after = std::mem::replace(&mut self.state, layer.before);
        Some(Popped {
            slot: layer.slot,
            after,
            transactions,
        })
    }

    /// Puts back the block that was taken back last. Its transactions were valid there and are again.
    pub(crate) fn push_back(&mut self, popped: Popped) {
        let mut layer = self.open(popped.slot);
        for tx in popped.transactions {
            match apply(&mut self.ledger, tx) {
                Ok(applied) => layer.applied.push(applied),
                Err(error) => unreachable!("a transaction was valid in this very state: {error}"),
            }
        }
        self.close(layer, popped.after);
    }
}
