//! The scripts' budgets fit the transaction's limit and, together, the block's.
//!
//! Source: Conway formal specification, rule UTXO (`totExUnits tx ≤ maxTxExUnits pp`) and rule BBODY;
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>, <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.BlockBody.html>.

use super::RuleError;
use crate::parameters::ProtocolParameters;
use crate::tx::{ExUnits, Witnesses};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why budgets are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExUnitsError {
    /// One transaction's.
    #[error("the transaction's budgets are {provided:?}, at most {maximum:?} is allowed")]
    Transaction {
        /// Their sum.
        provided: ExUnits,
        /// The limit.
        maximum: ExUnits,
    },
    /// All of a block's transactions.
    #[error("the block's budgets are {provided:?}, at most {maximum:?} is allowed")]
    Block {
        /// Their sum.
        provided: ExUnits,
        /// The limit.
        maximum: ExUnits,
    },
}

impl Numbered for ExUnitsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Transaction { .. } => 7330,
            Self::Block { .. } => 7331,
        })
    }
}

impl RuleError for ExUnitsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Transaction { .. } => "ExUnitsTooBigUTxO",
            Self::Block { .. } => "TooManyExUnits",
        }
    }
}

const OVERFLOW: ExUnits = ExUnits {
    memory: u64::MAX,
    cpu: u64::MAX,
};

/// Checks a transaction's budgets and returns their sum.
pub(crate) fn check(
    witnesses: &Witnesses<'_>,
    parameters: &ProtocolParameters,
) -> Result<ExUnits, ExUnitsError> {
    let provided = witnesses.total_ex_units().unwrap_or(OVERFLOW);
    let maximum = parameters.max_tx_ex_units;
    if provided.fits(maximum) {
        Ok(provided)
    } else {
        Err(ExUnitsError::Transaction { provided, maximum })
    }
}

/// Adds a transaction's budgets to those of its block.
pub(crate) fn check_block(
    so_far: ExUnits,
    further: ExUnits,
    parameters: &ProtocolParameters,
) -> Result<ExUnits, ExUnitsError> {
    let provided = so_far.checked_add(further).unwrap_or(OVERFLOW);
    let maximum = parameters.max_block_ex_units;
    if provided.fits(maximum) {
        Ok(provided)
    } else {
        Err(ExUnitsError::Block { provided, maximum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::{Redeemer, RedeemerKey, RedeemerTag};

    fn verdict(budgets: &[(u64, u64)]) -> Result<ExUnits, ExUnitsError> {
        let redeemer = |(index, (memory, cpu)): (u32, &(u64, u64))| {
            let ex_units = ExUnits {
                memory: *memory,
                cpu: *cpu,
            };
            (
                RedeemerKey {
                    tag: RedeemerTag::Spend,
                    index,
                },
                Redeemer {
                    data: &[],
                    ex_units,
                },
            )
        };
        let redeemers = (0..).zip(budgets).map(redeemer).collect();
        check(
            &Witnesses {
                redeemers,
                ..Witnesses::default()
            },
            &ProtocolParameters::conway_v10(),
        )
    }

    #[test]
    fn neither_figure_may_exceed_its_limit() {
        let maximum = ExUnits {
            memory: 14_000_000,
            cpu: 10_000_000_000,
        };
        assert_eq!(
            verdict(&[(4_000_000, 0), (10_000_000, 10_000_000_000)]),
            Ok(maximum)
        );
        for (memory, cpu) in [(14_000_001, 0), (0, 10_000_000_001)] {
            let provided = ExUnits { memory, cpu };
            assert_eq!(
                verdict(&[(memory, cpu)]),
                Err(ExUnitsError::Transaction { provided, maximum })
            );
        }
        let provided = OVERFLOW;
        assert_eq!(
            verdict(&[(u64::MAX, 0), (1, 0)]),
            Err(ExUnitsError::Transaction { provided, maximum })
        );
    }

    #[test]
    fn a_block_has_its_own_limit() {
        let parameters = ProtocolParameters::conway_v10();
        let maximum = parameters.max_block_ex_units;
        let one = ExUnits { memory: 1, cpu: 0 };
        assert_eq!(
            check_block(
                ExUnits {
                    memory: 61_999_999,
                    cpu: 0
                },
                one,
                &parameters
            ),
            Ok(ExUnits {
                memory: 62_000_000,
                cpu: 0
            })
        );
        let provided = ExUnits {
            memory: 62_000_001,
            cpu: 0,
        };
        assert_eq!(
            check_block(
                ExUnits {
                    memory: 62_000_000,
                    cpu: 0
                },
                one,
                &parameters
            ),
            Err(ExUnitsError::Block { provided, maximum })
        );
    }
}
