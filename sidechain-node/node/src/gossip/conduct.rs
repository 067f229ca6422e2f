//! How much a peer may send, and how much nonsense.

use nupeer_primitives::TimeMs;

/// Bytes of messages that a peer may send: at a sudden, and per second. Thrice what 2,000 transactions a second take.
const BYTES_AT_ONCE: u64 = 8 << 20;
const BYTES_PER_S: u64 = 2 << 20;
/// Messages with something that no honest node sends on: at a sudden, and per minute.
const OFFENCES_AT_ONCE: u64 = 10;
const OFFENCES_PER_MIN: u64 = 10;

/// An allowance that fills up again with time.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// In thousandths, so that slow rates fill evenly.
    left_milli: u64,
    at: TimeMs,
    most: u64,
    per_ms_milli: u64,
}

impl Allowance {
    fn new(most: u64, per_ms_milli: u64, now: TimeMs) -> Self {
        Allowance {
            left_milli: most.saturating_mul(1_000),
            at: now,
            most,
            per_ms_milli,
        }
    }

    fn take(&mut self, amount: u64, now: TimeMs) -> bool {
        let gained = self.at.until(now).saturating_mul(self.per_ms_milli);
        self.left_milli = self
            .left_milli
            .saturating_add(gained)
            .min(self.most.saturating_mul(1_000));
        self.at = self.at.max(now);
        let amount = amount.saturating_mul(1_000);
        let enough = amount <= self.left_milli;
        if enough {
            self.left_milli -= amount;
        }
        enough
    }
}

/// What is known of a connected peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conduct {
    bytes: Allowance,
    offences: Allowance,
}

impl Conduct {
    /// Of somebody new.
    pub(super) fn new(now: TimeMs) -> Self {
        Conduct {
            bytes: Allowance::new(BYTES_AT_ONCE, BYTES_PER_S, now),
            // Per minute, in thousandths per millisecond, rounded up: never stricter than it says.
            offences: Allowance::new(OFFENCES_AT_ONCE, OFFENCES_PER_MIN.div_ceil(60), now),
        }
    }

    /// Whether a message of that length may be looked at.
    pub(super) fn receives(&mut self, length: usize, now: TimeMs) -> bool {
        self.bytes.take(length as u64, now)
    }

    /// Notes an offence; says whether the peer may stay.
    pub(super) fn offends(&mut self, now: TimeMs) -> bool {
        self.offences.take(1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut conduct = Conduct::new(TimeMs(0));
        assert!(conduct.receives(8 << 20, TimeMs(0)));
        assert!(!conduct.receives(1 << 20, TimeMs(0)));
        assert!(!conduct.receives(1 << 20, TimeMs(499)));
        assert!(conduct.receives(1 << 20, TimeMs(501)));
        // A clock that goes back gives nothing and breaks nothing.
        assert!(!conduct.receives(1 << 20, TimeMs(0)));
    }

    #[test]
    fn ten_offences_are_borne_and_an_eleventh_is_not() {
        let mut conduct = Conduct::new(TimeMs(0));
        assert!((0..10).all(|_| conduct.offends(TimeMs(0))));
        assert!(!conduct.offends(TimeMs(0)));
        assert!(conduct.offends(TimeMs(10_000)));
    }

    #[test]
    fn nothing_overflows() {
        let mut conduct = Conduct::new(TimeMs(u64::MAX));
        assert!(!conduct.receives(usize::MAX, TimeMs(u64::MAX)));
        assert!(conduct.receives(1, TimeMs(u64::MAX)));
    }
}
