//! Each output, and the collateral's return, pays for the room it takes and is not too large.
//!
//! Source: Conway formal specification, rule UTXO (`utxoEntrySize`, `coinsPerUTxOByte`, `maxValSize`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>; CIP-55.

use super::RuleError;
use crate::parameters::ProtocolParameters;
use crate::tx::Body;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// What an output costs beyond its own bytes: its place in the set of unspent outputs, in bytes (CIP-55).
const OVERHEAD_BYTES: u64 = 160;

/// Why an output is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutputSizeError {
    /// Too little lovelace.
    #[error(
        "output {index} holds {provided_lovelace} lovelace, at least {minimum_lovelace} is needed"
    )]
    TooSmall {
        /// The output's number; the collateral's return comes after the others.
        index: usize,
        /// What it holds.
        provided_lovelace: u64,
        /// What it must hold.
        minimum_lovelace: u64,
    },
    /// Too large a value.
    #[error(
        "the value of output {index} has {provided_bytes} bytes, at most {maximum_bytes} are allowed"
    )]
    TooBig {
        /// The output's number; the collateral's return comes after the others.
        index: usize,
        /// The value's size.
        provided_bytes: u64,
        /// The greatest size.
        maximum_bytes: u64,
    },
}

impl Numbered for OutputSizeError {
    fn code(&self) -> Code {
        Code(match self {
            Self::TooSmall { .. } => 7240,
            Self::TooBig { .. } => 7241,
        })
    }
}

impl RuleError for OutputSizeError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::TooSmall { .. } => "BabbageOutputTooSmallUTxO",
            Self::TooBig { .. } => "OutputTooBigUTxO",
        }
    }
}

pub(crate) fn check(
    body: &Body<'_>,
    parameters: &ProtocolParameters,
) -> Result<(), OutputSizeError> {
    for (index, output) in body.all_outputs().enumerate() {
        let minimum_lovelace = minimum_lovelace(parameters, output.raw.len() as u64);
        if output.value.lovelace < minimum_lovelace {
            let provided_lovelace = output.value.lovelace;
            return Err(OutputSizeError::TooSmall {
                index,
                provided_lovelace,
                minimum_lovelace,
            });
        }
        let provided_bytes = output.value.encoded_size_bytes() as u64;
        if provided_bytes > parameters.max_value_size_bytes {
            return Err(OutputSizeError::TooBig {
                index,
                provided_bytes,
                maximum_bytes: parameters.max_value_size_bytes,
            });
        }
    }
    Ok(())
}

/// The least lovelace of an output that takes so many bytes as CBOR. Saturates.
pub fn minimum_lovelace(parameters: &ProtocolParameters, output_bytes: u64) -> u64 {
    parameters
        .lovelace_per_utxo_byte
        .saturating_mul(OVERHEAD_BYTES.saturating_add(output_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::testing::enterprise_output;

    fn verdict(
        lovelace: u64,
        adjust: impl Fn(&mut ProtocolParameters),
    ) -> Result<(), OutputSizeError> {
        let mut parameters = ProtocolParameters::conway_v10();
        adjust(&mut parameters);
        let bytes = enterprise_output(lovelace);
        let output = Output::parse(&bytes).expect("an output");
        check(
            &Body {
                outputs: vec![output],
                ..Body::default()
            },
            &parameters,
        )
    }

    #[test]
    fn an_output_pays_for_its_bytes_and_its_place() {
        let minimum_lovelace = 4_310 * (160 + enterprise_output(857_690).len() as u64);
        assert_eq!(verdict(minimum_lovelace, |_| ()), Ok(()));
        let provided_lovelace = minimum_lovelace - 1;
        let error = OutputSizeError::TooSmall {
            index: 0,
            provided_lovelace,
            minimum_lovelace,
        };
        assert_eq!(verdict(provided_lovelace, |_| ()), Err(error));
    }

    #[test]
    fn a_value_has_a_greatest_size() {
        let error = OutputSizeError::TooBig {
            index: 0,
            provided_bytes: 5,
            maximum_bytes: 4,
        };
        assert_eq!(
            verdict(2_000_000, |parameters| parameters.max_value_size_bytes = 5),
            Ok(())
        );
        assert_eq!(
            verdict(2_000_000, |parameters| parameters.max_value_size_bytes = 4),
            Err(error)
        );
    }

    #[test]
    fn the_collateral_return_is_an_output_too() {
        let bytes = enterprise_output(1);
        let body = Body {
            collateral_return: Output::parse(&bytes).ok(),
            ..Body::default()
        };
        let error = check(&body, &ProtocolParameters::conway_v10());
        assert!(
            matches!(
                error,
                Err(OutputSizeError::TooSmall {
                    index: 0,
                    provided_lovelace: 1,
                    ..
                })
            ),
            "{error:?}"
        );
    }
}
