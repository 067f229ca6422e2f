//! Repeated measurements of one speed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Speeds in bytes per second, in the order they were measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Raw samples.
    pub bytes_per_s: Vec<u64>,
}

impl Samples {
    /// Adds `bytes` that took `time`.
    pub(super) fn push(&mut self, bytes: u64, time: Duration) {
        let nanos = time.as_nanos().max(1);
        let speed = u128::from(bytes) * 1_000_000_000 / nanos;
        self.bytes_per_s
            .push(u64::try_from(speed).unwrap_or(u64::MAX));
    }

    /// The sample in the middle, the lower of two; 0 without samples. What a machine can be held to: a single lucky or
    /// unlucky moment does not move it.
    pub fn median(&self) -> u64 {
        let mut sorted = self.bytes_per_s.clone();
        sorted.sort_unstable();
        sorted
            .get(sorted.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_lower_middle() {
        for (samples, median) in [
            (vec![], 0),
            (vec![7], 7),
            (vec![9, 1], 1),
            (vec![5, 1, 9], 5),
            (vec![4, 3, 2, 1], 2),
        ] {
            assert_eq!(
                Samples {
                    bytes_per_s: samples
                }
                .median(),
                median
            );
        }
    }

    #[test]
    fn a_speed_is_bytes_over_time_and_never_divides_by_zero() {
        let mut samples = Samples::default();
        samples.push(1000, Duration::from_millis(500));
        samples.push(1, Duration::ZERO);
        samples.push(u64::MAX, Duration::ZERO);
        assert_eq!(samples.bytes_per_s, [2000, 1_000_000_000, u64::MAX]);
    }
}
