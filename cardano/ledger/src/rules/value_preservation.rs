//! Nothing is lost and nothing appears: inputs, mint, withdrawals and refunds equal outputs, fee, deposits and donation, in every asset.
//!
//! Source: Conway formal specification, rule UTXO (`consumed pp utxoState txb ≡ produced pp utxoState txb`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use super::deposits::Deposits;
use super::inputs::Resolved;
use crate::tx::Body;
use crate::value::Balance;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("consumed {consumed:?}, produced {produced:?}")]
pub struct ValueNotConserved {
    /// Inputs, mint, withdrawals and refunds.
    pub consumed: Box<Balance>,
    /// Outputs, fee, deposits and donation.
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

pub(crate) fn check(
    body: &Body<'_>,
    resolved: &Resolved<'_>,
    deposits: Deposits,
) -> Result<(), ValueNotConserved> {
    let consumed = consumed(body, resolved, deposits.refunded_lovelace);
    let produced = produced(body, deposits.put_down_lovelace);
    if consumed != produced {
        return Err(ValueNotConserved {
            consumed: Box::new(consumed),
            produced: Box::new(produced),
        });
    }
    Ok(())
}

fn consumed(body: &Body<'_>, resolved: &Resolved<'_>, refunded_lovelace: u128) -> Balance {
    let withdrawn: u128 = body.withdrawals.values().copied().map(u128::from).sum();
    let mut balance = Balance {
        lovelace: signed(withdrawn.saturating_add(refunded_lovelace)),
        ..Balance::default()
    };
    for output in body.inputs.iter().filter_map(|input| resolved.get(input)) {
        balance.add_value(&output.value, 1);
    }
    balance.add_mint(&body.mint);
    balance
}

fn produced(body: &Body<'_>, put_down_lovelace: u128) -> Balance {
    let donated = body.donation_lovelace.unwrap_or(0);
    let others =
        (u128::from(body.fee_lovelace) + u128::from(donated)).saturating_add(put_down_lovelace);
    let mut balance = Balance {
        lovelace: signed(others),
        ..Balance::default()
    };
    for output in &body.outputs {
        balance.add_value(&output.value, 1);
    }
    balance
}

/// A sum of so few numbers of 64 bits that it fits.
fn signed(lovelace: u128) -> i128 {
    i128::try_from(lovelace).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Credential;
    use crate::output::Output;
    use crate::testing::{enterprise_output, input};
    use crate::tx::RewardAccount;
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
            let found = check(&body, &resolved, Deposits::default());
            assert_eq!(found.is_ok(), conserved, "{fee_lovelace}");
        }
    }

    #[test]
    fn withdrawals_and_refunds_come_in_and_deposits_go_out() {
        let account = RewardAccount {
            network: 0,
            credential: Credential::Key([1; 28]),
        };
        let body = Body {
            withdrawals: BTreeMap::from([(account, 10)]),
            fee_lovelace: 3,
            ..Body::default()
        };
        for (put_down_lovelace, refunded_lovelace, conserved) in [
            (7, 0, true),
            (9, 2, true),
            (0, 0, false),
            (8, 0, false),
            (7, 1, false),
        ] {
            let deposits = Deposits {
                put_down_lovelace,
                refunded_lovelace,
            };
            let found = check(&body, &Resolved::new(), deposits);
            assert_eq!(found.is_ok(), conserved, "{deposits:?}");
        }
    }

    #[test]
    fn a_donation_goes_out() {
        let account = RewardAccount {
            network: 0,
            credential: Credential::Key([1; 28]),
        };
        for (donation_lovelace, conserved) in [(None, false), (Some(9), false), (Some(10), true)] {
            let body = Body {
                withdrawals: BTreeMap::from([(account, 10)]),
                donation_lovelace,
                ..Body::default()
            };
            let found = check(&body, &Resolved::new(), Deposits::default());
            assert_eq!(found.is_ok(), conserved, "{donation_lovelace:?}");
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
                Deposits::default(),
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
