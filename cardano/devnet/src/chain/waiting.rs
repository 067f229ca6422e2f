//! The mempool as clients are shown it, and word of its changes.

use std::sync::Arc;

use tokio::sync::watch;

use super::Chain;
use crate::waiting::{Measures, Snapshot, Waiting};

/// The last snapshot, as long as it holds, and who is told when it does not.
#[derive(Debug)]
pub(super) struct Shown {
    snapshot: Option<Arc<Snapshot>>,
    changed: watch::Sender<u64>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            snapshot: None,
            changed: watch::Sender::new(0),
        }
    }
}

impl Shown {
    /// The mempool or the tip is another than before.
    pub(super) fn outdate(&mut self) {
        self.snapshot = None;
        self.changed
            .send_modify(|version| *version = version.wrapping_add(1));
    }
}

impl Chain {
    /// What waits now. All who ask between two changes share it, so that a crowd of them holds it once.
    pub(crate) fn waiting(&mut self) -> Arc<Snapshot> {
        if let Some(snapshot) = &self.shown.snapshot {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(Snapshot {
            slot: self.next_slot(None),
            transactions: self.mempool.transactions().map(Waiting::from).collect(),
            capacity: Measures::capacity(self.stack.ledger.parameters()),
        });
        self.shown.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    /// Tells whenever what waits, or the tip, may be another.
    pub(crate) fn waiting_changes(&self) -> watch::Receiver<u64> {
        self.shown.changed.subscribe()
    }
}
