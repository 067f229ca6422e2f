//! The smallest fee that the ledger accepts (Conway ledger specification, `minfee`), in exact fractions.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::BuildError;
use crate::parameters::{ExUnits, ProtocolParameters, Rational};

/// Bytes of reference scripts in one tier of price (Conway: fixed, not a parameter).
const TIER_BYTES: u64 = 25_600;

/// How much dearer each tier is than the one before: 1.2 (Conway: fixed, not a parameter).
const TIER_MULTIPLIER: Rational = Rational::new(6, 5);

/// Conway allows 200 KiB of reference scripts in a transaction, eight tiers; far more is a broken figure.
const TIERS_MAX: u32 = 64;

/// What a fee depends on.
#[derive(Clone, Copy, Debug)]
pub struct FeeBasis {
    /// Bytes of the transaction, signatures included.
    pub transaction_bytes: u64,
    /// Units declared by all redeemers.
    pub units: ExUnits,
    /// Bytes of all scripts at inputs and reference inputs.
    pub reference_script_bytes: u64,
}

/// Size, execution and reference scripts. Execution is rounded **up**, reference scripts **down**, each once.
pub fn minimum_fee(basis: &FeeBasis, parameters: &ProtocolParameters) -> Result<u64, BuildError> {
    let size = parameters
        .fee_per_byte_lovelace
        .checked_mul(basis.transaction_bytes);
    size.and_then(|size| size.checked_add(parameters.fee_constant_lovelace))
        .and_then(|sum| sum.checked_add(execution_fee(basis.units, parameters)?))
        .and_then(|sum| {
            let price = parameters.reference_script_price;
            sum.checked_add(reference_script_fee(basis.reference_script_bytes, price)?)
        })
        .ok_or(BuildError::Overflow)
}

fn execution_fee(units: ExUnits, parameters: &ProtocolParameters) -> Option<u64> {
    let memory = exact(parameters.memory_price)? * whole(units.memory);
    let steps = exact(parameters.step_price)? * whole(units.steps);
    u64::try_from((memory + steps).ceil().to_integer()).ok()
}

/// Tiers of 25,600 bytes, each 1.2 times dearer (cardano-ledger, `tierRefScriptFee`).
fn reference_script_fee(bytes: u64, price: Rational) -> Option<u64> {
    let multiplier = exact(TIER_MULTIPLIER)?;
    let (mut price, mut left, mut fee) = (exact(price)?, bytes, whole(0));
    for _ in 0..TIERS_MAX {
        let in_tier = left.min(TIER_BYTES);
        fee += &price * whole(in_tier);
        left -= in_tier;
        price *= &multiplier;
        if left == 0 {
            return u64::try_from(fee.floor().to_integer()).ok();
        }
    }
    None
}

fn whole(number: u64) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

fn exact(rational: Rational) -> Option<BigRational> {
    let (numerator, denominator) = (
        BigInt::from(rational.numerator),
        BigInt::from(rational.denominator),
    );
    (rational.denominator != 0).then(|| BigRational::new(numerator, denominator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::fixtures::parameters;

    #[test]
    fn reference_scripts_cost_more_by_tiers() {
        // 15 lovelace a byte; the values of cardano-ledger's own example for the same price.
        for (bytes, fee) in [
            (0, 0),
            (1, 15),
            (25_600, 384_000),
            (25_601, 384_018),
            (51_200, 844_800),
            (76_801, 1_397_785),
            (204_800, 6_335_648),
        ] {
            assert_eq!(
                reference_script_fee(bytes, Rational::new(15, 1)),
                Some(fee),
                "{bytes} bytes"
            );
        }
    }

    #[test]
    fn execution_is_rounded_up_once() {
        for (memory, steps, fee) in [
            (0, 0, 0),
            (1, 0, 1),
            (1, 1, 1),
            (10_000, 10_000_000, 577 + 721),
            (14_000_000, 10_000_000_000, 807_800 + 721_000),
        ] {
            assert_eq!(
                execution_fee(ExUnits { memory, steps }, &parameters()),
                Some(fee)
            );
        }
    }

    #[test]
    fn the_parts_add_up() {
        let units = ExUnits {
            memory: 10_000,
            steps: 10_000_000,
        };
        let basis = FeeBasis {
            transaction_bytes: 300,
            units,
            reference_script_bytes: 10,
        };
        assert_eq!(
            minimum_fee(&basis, &parameters()),
            Ok(155_381 + 44 * 300 + 1298 + 150)
        );
    }

    #[test]
    fn absurd_figures_are_refused() {
        let basis = |transaction_bytes, reference_script_bytes| FeeBasis {
            transaction_bytes,
            units: ExUnits {
                memory: u64::MAX,
                steps: u64::MAX,
            },
            reference_script_bytes,
        };
        assert_eq!(
            minimum_fee(&basis(u64::MAX, 0), &parameters()),
            Err(BuildError::Overflow)
        );
        assert_eq!(
            minimum_fee(&basis(1, u64::MAX), &parameters()),
            Err(BuildError::Overflow)
        );
        let broken = ProtocolParameters {
            step_price: Rational::new(1, 0),
            ..parameters()
        };
        assert_eq!(
            minimum_fee(&basis(1, 1), &broken),
            Err(BuildError::Overflow)
        );
    }
}
