//! Telling of decided blocks as they come. What came before is in the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::summary::BlockSummary;

/// Blocks that a slow listener may lag behind.
const LAG_MAX: usize = 256;

/// Decided blocks, to whoever listens.
pub struct News(Mutex<Option<broadcast::Sender<Arc<BlockSummary>>>>);

impl Default for News {
    fn default() -> Self {
        News(Mutex::new(Some(broadcast::Sender::new(LAG_MAX))))
    }
}

impl News {
    /// Tells of a block.
    pub fn tell(&self, block: Arc<BlockSummary>) {
        if let Some(live) = &*self.live() {
            // Nobody listening is no error.
            let _ = live.send(block);
        }
    }

    /// Blocks from now on. Whoever falls behind by more than 256 is told so, and finds in the store what it missed. The channel
    /// closes when the node stops.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<BlockSummary>> {
        match &*self.live() {
            Some(live) => live.subscribe(),
            // Its sender is gone at once: closed.
            None => broadcast::Sender::new(1).subscribe(),
        }
    }

    /// There will be no more blocks.
    pub fn close(&self) {
        *self.live() = None;
    }

    fn live(&self) -> MutexGuard<'_, Option<broadcast::Sender<Arc<BlockSummary>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use broadcast::error::TryRecvError;
    use nupeer_primitives::{Hash, Hash28, Height, TimeMs};

    use super::*;

    fn block(height: u64) -> Arc<BlockSummary> {
        Arc::new(BlockSummary {
            height: Height(height),
            id: Hash::ZERO,
            time: TimeMs(height),
            proposer: Hash28([0; 28]),
            state_root: Hash::ZERO,
            cardano: None,
            transactions: vec![],
            events: Vec::new(),
        })
    }

    #[test]
    fn listeners_hear_what_is_told_and_that_it_is_over() {
        let news = News::default();
        news.tell(block(1));
        let mut one = news.subscribe();
        news.tell(block(2));
        news.close();
        news.tell(block(3));
        assert_eq!(one.try_recv().map(|block| block.height), Ok(Height(2)));
        assert_eq!(one.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(news.subscribe().try_recv(), Err(TryRecvError::Closed));
    }
}
