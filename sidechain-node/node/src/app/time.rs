//! Whether a block's time is near enough to this validator's clock (DESIGN.md "Block header").

use nupeer_primitives::TimeMs;

/// How far a block's time may be ahead of the clock of whoever votes for it, in ms, and how far behind when it is
/// proposed in round 0.
pub const DRIFT_MAX_MS: u64 = 2_000;

/// How a block's time stands to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Near enough.
    Within,
    /// Too far ahead: the clock will get there.
    Ahead,
    /// Too far behind: it will never get better.
    Behind,
}

/// When a block was looked at, by the clock of whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it arrived.
    pub first: TimeMs,
    /// Now: it may have had to wait.
    pub now: TimeMs,
}

/// Compares the time of a block proposed in `round` with the clock. Each further round allows that much more behind: a
/// network so slow that blocks arrive late must not stop the chain, and rounds get longer for the same reason.
pub fn drift(block: TimeMs, seen: Seen, round: u32) -> Drift {
    let late_max = DRIFT_MAX_MS.saturating_mul(u64::from(round).saturating_add(1));
    if seen.now.until(block) > DRIFT_MAX_MS {
        Drift::Ahead
    } else if block.until(seen.first) > late_max {
        Drift::Behind
    } else {
        Drift::Within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_either_way_and_more_behind_in_later_rounds() {
        for (block, clock, round, expected) in [
            (10_000, 10_000, 0, Drift::Within),
            (12_000, 10_000, 0, Drift::Within),
            (12_001, 10_000, 0, Drift::Ahead),
            (12_001, 10_000, 9, Drift::Ahead),
            (8_000, 10_000, 0, Drift::Within),
            (7_999, 10_000, 0, Drift::Behind),
            (7_999, 10_000, 1, Drift::Within),
            (0, u64::MAX, u32::MAX, Drift::Behind),
            (u64::MAX, 0, 0, Drift::Ahead),
        ] {
            let clock = TimeMs(clock);
            let found = drift(
                TimeMs(block),
                Seen {
                    first: clock,
                    now: clock,
                },
                round,
            );
            assert_eq!(found, expected, "{block} at {clock} in round {round}");
        }
    }

    #[test]
    fn a_block_that_had_to_wait_is_not_late_for_that() {
        let seen = Seen {
            first: TimeMs(10_000),
            now: TimeMs(60_000),
        };
        assert_eq!(drift(TimeMs(9_000), seen, 0), Drift::Within);
        assert_eq!(drift(TimeMs(7_000), seen, 0), Drift::Behind);
    }
}
