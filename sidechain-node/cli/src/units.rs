//! Quantities as people write them: `0.2` CPUs, `64MiB`, `10m`, `0.8ADA/h`. Integers only; more digits than there are is an error.

use std::time::Duration;

use crate::amount::parse_ada;

/// Thousandths of a CPU in `0.2`.
pub(crate) fn parse_cpu_milli(text: &str) -> Result<u32, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(format!("{text:?} is no number of CPUs; write 2 or 0.25"));
    }
    if fraction.len() > 3 {
        return Err(format!("{text:?}: a CPU has thousandths, no smaller parts"));
    }
    format!("{whole}{fraction:0<3}")
        .parse()
        .map_err(|_| format!("{text:?} is more CPUs than any machine has"))
}

/// The bytes in `64MiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];
    let found = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)));
    let Some((number, shift)) = found else {
        return Err(format!("{text:?} has no unit; write 64MiB or 2GiB"));
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{number:?} is no whole number"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text:?} is more than any machine has"))
}

/// The time in `90s`, `10m`, `2h`, `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let found = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let Some((number, seconds)) = found else {
        return Err(format!("{text:?} has no unit; write 90s, 10m, 2h or 7d"));
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{number:?} is no whole number"))?;
    number
        .checked_mul(seconds)
        .filter(|seconds| (1..=366 * 86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is not between 1s and 366d"))
}

/// The lovelace per hour in `0.8ADA/h`.
pub(crate) fn parse_price(text: &str) -> Result<u64, String> {
    let amount = text
        .strip_suffix("/h")
        .ok_or_else(|| format!("{text:?} is no price; write 0.8ADA/h"))?;
    parse_ada(amount)?
        .to_u64()
        .ok_or_else(|| format!("{text:?} is more ADA than can exist"))
}

/// `1.500` of thousandths.
pub(crate) fn show_cpu(milli: impl Into<u64>) -> String {
    let milli: u64 = milli.into();
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}

/// `64MiB`: the largest unit that leaves a whole number, MiB otherwise.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB")];
    let fits = |shift: u32| bytes >= 1 << shift && bytes.trailing_zeros() >= shift;
    let unit = units.into_iter().find(|(shift, _)| fits(*shift));
    // What a machine measured is seldom whole: rounded down.
    let (shift, unit) = unit.unwrap_or(match bytes {
        1_048_576.. => (20, "MiB"),
        1_024.. => (10, "KiB"),
        _ => (0, "B"),
    });
    format!("{}{unit}", bytes >> shift)
}

/// `1h 02m 03s`.
pub(crate) fn show_ms(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{:03}s", ms % 1_000),
        (0, _) => format!("{minutes}m {:02}s", seconds % 60),
        _ => format!("{hours}h {minutes:02}m {:02}s", seconds % 60),
    }
}

/// `2026-03-01 14:00:05Z` of milliseconds since 1970; days are counted as in the proleptic Gregorian calendar.
pub(crate) fn show_time(unix_ms: u64) -> String {
    let (days, seconds) = (unix_ms / 86_400_000, unix_ms / 1_000 % 86_400);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    // Years that begin in March, so that a leap day is the last of its year; 400 of them have 146,097 days, and day 0 lies 719,468 days after the first.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly_or_refused() {
        for (text, milli) in [
            ("0.2", Some(200)),
            ("2", Some(2_000)),
            ("0.001", Some(1)),
            ("0.0001", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("99999999", None),
        ] {
            assert_eq!(parse_cpu_milli(text).ok(), milli, "{text}");
        }
        for (text, bytes) in [
            ("64MiB", Some(64 << 20)),
            ("1GiB", Some(1 << 30)),
            ("5B", Some(5)),
            ("64", None),
            ("64MB", None),
            ("0.5GiB", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text}");
        }
        for (text, seconds) in [
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("2h", Some(7_200)),
            ("7d", Some(604_800)),
            ("0s", None),
            ("10", None),
            ("400d", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        }
        for (text, price) in [
            ("0.8ADA/h", Some(800_000)),
            ("5lovelace/h", Some(5)),
            ("0.8ADA", None),
            ("0.8/h", None),
        ] {
            assert_eq!(parse_price(text).ok(), price, "{text}");
        }
    }

    #[test]
    fn times_are_shown_as_calendars_have_them() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_709_251_199, "2024-02-29 23:59:59Z"),
            (1_709_251_200, "2024-03-01 00:00:00Z"),
            (1_772_373_605, "2026-03-01 14:00:05Z"),
            (4_107_542_399, "2100-02-28 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(show_time(seconds * 1_000 + 999), shown, "{seconds}");
        }
        assert!(show_time(u64::MAX).starts_with("584556019-"));
    }

    #[test]
    fn quantities_are_shown_as_they_can_be_written() {
        assert_eq!(show_cpu(200u32), "0.200");
        assert_eq!(show_cpu(u64::MAX), "18446744073709551.615");
        assert_eq!(show_bytes(64 << 20), "64MiB");
        assert_eq!(show_bytes(3 << 30), "3GiB");
        assert_eq!(show_bytes((64 << 20) + 1), "64MiB");
        assert_eq!(show_bytes(7), "7B");
        assert_eq!(show_ms(1_500), "1.500s");
        assert_eq!(show_ms(61_000), "1m 01s");
        assert_eq!(show_ms(3_661_000), "1h 01m 01s");
    }
}
