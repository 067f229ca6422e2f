//! The wall clock in slots.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::profile::SLOT_LENGTH_MS;

/// Tells the slot. A manual clock tells none: then each block follows in the next slot, whenever it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Blocks are made on demand, and their slots depend on nothing else.
    Manual,
    /// Slots pass with time.
    Wall {
        /// When slot 0 began, in milliseconds since 1970.
        system_start_ms: u64,
    },
}

impl Clock {
    /// The current slot.
    pub fn slot(&self) -> Option<u64> {
        match self {
            Clock::Manual => None,
            Clock::Wall { system_start_ms } => {
                Some(now_ms().saturating_sub(*system_start_ms) / SLOT_LENGTH_MS)
            }
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_pass_with_time_unless_the_clock_is_manual() {
        let clock = Clock::Wall {
            system_start_ms: now_ms() - 10 * SLOT_LENGTH_MS,
        };
        assert!(clock.slot().is_some_and(|slot| (10..1_000).contains(&slot)));
        assert_eq!(
            Clock::Wall {
                system_start_ms: u64::MAX
            }
            .slot(),
            Some(0),
            "before the start"
        );
        assert_eq!(Clock::Manual.slot(), None);
    }
}
