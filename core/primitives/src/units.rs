//! Positions in the sidechain and in Cardano, and time. All are unsigned integers with checked steps.

use std::fmt;

use minicbor::{Decode, Encode};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
        )]
        #[cbor(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The value `by` further on, or `None` past the end of the range.
            pub fn checked_add(self, by: u64) -> Option<Self> {
                self.0.checked_add(by).map(Self)
            }

            /// How far `self` lies behind `later`; zero if it lies ahead.
            pub fn until(self, later: Self) -> u64 {
                later.0.saturating_sub(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit!(
    /// A sidechain block's height; the genesis state has height 0, the first block 1.
    Height
);
unit!(
    /// A Cardano slot.
    Slot
);
unit!(
    /// A Cardano epoch.
    Epoch
);
unit!(
    /// Unix time in milliseconds, the unit of a sidechain block's time.
    TimeMs
);

impl Height {
    /// The height after this one; saturates, which no chain lives to see.
    pub fn next(self) -> Height {
        Height(self.0.saturating_add(1))
    }
}

/// The first moment that has five digits of years.
const YEAR_10000_MS: u64 = 253_402_300_800_000;

const DAY_S: u64 = 86_400;

impl TimeMs {
    /// The second in which it lies, for people to read: `2026-03-01 14:00:05Z`, by the Gregorian calendar without leap seconds, as unix time counts.
    /// What lies beyond four digits of years is `after 9999`.
    pub fn utc(self) -> String {
        if self.0 >= YEAR_10000_MS {
            return "after 9999".into();
        }
        let seconds = self.0 / 1_000;
        let (year, month, day) = date(seconds / DAY_S);
        let second = seconds % DAY_S;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day after 1970-01-01. Years are taken to begin in March, so that a leap day is the last of its year; 400 of them
/// have 146,097 days, and the months from March on begin on day (153 m + 2) ÷ 5.
fn date(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01, 719,468 days before.
    let days = days.saturating_add(719_468);
    let (cycle, day) = (days / 146_097, days % 146_097);
    let leap = day / 1_460 + day / 146_096;
    let year = (day + day / 36_524).saturating_sub(leap) / 365;
    let day = day.saturating_sub(365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = cycle * 400 + year;
    match month {
        0..10 => (year, month + 3, day),
        _ => (year + 1, month - 9, day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_its_date_and_second_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (999, "1970-01-01 00:00:00Z"),
            (1_772_373_605_000, "2026-03-01 14:00:05Z"),
            // 2000 is a leap year, 2100 is none.
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (951_868_799_999, "2000-02-29 23:59:59Z"),
            (951_868_800_000, "2000-03-01 00:00:00Z"),
            (1_709_164_800_000, "2024-02-29 00:00:00Z"),
            (4_107_542_399_000, "2100-02-28 23:59:59Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
            (1_735_689_599_000, "2024-12-31 23:59:59Z"),
            (1_735_689_600_000, "2025-01-01 00:00:00Z"),
            (253_402_300_799_999, "9999-12-31 23:59:59Z"),
            (253_402_300_800_000, "after 9999"),
            (u64::MAX, "after 9999"),
        ] {
            assert_eq!(TimeMs(ms).utc(), text, "{ms}");
        }
    }

    /// Counting one day at a time, as people do.
    #[test]
    fn every_day_of_eight_thousand_years_has_its_date() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..YEAR_10000_MS / 1_000 / DAY_S {
            assert_eq!(date(days), (year, month, day));
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }
}
