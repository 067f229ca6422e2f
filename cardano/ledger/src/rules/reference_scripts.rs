//! The scripts on the outputs that a transaction spends or refers to are not too large in all.
//!
//! Source: Conway formal specification, rule LEDGER (`refScriptsSize utxo tx ≤ maxRefScriptSizePerTx`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Ledger.html>.

use super::RuleError;
use super::inputs::Resolved;
use crate::tx::Body;
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeSet;
use thiserror::Error;

/// Too many bytes of reference scripts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceScriptsError {
    /// In one transaction.
    #[error(
        "the transaction uses {provided_bytes} bytes of reference scripts, at most {maximum_bytes} are allowed"
    )]
    Transaction {
        /// How many it uses.
        provided_bytes: u64,
        /// How many it may use.
        maximum_bytes: u64,
    },
    /// In one block.
    #[error(
        "the block uses {provided_bytes} bytes of reference scripts, at most {maximum_bytes} are allowed"
    )]
    Block {
        /// How many it uses.
        provided_bytes: u64,
        /// How many it may use.
        maximum_bytes: u64,
    },
}

impl Numbered for ReferenceScriptsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Transaction { .. } => 7360,
            Self::Block { .. } => 7361,
        })
    }
}

impl RuleError for ReferenceScriptsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Transaction { .. } => "ConwayTxRefScriptsSizeTooBig",
            Self::Block { .. } => "BodyRefScriptsSizeTooBig",
        }
    }
}

/// Checks the size and returns it, in bytes.
pub(crate) fn check(
    body: &Body<'_>,
    resolved: &Resolved<'_>,
    maximum_bytes: u64,
) -> Result<u64, ReferenceScriptsError> {
    let provided_bytes = size_bytes(body, resolved);
    if provided_bytes > maximum_bytes {
        return Err(ReferenceScriptsError::Transaction {
            provided_bytes,
            maximum_bytes,
        });
    }
    Ok(provided_bytes)
}

/// Adds a transaction's bytes to those of its block.
pub(crate) fn check_block(
    so_far: u64,
    further: u64,
    maximum_bytes: u64,
) -> Result<u64, ReferenceScriptsError> {
    let provided_bytes = so_far.saturating_add(further);
    if provided_bytes > maximum_bytes {
        return Err(ReferenceScriptsError::Block {
            provided_bytes,
            maximum_bytes,
        });
    }
    Ok(provided_bytes)
}

/// A script counts once for each output that carries it, and an output once even if it is spent and referred to.
fn size_bytes(body: &Body<'_>, resolved: &Resolved<'_>) -> u64 {
    let used: BTreeSet<_> = body.inputs.union(&body.reference_inputs).collect();
    let scripts = used
        .into_iter()
        .filter_map(|input| resolved.get(input)?.script);
    scripts.map(|script| script.bytes().len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::script::{PlutusVersion, Script};
    use crate::testing::{enterprise_output, input};

    #[test]
    fn the_same_script_on_two_outputs_counts_twice() {
        let bytes = enterprise_output(1);
        let mut output = Output::parse(&bytes).expect("an output");
        output.script = Some(Script::Plutus(PlutusVersion::V3, &[0; 10]));
        let resolved: Resolved<'_> = (0..3).map(|index| (input(index), output.clone())).collect();
        let body = Body {
            inputs: BTreeSet::from([input(0)]),
            reference_inputs: BTreeSet::from([input(1)]),
            collateral: BTreeSet::from([input(2)]),
            ..Body::default()
        };
        assert_eq!(check(&body, &resolved, 20), Ok(20));
        let error = ReferenceScriptsError::Transaction {
            provided_bytes: 20,
            maximum_bytes: 19,
        };
        assert_eq!(check(&body, &resolved, 19), Err(error));
    }

    #[test]
    fn a_block_has_its_own_limit() {
        assert_eq!(check_block(10, 5, 15), Ok(15));
        let error = ReferenceScriptsError::Block {
            provided_bytes: 15,
            maximum_bytes: 14,
        };
        assert_eq!(check_block(10, 5, 14), Err(error));
    }
}
