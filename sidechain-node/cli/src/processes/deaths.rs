//! When a process that ended by itself is started again, and when no more.

use std::time::{Duration, Instant};

/// The pause before the first new start; each next one takes twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// So many deaths within [`WINDOW`] are too many.
pub(super) const DEATHS_MAX: usize = 5;
/// What counts as short: between the first and the last of too many deaths, and for a life.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// The deaths of one process.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    /// Those of the last [`WINDOW`], the oldest first.
    recent: Vec<Instant>,
    /// Deaths in a row, each after a life shorter than [`WINDOW`].
    in_row: u32,
}

impl Deaths {
    /// It died at `now` after living for `lived`: how long until its next start, or `None` where it is given up.
    pub(super) fn died(&mut self, now: Instant, lived: Duration) -> Option<Duration> {
        self.recent
            .retain(|death| now.saturating_duration_since(*death) < WINDOW);
        self.recent.push(now);
        if lived >= WINDOW {
            self.in_row = 0;
        }
        let doubled = 1u32.checked_shl(self.in_row).unwrap_or(u32::MAX);
        self.in_row = self.in_row.saturating_add(1);
        let pause = PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX);
        (self.recent.len() < DEATHS_MAX).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of a process that lives for so many seconds each time, in seconds; it ends where the process is given up.
    fn pauses(lived_s: &[u64]) -> Vec<u64> {
        let (mut deaths, mut now) = (Deaths::default(), Instant::now());
        let next = |lived: &u64| {
            let lived = Duration::from_secs(*lived);
            now += lived;
            let pause = deaths.died(now, lived)?;
            now += pause;
            Some(pause.as_secs())
        };
        lived_s.iter().map_while(next).collect()
    }

    #[test]
    fn pauses_double_to_half_a_minute_and_five_deaths_within_a_minute_are_too_many() {
        for (lived_s, expected) in [
            // Dies at once, each time.
            (&[0; 9][..], &[1, 2, 4, 8][..]),
            // Not five within a minute.
            (&[20; 9], &[1, 2, 4, 8, 16, 30, 30, 30, 30]),
            // A minute of life is forgiven.
            (&[0, 0, 0, 60, 0], &[1, 2, 4, 1, 2]),
            (&[59, 59, 59], &[1, 2, 4]),
            (&[600; 40], &[1; 40]),
        ] {
            assert_eq!(pauses(lived_s), expected, "{lived_s:?}");
        }
    }

    #[test]
    fn a_pause_stays_the_longest_however_often_it_dies() {
        let expected = [&[1, 2, 4, 8, 16][..], &[30; 95]].concat();
        assert_eq!(pauses(&[20; 100]), expected);
    }
}
