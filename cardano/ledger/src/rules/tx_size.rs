//! A transaction has a greatest size.
//!
//! Source: Conway formal specification, rule UTXO (`txsize ≤ maxTxSize pp`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The transaction is too large.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the transaction has {provided_bytes} bytes, at most {maximum_bytes} are allowed")]
pub struct TxTooLarge {
    /// Its size.
    pub provided_bytes: u64,
    /// The greatest size.
    pub maximum_bytes: u64,
}

impl Numbered for TxTooLarge {
    fn code(&self) -> Code {
        Code(7250)
    }
}

impl RuleError for TxTooLarge {
    fn predicate_name(&self) -> &'static str {
        "MaxTxSizeUTxO"
    }
}

pub(crate) fn check(provided_bytes: u64, maximum_bytes: u64) -> Result<(), TxTooLarge> {
    if provided_bytes > maximum_bytes {
        return Err(TxTooLarge {
            provided_bytes,
            maximum_bytes,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_size_is_allowed_and_one_byte_more_is_not() {
        assert_eq!(check(16_384, 16_384), Ok(()));
        assert_eq!(
            check(16_385, 16_384),
            Err(TxTooLarge {
                provided_bytes: 16_385,
                maximum_bytes: 16_384
            })
        );
    }
}
