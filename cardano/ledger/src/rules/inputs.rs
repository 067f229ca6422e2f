//! Inputs: there is at least one, all are unspent, and none is also a reference input.
//!
//! Source: Conway formal specification, rule UTXO (`txins ≢ ∅`, `txins ∪ refInputs ⊆ dom utxo`, `txins ∩ refInputs ≡ ∅`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use crate::output::Output;
use crate::state::Utxos;
use crate::tx::{Body, TxIn};
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a transaction's inputs are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputsError {
    /// No input, so that nothing keeps the transaction from being repeated.
    #[error("a transaction must spend at least one output")]
    Empty,
    /// Inputs, collateral inputs or reference inputs that do not exist or are spent.
    #[error("not unspent: {missing:?}")]
    BadInputs {
        /// The inputs at fault.
        missing: Vec<TxIn>,
    },
    /// Inputs that are reference inputs too (forbidden in protocol versions 9 and 10).
    #[error("both spent and referred to: {common:?}")]
    NotDisjoint {
        /// The inputs at fault.
        common: Vec<TxIn>,
    },
}

impl Numbered for InputsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Empty => 7200,
            Self::BadInputs { .. } => 7201,
            Self::NotDisjoint { .. } => 7202,
        })
    }
}

impl RuleError for InputsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Empty => "InputSetEmptyUTxO",
            Self::BadInputs { .. } => "BadInputsUTxO",
            Self::NotDisjoint { .. } => "BabbageNonDisjointRefInputs",
        }
    }
}

/// The outputs that a transaction's inputs, collateral inputs and reference inputs name.
pub(crate) type Resolved<'a> = BTreeMap<TxIn, Output<'a>>;

/// Checks the inputs and finds the outputs that they name.
pub(crate) fn check<'a>(body: &Body<'_>, utxos: &'a Utxos) -> Result<Resolved<'a>, InputsError> {
    if body.inputs.is_empty() {
        return Err(InputsError::Empty);
    }
    let common: Vec<TxIn> = body
        .inputs
        .intersection(&body.reference_inputs)
        .copied()
        .collect();
    if !common.is_empty() {
        return Err(InputsError::NotDisjoint { common });
    }
    resolve(body, utxos)
}

/// Finds the outputs that a transaction names.
pub(crate) fn resolve<'a>(body: &Body<'_>, utxos: &'a Utxos) -> Result<Resolved<'a>, InputsError> {
    let mut resolved = Resolved::new();
    let mut missing = Vec::new();
    for input in body.all_inputs() {
        // Only decoded outputs are stored, so that this parse fails for none of them.
        match utxos
            .get(&input)
            .and_then(|output| Output::parse(output).ok())
        {
            Some(output) => {
                resolved.insert(input, output);
            }
            None => missing.push(input),
        }
    }
    if missing.is_empty() {
        Ok(resolved)
    } else {
        Err(InputsError::BadInputs { missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{enterprise_output, input};
    use std::collections::BTreeSet;

    fn verdict(inputs: &[u16], references: &[u16], unspent: &[u16]) -> Result<usize, InputsError> {
        let utxos: Utxos = unspent
            .iter()
            .map(|index| (input(*index), enterprise_output(1)))
            .collect();
        let body = Body {
            inputs: inputs.iter().map(|index| input(*index)).collect(),
            reference_inputs: references.iter().map(|index| input(*index)).collect(),
            ..Body::default()
        };
        check(&body, &utxos).map(|resolved| resolved.len())
    }

    #[test]
    fn inputs_exist_and_are_spent_or_referred_to_but_not_both() {
        let cases = [
            (verdict(&[0], &[1], &[0, 1]), Ok(2)),
            (verdict(&[], &[1], &[0, 1]), Err(InputsError::Empty)),
            (
                verdict(&[0, 2], &[3], &[0]),
                Err(InputsError::BadInputs {
                    missing: vec![input(2), input(3)],
                }),
            ),
            (
                verdict(&[0, 1], &[1], &[0, 1]),
                Err(InputsError::NotDisjoint {
                    common: vec![input(1)],
                }),
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn collateral_must_exist_too() {
        let body = Body {
            inputs: BTreeSet::from([input(0)]),
            collateral: BTreeSet::from([input(1)]),
            ..Body::default()
        };
        let utxos = Utxos::from([(input(0), enterprise_output(1))]);
        assert_eq!(
            check(&body, &utxos),
            Err(InputsError::BadInputs {
                missing: vec![input(1)]
            })
        );
    }
}
