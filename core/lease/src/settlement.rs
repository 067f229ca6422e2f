//! What running time costs and who gets it: pure arithmetic on (price, metered time, deposits).
//!
//! Everything is computed from cumulative time and subtracted from what was charged before, so that the sums are the same
//! however often a lease was settled.

use nupeer_primitives::Amount;

/// Milliseconds of an hour, the unit of prices.
pub const HOUR_MS: u64 = 3_600_000;

/// Parts of the protocol fee's unit.
pub const FEE_PARTS: u16 = 10_000;

/// What `running_ms` cost at `lovelace_per_hour`, rounded **down**: the tenant keeps what is less than a lovelace.
pub fn cost(lovelace_per_hour: u64, running_ms: u64) -> Amount {
    Amount::new(u128::from(lovelace_per_hour) * u128::from(running_ms) / u128::from(HOUR_MS))
}

/// How long `deposited` lasts at `lovelace_per_hour`, in ms, rounded **down**: the cost of that time never exceeds the deposit. What
/// costs nothing lasts for ever (`u64::MAX`).
pub fn covered_ms(lovelace_per_hour: u64, deposited: Amount) -> u64 {
    deposited
        .mul_div_floor(u128::from(HOUR_MS), u128::from(lovelace_per_hour))
        .and_then(Amount::to_u64)
        .unwrap_or(u64::MAX)
}

/// The protocol's part of `charged`, in parts per ten thousand, rounded **down**: the provider keeps what is less than a
/// lovelace.
pub fn protocol_fee(charged: Amount, per_10k: u16) -> Amount {
    // `per_10k` is at most 10,000 and the product far below 2^128; a fee that could not be computed would be all of it.
    charged
        .mul_div_floor(u128::from(per_10k), u128::from(FEE_PARTS))
        .unwrap_or(charged)
}

/// What one settlement moves out of the escrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// To the provider.
    pub pay: Amount,
    /// To the protocol.
    pub fee: Amount,
    /// Charged since the lease began, this settlement included.
    pub charged: Amount,
}

/// Settles `metered_ms` of a lease that was charged `charged_before`.
pub fn settle(
    lovelace_per_hour: u64,
    per_10k: u16,
    charged_before: Amount,
    metered_ms: u64,
) -> Settlement {
    let charged = cost(lovelace_per_hour, metered_ms).max(charged_before);
    let fee = protocol_fee(charged, per_10k).saturating_sub(protocol_fee(charged_before, per_10k));
    let due = charged.saturating_sub(charged_before);
    Settlement {
        pay: due.saturating_sub(fee),
        fee,
        charged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_settlement_is_a_table() {
        // Lovelace per hour, parts per 10,000, metered before, metered after (ms) → pay, fee.
        for (price, per_10k, before, after, pay, fee) in [
            (3_600_000, 1_000, 0, 1_000, 900, 100),
            (3_600_000, 1_000, 1_000, 1_000, 0, 0),
            (3_600_000, 1_000, 1_000, 3_000, 1_800, 200),
            (3_600_000, 0, 0, 1_000, 1_000, 0),
            (3_600_000, 10_000, 0, 1_000, 0, 1_000),
            // Less than a lovelace is the tenant's until it is one.
            (1, 1_000, 0, HOUR_MS - 1, 0, 0),
            (1, 1_000, HOUR_MS - 1, HOUR_MS, 1, 0),
            // Less than a lovelace of fee is the provider's until it is one.
            (9, 1_000, 0, HOUR_MS, 9, 0),
            (9, 1_000, HOUR_MS, 2 * HOUR_MS, 8, 1),
            (0, 1_000, 0, u64::MAX, 0, 0),
            // Metered time does not go back; if it did, nothing would be paid back.
            (3_600_000, 1_000, 2_000, 1_000, 0, 0),
        ] {
            let settled = settle(price, per_10k, cost(price, before), after);
            assert_eq!(
                (settled.pay, settled.fee),
                (Amount::new(pay), Amount::new(fee)),
                "{price} {before} {after}"
            );
        }
    }

    #[test]
    fn cover_is_a_table() {
        for (price, deposited, covered) in [
            (3_600_000, 1, 1),
            (3_600_000, 500_000_000, 500_000_000),
            (7_200_000, 1, 0),
            (1, 1, HOUR_MS),
            (0, 5, u64::MAX),
            (1, u128::MAX, u64::MAX),
        ] {
            assert_eq!(covered_ms(price, Amount::new(deposited)), covered);
        }
    }

    proptest! {
        #[test]
        fn how_often_a_lease_was_settled_does_not_change_who_got_what(
            price: u64, per_10k in 0u16..=FEE_PARTS, mut notes in prop::collection::vec(any::<u64>(), 1..8)
        ) {
            notes.sort_unstable();
            let last = notes[notes.len() - 1];
            let at_once = settle(price, per_10k, Amount::ZERO, last);
            let (mut charged, mut pay, mut fee) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
            for metered in notes {
                let step = settle(price, per_10k, charged, metered);
                charged = step.charged;
                pay = pay.checked_add(step.pay).unwrap();
                fee = fee.checked_add(step.fee).unwrap();
            }
            prop_assert_eq!((pay, fee, charged), (at_once.pay, at_once.fee, at_once.charged));
            prop_assert_eq!(pay.checked_add(fee), Some(charged));
        }

        #[test]
        fn covered_time_never_costs_more_than_the_deposit(price in 1u64.., deposited: u64) {
            let deposited = Amount::from(deposited);
            prop_assert!(cost(price, covered_ms(price, deposited)) <= deposited);
        }
    }
}
