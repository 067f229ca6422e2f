//! Samples and what is said of them.

use std::time::Duration;

/// The sample below which this share (0 to 1) lies; 0 where there is none.
pub(crate) fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * sorted.len() as f64).ceil() as usize;
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(place.saturating_sub(1).min(last))
        .copied()
        .unwrap_or(0.0)
}

/// The middle one.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 0.5)
}

/// Milliseconds, to three digits.
pub(crate) fn millis(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

/// To three digits after the point.
pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
