//! The validity interval contains the slot; with scripts, its end can be told as a time.
//!
//! Source: Conway formal specification, rule UTXO (`inInterval slot txVldt`, `epochInfoSlotToUTCTime EI SysSt i ≢ nothing`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use crate::clock::SlotClock;
use crate::tx::Transaction;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why a transaction's time is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValidityError {
    /// The slot is not in the interval.
    #[error("slot {slot} is not within [{valid_from:?}, {valid_until:?})")]
    OutsideInterval {
        /// The slot of the block, or of the tip.
        slot: u64,
        /// First slot of the interval.
        valid_from: Option<u64>,
        /// First slot after the interval.
        valid_until: Option<u64>,
    },
    /// A bound that a script would see lies where slots cannot be told as times.
    #[error(
        "slot {bound} cannot be told as a time: at slot {slot} the forecast ends before slot {horizon}"
    )]
    OutsideForecast {
        /// The bound.
        bound: u64,
        /// The slot of the block, or of the tip.
        slot: u64,
        /// The first slot that cannot be told.
        horizon: u64,
    },
}

impl Numbered for ValidityError {
    fn code(&self) -> Code {
        Code(match self {
            Self::OutsideInterval { .. } => 7210,
            Self::OutsideForecast { .. } => 7211,
        })
    }
}

impl RuleError for ValidityError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::OutsideInterval { .. } => "OutsideValidityIntervalUTxO",
            Self::OutsideForecast { .. } => "OutsideForecast",
        }
    }
}

pub(crate) fn check(
    tx: &Transaction<'_>,
    slot: u64,
    clock: &SlotClock,
) -> Result<(), ValidityError> {
    let (valid_from, valid_until) = (tx.body.valid_from, tx.body.valid_until);
    let started = valid_from.is_none_or(|from| from <= slot);
    let ended = valid_until.is_some_and(|until| until <= slot);
    if !started || ended {
        return Err(ValidityError::OutsideInterval {
            slot,
            valid_from,
            valid_until,
        });
    }
    if tx.witnesses.redeemers.is_empty() {
        return Ok(());
    }
    valid_from
        .into_iter()
        .chain(valid_until)
        .try_for_each(|bound| check_forecast(bound, slot, clock))
}

fn check_forecast(bound: u64, slot: u64, clock: &SlotClock) -> Result<(), ValidityError> {
    let horizon = clock.forecast_horizon(slot);
    // The end of an interval is exclusive, so that the horizon itself can still be told.
    if bound > horizon || clock.posix_time_ms(bound).is_none() {
        return Err(ValidityError::OutsideForecast {
            bound,
            slot,
            horizon,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CLOCK, TxBuilder, input};

    fn verdict(
        slot: u64,
        valid_from: Option<u64>,
        valid_until: Option<u64>,
        scripts: bool,
    ) -> Result<(), ValidityError> {
        let mut builder = TxBuilder::new()
            .input(input(0))
            .fee(0)
            .validity(valid_from, valid_until);
        if scripts {
            builder = builder.witness_field(
                5,
                hex::decode("a182000082d879808200 00".replace(' ', "")).expect("hex"),
            );
        }
        let bytes = builder.build();
        check(
            &Transaction::decode(&bytes).expect("a transaction"),
            slot,
            &CLOCK,
        )
    }

    #[test]
    fn the_first_slot_is_inside_and_the_last_is_not() {
        let cases = [
            (5, None, None, true),
            (5, Some(5), None, true),
            (5, Some(6), None, false),
            (5, None, Some(6), true),
            (5, None, Some(5), false),
            (5, Some(5), Some(6), true),
            (5, Some(7), Some(6), false),
        ];
        for (slot, valid_from, valid_until, inside) in cases {
            let outside = ValidityError::OutsideInterval {
                slot,
                valid_from,
                valid_until,
            };
            let expected = if inside { Ok(()) } else { Err(outside) };
            assert_eq!(verdict(slot, valid_from, valid_until, false), expected);
        }
    }

    #[test]
    fn with_scripts_the_bounds_lie_within_the_forecast() {
        let horizon = CLOCK.forecast_horizon(5);
        assert_eq!(verdict(5, None, Some(horizon), true), Ok(()));
        assert_eq!(verdict(5, None, Some(horizon + 1), false), Ok(()));
        let bound = horizon + 1;
        assert_eq!(
            verdict(5, None, Some(bound), true),
            Err(ValidityError::OutsideForecast {
                bound,
                slot: 5,
                horizon
            })
        );
    }
}
