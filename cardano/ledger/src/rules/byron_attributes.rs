//! An output to a Byron address does not smuggle in data: the address's attributes, its network aside, have at most 64 bytes.
//!
//! Source: Conway formal specification, rule UTXO (`∀ a ∈ AddrBootstrap → bootstrapAttrsSize a ≤ 64`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>.

use super::RuleError;
use crate::address::Address;
use crate::tx::Body;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The most that the attributes of a Byron address may hold besides its network, in bytes.
const ATTRIBUTES_BYTES_MAX: usize = 64;

/// The attributes of a Byron address are too large.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the Byron address of output {index} has attributes of {provided_bytes} bytes, at most {maximum_bytes} are allowed"
)]
pub struct ByronAttributesTooBig {
    /// The output's number; the collateral's return comes after the others.
    pub index: usize,
    /// What they hold besides the network.
    pub provided_bytes: usize,
    /// What they may hold.
    pub maximum_bytes: usize,
}

impl Numbered for ByronAttributesTooBig {
    fn code(&self) -> Code {
        Code(7403)
    }
}

impl RuleError for ByronAttributesTooBig {
    fn predicate_name(&self) -> &'static str {
        "OutputBootAddrAttrsTooBig"
    }
}

pub(crate) fn check(body: &Body<'_>) -> Result<(), ByronAttributesTooBig> {
    for (index, output) in body.all_outputs().enumerate() {
        let provided_bytes = match output.address {
            Address::Byron(address) => address.attributes_bytes,
            Address::Shelley { .. } => 0,
        };
        if provided_bytes > ATTRIBUTES_BYTES_MAX {
            return Err(ByronAttributesTooBig {
                index,
                provided_bytes,
                maximum_bytes: ATTRIBUTES_BYTES_MAX,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byron::samples::address_with;
    use crate::output::Output;
    use crate::testing::{bytes, enterprise_output, output_at};

    /// `{1: path, 2: magic}` with a derivation path of so many bytes.
    fn output(path_bytes: usize) -> Vec<u8> {
        let path = bytes(&bytes(&vec![0; path_bytes]));
        let attributes = [&[0xa2, 0x01], path.as_slice(), &[0x02, 0x41, 0x07]].concat();
        output_at(&address_with([7; 28], &attributes), 1)
    }

    #[test]
    fn attributes_hold_64_bytes_besides_the_network_wherever_the_address_stands() {
        fn parse(bytes: &[u8]) -> Output<'_> {
            Output::parse(bytes).expect("an output")
        }
        let (plain, small, large) = (enterprise_output(1), output(64), output(65));
        let verdict = |second: &[u8], collateral_return: &[u8]| {
            check(&Body {
                outputs: vec![parse(&plain), parse(second)],
                collateral_return: Some(parse(collateral_return)),
                ..Body::default()
            })
        };
        let refused = |index| {
            Err(ByronAttributesTooBig {
                index,
                provided_bytes: 65,
                maximum_bytes: 64,
            })
        };
        assert_eq!(verdict(&small, &small), Ok(()));
        assert_eq!(verdict(&large, &small), refused(1));
        assert_eq!(verdict(&small, &large), refused(2));
    }
}
