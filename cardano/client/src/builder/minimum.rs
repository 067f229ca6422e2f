//! The lovelace that an output must hold for its size (Babbage ledger specification, `utxoEntrySize`).

use super::BuildError;
use crate::{Output, ProtocolParameters, Value};

/// Bytes that the ledger counts for an entry beside the output itself.
const ENTRY_BYTES: u64 = 160;

/// What `output` must hold as it stands. Its own lovelace count among its bytes.
pub fn required_lovelace(output: &Output, parameters: &ProtocolParameters) -> Option<u64> {
    let size = ENTRY_BYTES.checked_add(output.to_cbor().len() as u64)?;
    size.checked_mul(parameters.utxo_cost_per_byte_lovelace)
}

/// The least lovelace with which `output` would be accepted, whatever it holds now.
pub fn minimum_lovelace(
    output: &Output,
    parameters: &ProtocolParameters,
) -> Result<u64, BuildError> {
    let mut output = output.clone();
    let mut lovelace = 0;
    loop {
        output.value.set(nupeer_primitives::AssetId::Ada, lovelace);
        let required = required_lovelace(&output, parameters).ok_or(BuildError::Overflow)?;
        // An amount is written in one of five widths, so this ends after at most five rounds.
        if required <= lovelace {
            return Ok(lovelace);
        }
        lovelace = required;
    }
}

/// Whether an output asked for may stand at `index`: enough lovelace, and a value that is not too large.
pub(super) fn check(
    index: usize,
    output: &Output,
    parameters: &ProtocolParameters,
) -> Result<(), BuildError> {
    let minimum = required_lovelace(output, parameters).ok_or(BuildError::Overflow)?;
    let provided = output.value.coin();
    if provided < minimum {
        let minimum = minimum_lovelace(output, parameters)?;
        return Err(BuildError::OutputBelowMinimum {
            index,
            provided,
            minimum,
        });
    }
    check_value(&output.value, parameters)
}

/// Whether a value fits the protocol's bound on its encoding.
pub(super) fn check_value(
    value: &Value,
    parameters: &ProtocolParameters,
) -> Result<(), BuildError> {
    let (provided, maximum) = (value.encoded_bytes(), parameters.value_bytes_max);
    match provided <= maximum {
        true => Ok(()),
        false => Err(BuildError::ValueTooLarge { provided, maximum }),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AssetId, Hash28};

    use super::*;
    use crate::builder::fixtures::{key_address, parameters};

    #[test]
    fn a_plain_output_needs_what_wallets_show() {
        let base = Output::new(key_address(1), Value::default());
        // 29-byte enterprise address: (160 + 39) × 4310.
        assert_eq!(minimum_lovelace(&base, &parameters()), Ok(857_690));
    }

    #[test]
    fn the_minimum_is_accepted_and_one_less_is_not() {
        let token = AssetId::Native {
            policy: Hash28([1; 28]),
            name: vec![2; 32],
        };
        let mut output = Output::new(key_address(1), Value::default().with(token, 1));
        let minimum = minimum_lovelace(&output, &parameters()).unwrap();
        output.value.set(AssetId::Ada, minimum);
        assert_eq!(check(0, &output, &parameters()), Ok(()));
        output.value.set(AssetId::Ada, minimum - 1);
        let refused = BuildError::OutputBelowMinimum {
            index: 0,
            provided: minimum - 1,
            minimum,
        };
        assert_eq!(check(0, &output, &parameters()), Err(refused));
    }
}
