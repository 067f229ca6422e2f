//! Nothing is lost and nothing appears: inputs and mint equal outputs and fee, in every asset.
//!
//! Source: Conway formal specification, rule UTXO (`consumed pp utxoState txb ≡ produced pp utxoState txb`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>. Deposits, withdrawals and donations, which belong to both sides, are refused by name.

use super::RuleError;
use super::inputs::Resolved;
use crate::tx::Body;
use crate::value::Balance;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("consumed {consumed:?}, produced {produced:?}")]
pub struct ValueNotConserved {
    /// Inputs and mint.
    pub consumed: Box<Balance>,
    /// Outputs and fee.
    pub produced: Box<Balance>,
}

impl Numbered for ValueNotConserved {
    fn code(&self) -> Code {
        Code(7230)
    }
}

impl RuleError for ValueNotConserved {
    fn predicate_name(&self) -> &'static str {
        "ValueNotConservedUTxO"
    }
}

pub(crate) fn check(body: &Body<'_>, resolved: &Resolved<'_>) -> Result<(), ValueNotConserved> {
    let (consumed, produced) = (consumed(body, resolved), produced(body));
    if consumed != produced {
        return Err(ValueNotConserved {
            consumed: Box::new(consumed),
            produced: Box::new(produced),
        });
    }
    Ok(())
}

fn consumed(body: &Body<'_>, resolved: &Resolved<'_>) -> Balance {
    let mut balance = Balance::default();
    for output in body.inputs.iter().filter_map(|input| resolved.get(input)) {
        balance.add_value(&output.value, 1);
    }
    balance.add_mint(&body.mint);
    balance
}

fn produced(body: &Body<'_>) -> Balance {
    let mut balance = Balance {
        lovelace: i128::from(body.fee_lovelace),
        ..Balance::default()
    };
    for output in &body.outputs {
        balance.add_value(&output.value, 1);
    }
    balance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::testing::{enterprise_output, input};
    use crate::value::Assets;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_lovelace_too_few_or_too_many_is_refused() {
        let (spent, made) = (enterprise_output(10), enterprise_output(7));
        let resolved = Resolved::from([(input(0), Output::parse(&spent).expect("an output"))]);
        for (fee_lovelace, conserved) in [(2, false), (3, true), (4, false)] {
            let body = Body {
                inputs: BTreeSet::from([input(0)]),
                outputs: vec![Output::parse(&made).expect("an output")],
                fee_lovelace,
                ..Body::default()
            };
            assert_eq!(check(&body, &resolved).is_ok(), conserved, "{fee_lovelace}");
        }
    }

    #[test]
    fn minted_assets_must_arrive_and_burned_ones_must_have_been_there() {
        for quantity in [1, -1] {
            let mint = Assets::from([([1; 28], BTreeMap::from([(vec![], quantity)]))]);
            let error = check(
                &Body {
                    mint,
                    ..Body::default()
                },
                &Resolved::new(),
            )
            .expect_err("not conserved");
            assert_eq!(
                error.consumed.assets.values().copied().collect::<Vec<_>>(),
                [i128::from(quantity)]
            );
            assert_eq!(*error.produced, Balance::default());
        }
    }
}
