//! Slots and POSIX time: what phase 2 sees of the validity interval.

/// How slots map to time and epochs, within one era of constant slot length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotClock {
    /// The slot that `zero_time_ms` belongs to.
    pub zero_slot: u64,
    /// The POSIX time at which `zero_slot` starts, in milliseconds.
    pub zero_time_ms: u64,
    /// The length of a slot, in milliseconds.
    pub slot_length_ms: u64,
    /// The epoch that starts at `zero_slot`.
    pub zero_epoch: u64,
    /// The length of an epoch, in slots; `zero_slot` starts one.
    pub epoch_length_slots: u64,
    /// 3k/f: how far ahead of the tip the era is known to last, in slots.
    pub stability_window_slots: u64,
}

impl SlotClock {
    /// Mainnet's clock since Shelley.
    pub const MAINNET: Self = Self {
        zero_slot: 4_492_800,
        zero_time_ms: 1_596_059_091_000,
        slot_length_ms: 1_000,
        zero_epoch: 208,
        epoch_length_slots: 432_000,
        stability_window_slots: 129_600,
    };

    /// The POSIX time at which a slot starts, in milliseconds; nothing for slots before `zero_slot` or times beyond 64 bits.
    pub fn posix_time_ms(&self, slot: u64) -> Option<u64> {
        let elapsed_ms = slot
            .checked_sub(self.zero_slot)?
            .checked_mul(self.slot_length_ms)?;
        self.zero_time_ms.checked_add(elapsed_ms)
    }

    /// The epoch that a slot lies in; slots before `zero_slot` count to the epoch that starts there.
    pub fn epoch(&self, slot: u64) -> u64 {
        let elapsed = slot.saturating_sub(self.zero_slot) / self.epoch_length_slots.max(1);
        self.zero_epoch.saturating_add(elapsed)
    }

    /// The first slot whose time cannot be told at `tip`: the end of the epoch that the stability window reaches into.
    ///
    /// Source: Ouroboros consensus, hard-fork history: an era whose end is not known is safe to forecast for `3k/f` slots,
    /// rounded up to an epoch boundary. Saturates at the greatest slot.
    pub fn forecast_horizon(&self, tip: u64) -> u64 {
        let safe = tip
            .max(self.zero_slot)
            .saturating_add(self.stability_window_slots);
        let epochs = (safe - self.zero_slot).div_ceil(self.epoch_length_slots.max(1));
        epochs
            .saturating_mul(self.epoch_length_slots)
            .saturating_add(self.zero_slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: SlotClock = SlotClock {
        zero_slot: 100,
        zero_time_ms: 5_000,
        slot_length_ms: 200,
        zero_epoch: 7,
        epoch_length_slots: 50,
        stability_window_slots: 60,
    };

    #[test]
    fn slots_become_times() {
        for (slot, time) in [
            (99, None),
            (100, Some(5_000)),
            (105, Some(6_000)),
            (u64::MAX, None),
        ] {
            assert_eq!(CLOCK.posix_time_ms(slot), time, "{slot}");
        }
    }

    #[test]
    fn slots_lie_in_epochs() {
        for (slot, epoch) in [(0, 7), (100, 7), (149, 7), (150, 8), (200, 9)] {
            assert_eq!(CLOCK.epoch(slot), epoch, "{slot}");
        }
    }

    #[test]
    fn the_horizon_is_an_epoch_boundary_beyond_the_stability_window() {
        for (tip, horizon) in [
            (0, 200),
            (100, 200),
            (140, 200),
            (141, 250),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(CLOCK.forecast_horizon(tip), horizon, "{tip}");
        }
    }
}
