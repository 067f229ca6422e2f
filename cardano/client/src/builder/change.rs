//! What remains, laid out as outputs.

use nupeer_primitives::AssetId;
use pallas_addresses::Address;

use super::{
    BuildError,
    minimum::{check_value, minimum_lovelace, required_lovelace},
};
use crate::{Output, ProtocolParameters, Value};

/// Lovelace beside tokens from which on they get an output of their own, which can then serve as collateral.
const SEPARATE_LOVELACE: u64 = 5_000_000;

/// Where the change goes, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose it is.
    pub address: Address,
    /// Before which of the other outputs it stands, counted from 0; after all of them if `None`.
    pub position: Option<usize>,
    /// How many outputs it makes.
    pub layout: ChangeLayout,
}

/// How many outputs the change makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeLayout {
    /// As many as are useful: none if nothing remains; tokens apart from much ADA; more where one output would be
    /// too large.
    Split,
    /// Exactly one, so that the outputs after it stand where a script expects them.
    Single,
}

impl Change {
    /// The usual change of a wallet: last, and split.
    pub fn to(address: Address) -> Self {
        Change {
            address,
            position: None,
            layout: ChangeLayout::Split,
        }
    }

    /// Exactly one output at `position`, whatever remains.
    pub fn single_at(address: Address, position: usize) -> Self {
        Change {
            address,
            position: Some(position),
            layout: ChangeLayout::Single,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChangeError {
    /// More lovelace would help.
    TooSmall {
        provided: u64,
        minimum: u64,
    },
    Other(BuildError),
}

impl From<BuildError> for ChangeError {
    fn from(error: BuildError) -> Self {
        ChangeError::Other(error)
    }
}

pub(super) fn lay_out(
    rest: Value,
    change: &Change,
    parameters: &ProtocolParameters,
) -> Result<Vec<Output>, ChangeError> {
    match change.layout {
        ChangeLayout::Single => single(rest, &change.address, parameters),
        ChangeLayout::Split if rest == Value::default() => Ok(vec![]),
        ChangeLayout::Split => split(rest, &change.address, parameters),
    }
}

fn single(
    rest: Value,
    address: &Address,
    parameters: &ProtocolParameters,
) -> Result<Vec<Output>, ChangeError> {
    check_value(&rest, parameters)?;
    let output = Output::new(address.clone(), rest);
    let provided = output.value.coin();
    match required_lovelace(&output, parameters).ok_or(BuildError::Overflow)? {
        required if required <= provided => Ok(vec![output]),
        _ => Err(ChangeError::TooSmall {
            provided,
            minimum: minimum_lovelace(&output, parameters)?,
        }),
    }
}

/// Bundles of tokens with their minimum each; the ADA that remains apart if it is much, else with the last bundle.
fn split(
    rest: Value,
    address: &Address,
    parameters: &ProtocolParameters,
) -> Result<Vec<Output>, ChangeError> {
    let mut outputs = Vec::new();
    let mut left = rest.coin();
    for mut bundle in bundles(&rest, parameters)? {
        let lovelace = minimum_lovelace(&Output::new(address.clone(), bundle.clone()), parameters)?;
        bundle.set(AssetId::Ada, lovelace);
        outputs.push(Output::new(address.clone(), bundle));
        left = left.checked_sub(lovelace).ok_or(ChangeError::TooSmall {
            provided: rest.coin(),
            minimum: outputs.iter().map(|output| output.value.coin()).sum(),
        })?;
    }
    match outputs.last_mut() {
        Some(last) if left < SEPARATE_LOVELACE => {
            last.value.set(AssetId::Ada, last.value.coin() + left);
        }
        _ => outputs.extend(single(Value::lovelace(left), address, parameters)?),
    }
    Ok(outputs)
}

/// The tokens in as few values as the bound on a value's size allows, in order.
fn bundles(rest: &Value, parameters: &ProtocolParameters) -> Result<Vec<Value>, BuildError> {
    let mut bundles: Vec<Value> = Vec::new();
    for (asset, amount) in rest.iter().filter(|(asset, _)| **asset != AssetId::Ada) {
        // The widest lovelace there can be, so that what is added later still fits.
        let base = bundles
            .last()
            .cloned()
            .unwrap_or_default()
            .with(AssetId::Ada, u64::MAX);
        let grown = base.with(asset.clone(), amount);
        if !bundles.is_empty() && check_value(&grown, parameters).is_ok() {
            bundles.pop();
            bundles.push(grown.with(AssetId::Ada, 0));
        } else {
            let alone = Value::default().with(asset.clone(), amount);
            check_value(&alone.clone().with(AssetId::Ada, u64::MAX), parameters)?;
            bundles.push(alone);
        }
    }
    Ok(bundles)
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash28;
    use proptest::prelude::*;

    use super::*;
    use crate::builder::fixtures::{key_address, parameters};

    fn token(n: u16) -> AssetId {
        AssetId::Native {
            policy: Hash28([(n % 7) as u8; 28]),
            name: format!("token {n}").into_bytes(),
        }
    }

    fn total(outputs: &[Output]) -> Value {
        outputs.iter().fold(Value::default(), |sum, output| {
            sum.checked_add(&output.value).unwrap()
        })
    }

    #[test]
    fn nothing_left_makes_no_output_unless_one_is_demanded() {
        let split = Change::to(key_address(1));
        assert_eq!(lay_out(Value::default(), &split, &parameters()), Ok(vec![]));
        let single = Change::single_at(key_address(1), 0);
        let refused = lay_out(Value::default(), &single, &parameters()).unwrap_err();
        assert_eq!(
            refused,
            ChangeError::TooSmall {
                provided: 0,
                minimum: 857_690
            }
        );
    }

    #[test]
    fn much_ada_is_kept_apart_from_tokens() {
        let change = Change::to(key_address(1));
        let rest = Value::lovelace(10_000_000).with(token(1), 5);
        let outputs = lay_out(rest.clone(), &change, &parameters()).unwrap();
        assert_eq!(outputs.len(), 2);
        assert!(!outputs[1].value.has_tokens());
        assert_eq!(total(&outputs), rest);
        let single = Change {
            layout: ChangeLayout::Single,
            ..change
        };
        assert_eq!(lay_out(rest, &single, &parameters()).unwrap().len(), 1);
    }

    #[test]
    fn a_single_change_too_large_for_one_output_is_refused() {
        let rest = (0..600).fold(Value::lovelace(50_000_000), |value, n| {
            value.with(token(n), 1)
        });
        let change = Change::single_at(key_address(1), 0);
        let refused = lay_out(rest, &change, &parameters()).unwrap_err();
        assert!(matches!(
            refused,
            ChangeError::Other(BuildError::ValueTooLarge { maximum: 5000, .. })
        ));
    }

    proptest! {
        #[test]
        fn split_change_keeps_everything_in_valid_outputs(tokens in 0u16..600, coin in 0u64..1 << 40) {
            let rest = (0..tokens).fold(Value::lovelace(coin), |value, n| value.with(token(n), u64::from(n) + 1));
            match lay_out(rest.clone(), &Change::to(key_address(1)), &parameters()) {
                Ok(outputs) => {
                    prop_assert_eq!(total(&outputs), rest);
                    for (index, output) in outputs.iter().enumerate() {
                        prop_assert_eq!(super::super::minimum::check(index, output, &parameters()), Ok(()));
                    }
                }
                Err(ChangeError::TooSmall { provided, minimum }) => prop_assert!(provided < minimum),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
