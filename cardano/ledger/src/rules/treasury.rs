//! If the body says what the treasury holds, that is true. Where a script fails nobody looks (Haskell ledger, `conwayLedgerTransition`).
//!
//! Source: Conway formal specification, rule LEDGER (`txCurrentTreasury ~ just treasury`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Ledger.html>.

use super::RuleError;
use crate::tx::Transaction;
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

pub(crate) fn check(tx: &Transaction<'_>, expected_lovelace: u64) -> Result<(), TreasuryMismatch> {
    match tx.body.current_treasury_lovelace {
        Some(provided_lovelace) if tx.is_valid && provided_lovelace != expected_lovelace => {
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
    use crate::testing::{TxBuilder, input, unsigned};

    /// Of what a body says of a treasury that holds 7 lovelace.
    fn verdict(tx: TxBuilder, says: Option<u64>) -> Result<(), TreasuryMismatch> {
        let tx = tx.input(input(0)).fee(0);
        let tx = match says {
            Some(lovelace) => tx.body_field(21, unsigned(lovelace)),
            None => tx,
        };
        let raw = tx.build();
        check(&Transaction::decode(&raw).expect("a transaction"), 7)
    }

    #[test]
    fn what_the_body_says_of_the_treasury_is_true() {
        assert_eq!(verdict(TxBuilder::new(), None), Ok(()));
        assert_eq!(verdict(TxBuilder::new(), Some(7)), Ok(()));
        let error = TreasuryMismatch {
            provided_lovelace: 8,
            expected_lovelace: 7,
        };
        assert_eq!(verdict(TxBuilder::new(), Some(8)), Err(error));
    }

    #[test]
    fn where_a_script_fails_nobody_looks() {
        assert_eq!(verdict(TxBuilder::new().invalid(), Some(8)), Ok(()));
    }
}
