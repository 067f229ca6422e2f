//! A transaction with scripts puts up collateral: key-locked, ada only after its return, enough, and as much as it says.
//!
//! Source: Conway formal specification, `feesOK` (`collateralCheck`) and `maxCollateralInputs`; <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>; CIP-40.

use super::RuleError;
use super::inputs::Resolved;
use crate::address::{Address, Credential};
use crate::output::Output;
use crate::parameters::ProtocolParameters;
use crate::tx::{Body, Transaction, TxIn};
use crate::value::Balance;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why collateral is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollateralError {
    /// None, and there are scripts.
    #[error("a transaction with scripts needs collateral")]
    NoInputs,
    /// Too many inputs.
    #[error("{provided} collateral inputs, at most {maximum} are allowed")]
    TooManyInputs {
        /// How many there are.
        provided: u64,
        /// How many there may be.
        maximum: u64,
    },
    /// Inputs that no key unlocks.
    #[error("collateral that is locked by a script: {inputs:?}")]
    NotKeyLocked {
        /// The inputs at fault.
        inputs: Vec<TxIn>,
    },
    /// Assets are left after the return.
    #[error("collateral less its return holds other than ada: {left:?}")]
    NotAdaOnly {
        /// Collateral less its return.
        left: Box<Balance>,
    },
    /// Too little.
    #[error(
        "the collateral is {provided_lovelace} lovelace, at least {minimum_lovelace} is needed"
    )]
    Insufficient {
        /// Collateral less its return; negative when the return is greater.
        provided_lovelace: i128,
        /// The percentage of the fee that is needed, rounded up.
        minimum_lovelace: i128,
    },
    /// Not what the body says.
    #[error("the collateral is {provided_lovelace} lovelace, the body says {declared_lovelace}")]
    WrongTotal {
        /// Collateral less its return.
        provided_lovelace: i128,
        /// What the body says.
        declared_lovelace: u64,
    },
}

impl Numbered for CollateralError {
    fn code(&self) -> Code {
        Code(match self {
            Self::NoInputs => 7340,
            Self::TooManyInputs { .. } => 7341,
            Self::NotKeyLocked { .. } => 7342,
            Self::NotAdaOnly { .. } => 7343,
            Self::Insufficient { .. } => 7344,
            Self::WrongTotal { .. } => 7345,
        })
    }
}

impl RuleError for CollateralError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::NoInputs => "NoCollateralInputs",
            Self::TooManyInputs { .. } => "TooManyCollateralInputs",
            Self::NotKeyLocked { .. } => "ScriptsNotPaidUTxO",
            Self::NotAdaOnly { .. } => "CollateralContainsNonADA",
            Self::Insufficient { .. } => "InsufficientCollateral",
            Self::WrongTotal { .. } => "IncorrectTotalCollateralField",
        }
    }
}

pub(crate) fn check(
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
    parameters: &ProtocolParameters,
) -> Result<(), CollateralError> {
    let provided = tx.body.collateral.len() as u64;
    let maximum = parameters.max_collateral_inputs;
    if provided > maximum {
        return Err(CollateralError::TooManyInputs { provided, maximum });
    }
    if tx.witnesses.redeemers.is_empty() {
        return Ok(());
    }
    if provided == 0 {
        return Err(CollateralError::NoInputs);
    }
    check_key_locked(&tx.body, resolved)?;
    check_amount(&tx.body, resolved, parameters.collateral_percent)
}

fn check_key_locked(body: &Body<'_>, resolved: &Resolved<'_>) -> Result<(), CollateralError> {
    let inputs: Vec<TxIn> = outputs(body, resolved)
        .filter(|(_, output)| !is_key_locked(output))
        .map(|(input, _)| input)
        .collect();
    if inputs.is_empty() {
        Ok(())
    } else {
        Err(CollateralError::NotKeyLocked { inputs })
    }
}

fn check_amount(
    body: &Body<'_>,
    resolved: &Resolved<'_>,
    percent: u64,
) -> Result<(), CollateralError> {
    let left = balance(body, resolved);
    let provided_lovelace = left.lovelace;
    if !left.is_ada_only() {
        return Err(CollateralError::NotAdaOnly {
            left: Box::new(left),
        });
    }
    // collateral × 100 ≥ fee × percent, so that the minimum is rounded up.
    let needed = i128::from(body.fee_lovelace).saturating_mul(i128::from(percent));
    let minimum_lovelace = needed / 100 + i128::from(needed % 100 != 0);
    if provided_lovelace < minimum_lovelace {
        return Err(CollateralError::Insufficient {
            provided_lovelace,
            minimum_lovelace,
        });
    }
    match body.total_collateral_lovelace {
        Some(declared_lovelace) if i128::from(declared_lovelace) != provided_lovelace => {
            Err(CollateralError::WrongTotal {
                provided_lovelace,
                declared_lovelace,
            })
        }
        _ => Ok(()),
    }
}

/// Collateral less its return: what is taken when a script fails.
pub(crate) fn balance(body: &Body<'_>, resolved: &Resolved<'_>) -> Balance {
    let mut balance = Balance::default();
    for (_, output) in outputs(body, resolved) {
        balance.add_value(&output.value, 1);
    }
    if let Some(output) = &body.collateral_return {
        balance.add_value(&output.value, -1);
    }
    balance
}

fn outputs<'r, 'a>(
    body: &'r Body<'_>,
    resolved: &'r Resolved<'a>,
) -> impl Iterator<Item = (TxIn, &'r Output<'a>)> {
    body.collateral
        .iter()
        .filter_map(|input| Some((*input, resolved.get(input)?)))
}

fn is_key_locked(output: &Output<'_>) -> bool {
    match output.address {
        Address::Shelley {
            payment: Credential::Key(_),
            ..
        }
        | Address::Byron(_) => true,
        Address::Shelley {
            payment: Credential::Script(_),
            ..
        } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TxBuilder, enterprise_output, input, script_output};

    const REDEEMER: &str = "a182000082d87980820000";

    fn verdict(build: impl Fn(TxBuilder) -> TxBuilder) -> Result<(), CollateralError> {
        let utxos = [
            enterprise_output(10),
            enterprise_output(1_000),
            script_output(&[9; 28], 1_000),
        ];
        let resolved: Resolved<'_> = (0..)
            .zip(&utxos)
            .map(|(index, output)| (input(index), Output::parse(output).expect("an output")))
            .collect();
        let redeemer = hex::decode(REDEEMER).expect("hex");
        let bytes = build(
            TxBuilder::new()
                .input(input(0))
                .fee(101)
                .witness_field(5, redeemer),
        )
        .build();
        check(
            &Transaction::decode(&bytes).expect("a transaction"),
            &resolved,
            &ProtocolParameters::conway_v10(),
        )
    }

    #[test]
    fn collateral_is_needed_key_locked_and_enough() {
        let collateral = |tx: TxBuilder| tx.collateral(input(1));
        assert_eq!(verdict(collateral), Ok(()));
        assert_eq!(verdict(|tx| tx), Err(CollateralError::NoInputs));
        let locked = Err(CollateralError::NotKeyLocked {
            inputs: vec![input(2)],
        });
        assert_eq!(verdict(|tx| collateral(tx).collateral(input(2))), locked);
        let insufficient = Err(CollateralError::Insufficient {
            provided_lovelace: 10,
            minimum_lovelace: 152,
        });
        assert_eq!(verdict(|tx| tx.collateral(input(0))), insufficient);
    }

    #[test]
    fn the_return_and_the_total_count() {
        let returning = |lovelace, total| {
            verdict(move |tx| {
                tx.collateral(input(1))
                    .collateral_return(enterprise_output(lovelace))
                    .total_collateral(total)
            })
        };
        assert_eq!(returning(848, 152), Ok(()));
        let short = CollateralError::Insufficient {
            provided_lovelace: 151,
            minimum_lovelace: 152,
        };
        assert_eq!(returning(849, 151), Err(short));
        let negative = CollateralError::Insufficient {
            provided_lovelace: -1,
            minimum_lovelace: 152,
        };
        assert_eq!(returning(1_001, 0), Err(negative));
        let wrong = CollateralError::WrongTotal {
            provided_lovelace: 152,
            declared_lovelace: 153,
        };
        assert_eq!(returning(848, 153), Err(wrong));
    }

    #[test]
    fn there_is_a_greatest_number_of_inputs_even_without_scripts() {
        let bytes = (0..4)
            .fold(TxBuilder::new().input(input(0)).fee(0), |tx, index| {
                tx.collateral(input(index))
            })
            .build();
        let tx = Transaction::decode(&bytes).expect("a transaction");
        let verdict = check(&tx, &Resolved::new(), &ProtocolParameters::conway_v10());
        assert_eq!(
            verdict,
            Err(CollateralError::TooManyInputs {
                provided: 4,
                maximum: 3
            })
        );
    }
}
