//! Telling of decided blocks: to whoever listens now, and the last ones to whoever was away for a moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use nupeer_primitives::Height;
use tokio::sync::broadcast;

use crate::summary::BlockSummary;

/// Blocks that a slow listener may lag behind.
const LAG_MAX: usize = 256;
/// What the remembered blocks may hold: as many blocks, and as many transactions in all.
const BLOCKS_MAX: usize = 1_024;
const TRANSACTIONS_MAX: usize = 20_000;

/// Decided blocks of this run of the node.
pub struct News {
    live: broadcast::Sender<Arc<BlockSummary>>,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    blocks: VecDeque<Arc<BlockSummary>>,
    transactions: usize,
}

impl Default for News {
    fn default() -> Self {
        News {
            live: broadcast::Sender::new(LAG_MAX),
            recent: Mutex::default(),
        }
    }
}

impl News {
    /// Tells of a block.
    pub fn tell(&self, block: Arc<BlockSummary>) {
        self.recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(block.clone());
        // Nobody listening is no error.
        let _ = self.live.send(block);
    }

    /// Blocks from now on. Whoever falls behind by more than 256 is told so and should ask for [`News::since`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<BlockSummary>> {
        self.live.subscribe()
    }

    /// The blocks from `from` on, if all of them are remembered: at most 1,024 blocks with 20,000 transactions are, and none from
    /// before the node started.
    pub fn since(&self, from: Height) -> Option<Vec<Arc<BlockSummary>>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.blocks.front()?.height;
        let wanted = recent
            .blocks
            .iter()
            .filter(|block| block.height >= from)
            .cloned();
        (first <= from).then(|| wanted.collect())
    }
}

impl Recent {
    fn push(&mut self, block: Arc<BlockSummary>) {
        self.transactions = self.transactions.saturating_add(block.transactions.len());
        self.blocks.push_back(block);
        while self.blocks.len() > BLOCKS_MAX
            || (self.transactions > TRANSACTIONS_MAX && self.blocks.len() > 1)
        {
            let Some(oldest) = self.blocks.pop_front() else {
                return;
            };
            self.transactions = self.transactions.saturating_sub(oldest.transactions.len());
        }
    }
}
