//! If the body says what the treasury holds, that is true.
//!
//! Source: Conway formal specification, rule LEDGER (`txCurrentTreasury ~ just treasury`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Ledger.html>.

use super::RuleError;
use crate::tx::Body;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The body is wrong about the treasury.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the body says that the treasury holds {provided_lovelace} lovelace, it holds {expected_lovelace}"
)]
pub struct TreasuryMismatch {
    /// What the body says.
    pub provided_lovelace: u64,
    /// What the treasury holds.
    pub expected_lovelace: u64,
}

impl Numbered for TreasuryMismatch {
    fn code(&self) -> Code {
        Code(7370)
    }
}

impl RuleError for TreasuryMismatch {
    fn predicate_name(&self) -> &'static str {
        "ConwayTreasuryValueMismatch"
    }
}

pub(crate) fn check(body: &Body<'_>, expected_lovelace: u64) -> Result<(), TreasuryMismatch> {
    match body.current_treasury_lovelace {
        Some(provided_lovelace) if provided_lovelace != expected_lovelace => {
            Err(TreasuryMismatch {
                provided_lovelace,
                expected_lovelace,
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_body_says_of_the_treasury_is_true() {
        let verdict = |current_treasury_lovelace| {
            check(
                &Body {
                    current_treasury_lovelace,
                    ..Body::default()
                },
                7,
            )
        };
        assert_eq!(verdict(None), Ok(()));
        assert_eq!(verdict(Some(7)), Ok(()));
        let error = TreasuryMismatch {
            provided_lovelace: 8,
            expected_lovelace: 7,
        };
        assert_eq!(verdict(Some(8)), Err(error));
    }
}
