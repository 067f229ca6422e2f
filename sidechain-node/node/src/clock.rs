//! The clock of this machine, as a value, so that time can be passed in.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use nupeer_primitives::TimeMs;
use nupeer_runtime::Tip;

use crate::mempool::Next;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> TimeMs + Send + Sync>);

impl Clock {
    /// This machine's clock. Before 1970 it stands still.
    pub fn system() -> Self {
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis()
        };
        Clock(Arc::new(move || {
            TimeMs(u64::try_from(now()).unwrap_or(u64::MAX))
        }))
    }

    /// A clock that says what `now` says.
    pub fn of(now: impl Fn() -> TimeMs + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    /// Unix ms.
    pub fn now(&self) -> TimeMs {
        (self.0)()
    }

    /// What a block built now on `tip` would be: at the clock's time, but above the parent's.
    pub fn next(&self, tip: &Tip) -> Next {
        let above = tip.time.checked_add(1).unwrap_or(tip.time);
        Next {
            height: tip.height.next(),
            time: self.now().max(above),
        }
    }
}
