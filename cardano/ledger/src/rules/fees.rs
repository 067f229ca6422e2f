//! The fee covers the transaction's size, its scripts' budgets and the reference scripts it uses.
//!
//! Source: Conway formal specification, `minfee` and `scriptsCost`; <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Fees.html>, <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.
//! Rounding: the scripts' budgets are rounded up, the reference scripts' price is rounded down, each once, at the end.

use super::RuleError;
use crate::parameters::{ExecutionPrices, ProtocolParameters, ReferenceScriptPrice};
use crate::tx::ExUnits;
use num_bigint::BigInt;
use num_rational::BigRational;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The fee is too small.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the fee is {provided_lovelace} lovelace, at least {minimum_lovelace} is needed")]
pub struct FeeTooSmall {
    /// What the transaction pays.
    pub provided_lovelace: u64,
    /// What it must pay.
    pub minimum_lovelace: u64,
}

impl Numbered for FeeTooSmall {
    fn code(&self) -> Code {
        Code(7220)
    }
}

impl RuleError for FeeTooSmall {
    fn predicate_name(&self) -> &'static str {
        "FeeTooSmallUTxO"
    }
}

pub(crate) fn check(
    provided_lovelace: u64,
    size_bytes: u64,
    ex_units: ExUnits,
    reference_scripts_bytes: u64,
    parameters: &ProtocolParameters,
) -> Result<(), FeeTooSmall> {
    let minimum_lovelace = minimum_fee(parameters, size_bytes, ex_units, reference_scripts_bytes);
    if provided_lovelace < minimum_lovelace {
        return Err(FeeTooSmall {
            provided_lovelace,
            minimum_lovelace,
        });
    }
    Ok(())
}

/// The least fee, in lovelace, of a transaction of this size with these budgets and reference scripts. Saturates.
pub fn minimum_fee(
    parameters: &ProtocolParameters,
    size_bytes: u64,
    ex_units: ExUnits,
    reference_scripts_bytes: u64,
) -> u64 {
    let linear = BigInt::from(parameters.fee_per_byte_lovelace) * size_bytes
        + parameters.fee_constant_lovelace;
    let execution = execution_price(&parameters.execution_prices, ex_units);
    let references =
        reference_scripts_price(&parameters.reference_script_price, reference_scripts_bytes);
    u64::try_from(linear + execution + references).unwrap_or(u64::MAX)
}

fn execution_price(prices: &ExecutionPrices, ex_units: ExUnits) -> BigInt {
    let memory = prices.memory.to_rational() * BigInt::from(ex_units.memory);
    let cpu = prices.cpu.to_rational() * BigInt::from(ex_units.cpu);
    (memory + cpu).ceil().to_integer()
}

/// Each further tier of bytes costs `multiplier` times as much as the one before. Exact until the end, then rounded down.
///
/// Source: Conway ledger, `tierRefScriptFee`.
fn reference_scripts_price(price: &ReferenceScriptPrice, size_bytes: u64) -> BigInt {
    let range = price.range_bytes.get();
    let multiplier = price.multiplier.to_rational();
    let mut per_byte = price.base.to_rational();
    let mut total = BigRational::from(BigInt::ZERO);
    let mut left = size_bytes;
    while left >= range {
        total += &per_byte * BigInt::from(range);
        per_byte *= &multiplier;
        left -= range;
    }
    (total + per_byte * BigInt::from(left)).floor().to_integer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_compared_with_the_minimum() {
        let parameters = ProtocolParameters::conway_v10();
        let verdict = |fee| check(fee, 200, ExUnits::default(), 0, &parameters);
        assert_eq!(verdict(155_381 + 44 * 200), Ok(()));
        let error = FeeTooSmall {
            provided_lovelace: 164_180,
            minimum_lovelace: 164_181,
        };
        assert_eq!(verdict(164_180), Err(error));
    }

    #[test]
    fn budgets_are_rounded_up_once() {
        let prices = ProtocolParameters::conway_v10().execution_prices;
        // 577/10000 per memory unit, 721/10000000 per step.
        for (memory, cpu, price) in [
            (0, 0, 0),
            (1, 0, 1),
            (1, 1, 1),
            (10_000, 10_000_000, 577 + 721),
            (2_000, 1_000_000, 188),
        ] {
            assert_eq!(
                execution_price(&prices, ExUnits { memory, cpu }),
                BigInt::from(price),
                "{memory} {cpu}"
            );
        }
    }

    #[test]
    fn reference_scripts_cost_more_from_tier_to_tier() {
        let price = ProtocolParameters::conway_v10().reference_script_price;
        let first = 25_600 * 15;
        let cases = [
            (0, 0),
            (1, 15),
            (25_599, 383_985),
            (25_600, first),
            (25_601, first + 18),
            (51_200, first + 25_600 * 18),
            (51_201, 844_821),
        ];
        // The last: 384,000 + 460,800 + 21.6, rounded down.
        for (size, expected) in cases {
            assert_eq!(
                reference_scripts_price(&price, size),
                BigInt::from(expected),
                "{size}"
            );
        }
    }
}
