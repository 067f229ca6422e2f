//! Everything is for this network: the outputs' addresses, and the body's network id if it names one.
//!
//! Source: Conway formal specification, rule UTXO (`netId a ≡ NetworkId`, `txNetworkId ~ just NetworkId`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use crate::tx::Body;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Something is for another network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// An output's address.
    #[error("output {index} is for network {provided}, this is network {expected}")]
    Output {
        /// The output's number; the collateral's return comes after the others.
        index: usize,
        /// Its network.
        provided: u8,
        /// This network.
        expected: u8,
    },
    /// The body's network id.
    #[error("the transaction is for network {provided}, this is network {expected}")]
    Body {
        /// Its network.
        provided: u8,
        /// This network.
        expected: u8,
    },
}

impl Numbered for NetworkError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Output { .. } => 7260,
            Self::Body { .. } => 7261,
        })
    }
}

impl RuleError for NetworkError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Output { .. } => "WrongNetwork",
            Self::Body { .. } => "WrongNetworkInTxBody",
        }
    }
}

pub(crate) fn check(body: &Body<'_>, expected: u8) -> Result<(), NetworkError> {
    for (index, output) in body.all_outputs().enumerate() {
        let provided = output.address.network();
        if provided != expected {
            return Err(NetworkError::Output {
                index,
                provided,
                expected,
            });
        }
    }
    match body.network {
        Some(provided) if provided != expected => Err(NetworkError::Body { provided, expected }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byron::samples::address_with;
    use crate::output::Output;
    use crate::testing::{enterprise_output, output_at};

    #[test]
    fn outputs_and_body_must_name_this_network() {
        let bytes = enterprise_output(1);
        let outputs = vec![Output::parse(&bytes).expect("an output")];
        let body = Body {
            outputs,
            network: Some(0),
            ..Body::default()
        };
        assert_eq!(check(&body, 0), Ok(()));
        assert_eq!(
            check(&body, 1),
            Err(NetworkError::Output {
                index: 0,
                provided: 0,
                expected: 1
            })
        );
        let body = Body {
            network: Some(1),
            ..body
        };
        assert_eq!(
            check(&body, 0),
            Err(NetworkError::Body {
                provided: 1,
                expected: 0
            })
        );
    }

    #[test]
    fn a_byron_address_names_its_network_when_it_is_a_test_network() {
        for (attributes, network) in [(vec![0xa0], 1), (vec![0xa1, 0x02, 0x41, 0x07], 0)] {
            let bytes = output_at(&address_with([7; 28], &attributes), 1);
            let body = Body {
                outputs: vec![Output::parse(&bytes).expect("an output")],
                ..Body::default()
            };
            let (index, provided, expected) = (0, network, 1 - network);
            assert_eq!(check(&body, network), Ok(()));
            assert_eq!(
                check(&body, expected),
                Err(NetworkError::Output {
                    index,
                    provided,
                    expected
                })
            );
        }
    }
}
