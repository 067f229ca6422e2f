//! What is pledged for scripts that fail (Babbage ledger specification, `collInputs`, `collRet`, `txcoll`).

use std::cmp::Reverse;

use super::{BuildError, TransactionBuilder, minimum::required_lovelace, select::candidates};
use crate::{Output, ProtocolParameters, Utxo, Value};

/// Inputs that are lost if a script fails, less what comes back.
pub(super) struct Collateral {
    pub(super) inputs: Vec<Utxo>,
    pub(super) lovelace: u64,
    pub(super) back: Option<Output>,
}

/// As few inputs as cover the share of `fee` that the protocol demands, largest without tokens first.
pub(super) fn choose(
    builder: &TransactionBuilder,
    fee: u64,
    parameters: &ProtocolParameters,
) -> Result<Collateral, BuildError> {
    let share = u128::from(fee) * u128::from(parameters.collateral_percent);
    let required = u64::try_from(share.div_ceil(100)).map_err(|_| BuildError::Overflow)?;
    let pool = pool(builder, parameters.collateral_inputs_max);
    let mut fallback = None;
    for count in 1..=pool.len() {
        let inputs = &pool[..count];
        match attempt(builder, inputs, required, parameters)? {
            Some(collateral) if collateral.back.is_some() || collateral.lovelace == required => {
                return Ok(collateral);
            }
            // More than required would be lost; another input may bring the rest above the minimum.
            Some(collateral) => fallback = fallback.or(Some(collateral)),
            None => {}
        }
    }
    let provided = pool
        .iter()
        .map(|utxo| utxo.output.value.coin())
        .fold(0, u64::saturating_add);
    fallback.ok_or(BuildError::InsufficientCollateral { provided, required })
}

/// Candidates in order of preference, no more than the protocol allows.
fn pool(builder: &TransactionBuilder, most: u64) -> Vec<Utxo> {
    let mut pool: Vec<Utxo> = match builder.collateral.is_empty() {
        // The ledger takes no collateral that a script guards (`ScriptsNotPaidUTxO`).
        false => builder
            .collateral
            .iter()
            .filter(|utxo| utxo.spending_key().is_some())
            .cloned()
            .collect(),
        true => {
            let given = builder.given_inputs().into_iter();
            let given = given.map(|(reference, output)| Utxo { reference, output });
            candidates(builder)
                .cloned()
                .chain(given.filter(|utxo| utxo.spending_key().is_some()))
                .collect()
        }
    };
    pool.sort_by_key(|utxo| {
        (
            utxo.output.value.has_tokens(),
            Reverse(utxo.output.value.coin()),
            utxo.reference,
        )
    });
    pool.dedup_by_key(|utxo| utxo.reference);
    pool.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    pool
}

/// `None` if `inputs` are too little, or leave tokens that no output could carry back.
fn attempt(
    builder: &TransactionBuilder,
    inputs: &[Utxo],
    required: u64,
    parameters: &ProtocolParameters,
) -> Result<Option<Collateral>, BuildError> {
    let sum = inputs.iter().try_fold(Value::default(), |sum, utxo| {
        sum.checked_add(&utxo.output.value)
    });
    let sum = sum.ok_or(BuildError::Overflow)?;
    let Ok(rest) = sum.checked_sub(&Value::lovelace(required)) else {
        return Ok(None);
    };
    let inputs = inputs.to_vec();
    if rest == Value::default() {
        return Ok(Some(Collateral {
            inputs,
            lovelace: required,
            back: None,
        }));
    }
    let back = Output::new(builder.change.address.clone(), rest);
    let minimum = required_lovelace(&back, parameters).ok_or(BuildError::Overflow)?;
    Ok(if back.value.coin() >= minimum {
        Some(Collateral {
            inputs,
            lovelace: required,
            back: Some(back),
        })
    } else if back.value.has_tokens() {
        None
    } else {
        Some(Collateral {
            inputs,
            lovelace: sum.coin(),
            back: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AssetId, Hash28};

    use super::*;
    use crate::builder::{
        Change,
        fixtures::{key_address, parameters, utxo},
    };

    fn builder(pool: &[Utxo]) -> TransactionBuilder {
        TransactionBuilder::new(Change::to(key_address(9))).available(pool.iter().cloned())
    }

    #[test]
    fn the_share_is_rounded_up_and_the_rest_comes_back() {
        let made = choose(
            &builder(&[utxo(1, Value::lovelace(5_000_000))]),
            200_001,
            &parameters(),
        )
        .unwrap();
        assert_eq!(made.lovelace, 300_002);
        assert_eq!(made.back.unwrap().value, Value::lovelace(4_699_998));
    }

    #[test]
    fn tokens_are_pledged_last_and_come_back() {
        let token = AssetId::Native {
            policy: Hash28([1; 28]),
            name: vec![],
        };
        let rich = utxo(1, Value::lovelace(9_000_000).with(token.clone(), 3));
        let plain = utxo(2, Value::lovelace(4_000_000));
        let both = choose(
            &builder(&[rich.clone(), plain.clone()]),
            200_000,
            &parameters(),
        )
        .unwrap();
        assert_eq!(both.inputs, [plain]);
        let only = choose(&builder(&[rich]), 200_000, &parameters()).unwrap();
        assert_eq!(only.back.unwrap().value.get(&token), 3);
    }

    #[test]
    fn a_rest_too_small_for_an_output_is_pledged_too() {
        let made = choose(
            &builder(&[utxo(1, Value::lovelace(900_000))]),
            200_000,
            &parameters(),
        )
        .unwrap();
        assert_eq!((made.lovelace, made.back), (900_000, None));
    }

    #[test]
    fn too_little_is_refused_with_both_sides() {
        let pool: Vec<_> = (1..=5).map(|n| utxo(n, Value::lovelace(90_000))).collect();
        let refused = choose(&builder(&pool), 200_000, &parameters()).err();
        // Five are there, three are allowed.
        let expected = BuildError::InsufficientCollateral {
            provided: 270_000,
            required: 300_000,
        };
        assert_eq!(refused, Some(expected));
    }
}
