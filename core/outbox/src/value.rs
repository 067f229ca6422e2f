//! Amounts of several assets, in the ledger's order: ADA first, then ascending policy and name.

use std::collections::BTreeMap;

use nupeer_primitives::{Amount, AssetId, Hash28, plutus::Data};

use crate::error::{WireError, amount, amount_data, bytes, map};

/// A multi-asset value without zero entries, so that each value has one form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value(BTreeMap<AssetId, Amount>);

impl Value {
    /// ADA alone.
    pub fn lovelace(units: u64) -> Self {
        Value::default().with(AssetId::Ada, Amount::from(units))
    }

    /// This value with the amount of one asset set.
    #[must_use]
    pub fn with(mut self, asset: AssetId, amount: Amount) -> Self {
        if amount.is_zero() {
            self.0.remove(&asset);
        } else {
            self.0.insert(asset, amount);
        }
        self
    }

    /// How much of an asset it holds.
    pub fn of(&self, asset: &AssetId) -> Amount {
        self.0.get(asset).copied().unwrap_or(Amount::ZERO)
    }

    /// The assets in it, ascending, ADA first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&AssetId, Amount)> {
        self.0.iter().map(|(asset, amount)| (asset, *amount))
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum, or `None` when an amount leaves the range.
    pub fn checked_add(&self, other: &Value) -> Option<Value> {
        other.entries().try_fold(self.clone(), |sum, (asset, add)| {
            let total = sum.of(asset).checked_add(add)?;
            Some(sum.with(asset.clone(), total))
        })
    }

    /// The difference, or `None` when `other` holds more of an asset.
    pub fn checked_sub(&self, other: &Value) -> Option<Value> {
        other
            .entries()
            .try_fold(self.clone(), |left, (asset, take)| {
                let rest = left.of(asset).checked_sub(take)?;
                Some(left.with(asset.clone(), rest))
            })
    }

    /// The value in a script context: a map of maps.
    pub fn to_data(&self) -> Data {
        let mut policies: Vec<(Data, Vec<(Data, Data)>)> = Vec::new();
        for (asset, amount) in self.entries() {
            let (policy, name) = asset_data(asset);
            let entry = (name, amount_data(amount.units()));
            match policies.last_mut() {
                Some((last, tokens)) if *last == policy => tokens.push(entry),
                _ => policies.push((policy, vec![entry])),
            }
        }
        let pairs = policies
            .into_iter()
            .map(|(policy, tokens)| (policy, Data::Map(tokens)));
        Data::Map(pairs.collect())
    }

    /// The inverse of [`Value::to_data`]: order, repetition and zero amounts are checked.
    pub fn from_data(data: &Data) -> Result<Value, WireError> {
        let mut value = Value::default();
        for (policy, tokens) in map(data, "a value")? {
            for (name, units) in map(tokens, "a value's tokens")? {
                let asset = asset_from_data(policy, name)?;
                let units = amount(units, "an amount")?;
                value.0.insert(asset, Amount::new(units));
            }
        }
        // Zero amounts, empty policies and entries out of order are not what the ledger or `to_data` writes.
        let zero = value.0.values().any(|amount| amount.is_zero());
        if zero || value.to_data() != *data {
            return Err(WireError::Order {
                field: "a value's assets",
            });
        }
        Ok(value)
    }
}

/// Policy and name of an asset in a script context; both are empty for ADA.
pub fn asset_data(asset: &AssetId) -> (Data, Data) {
    match asset {
        AssetId::Ada => (Data::bytes([]), Data::bytes([])),
        AssetId::Native { policy, name } => (Data::bytes(policy.0), Data::bytes(name)),
    }
}

/// The inverse of [`asset_data`].
pub fn asset_from_data(policy: &Data, name: &Data) -> Result<AssetId, WireError> {
    let (policy, name) = (bytes(policy, "a policy")?, bytes(name, "a name")?);
    if policy.is_empty() && name.is_empty() {
        return Ok(AssetId::Ada);
    }
    let policy = Hash28::try_from(policy).map_err(|_| WireError::Length {
        field: "a policy",
        provided: policy.len(),
        expected: Hash28::LEN,
    })?;
    if name.len() > AssetId::NAME_BYTES_MAX {
        return Err(WireError::Length {
            field: "a name",
            provided: name.len(),
            expected: AssetId::NAME_BYTES_MAX,
        });
    }
    let name = name.to_vec();
    Ok(AssetId::Native { policy, name })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(policy: u8, name: &[u8]) -> AssetId {
        AssetId::Native {
            policy: Hash28([policy; 28]),
            name: name.to_vec(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let asset = prop_oneof![
            Just(AssetId::Ada),
            (0u8..3, prop::collection::vec(0u8..3, 0..3)).prop_map(|(p, n)| token(p, &n)),
        ];
        prop::collection::vec((asset, any::<u64>()), 0..8).prop_map(|entries| {
            entries
                .into_iter()
                .fold(Value::default(), |value, (asset, units)| {
                    value.with(asset, Amount::from(units))
                })
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_plutus_data(value in values()) {
            prop_assert_eq!(Value::from_data(&value.to_data()), Ok(value));
        }

        #[test]
        fn what_is_added_can_be_taken_out_again(a in values(), b in values()) {
            let sum = a.checked_add(&b).expect("64 bits each");
            prop_assert_eq!(sum.checked_sub(&b), Some(a));
        }
    }

    #[test]
    fn entries_out_of_order_repeated_or_zero_are_refused() {
        let entry = |policy: u8, units| {
            let tokens = Data::Map(vec![(Data::bytes([]), Data::Int(units))]);
            (Data::bytes([policy; 28]), tokens)
        };
        let field = "a value's assets";
        for pairs in [
            vec![entry(2, 1), entry(1, 1)],
            vec![entry(1, 1), entry(1, 1)],
            vec![entry(1, 0)],
            vec![(Data::bytes([1; 28]), Data::Map(vec![]))],
        ] {
            assert_eq!(
                Value::from_data(&Data::Map(pairs)),
                Err(WireError::Order { field })
            );
        }
    }

    #[test]
    fn more_than_is_held_cannot_be_taken() {
        let (held, taken) = (Value::lovelace(5), Value::lovelace(6));
        assert_eq!(held.checked_sub(&taken), None);
        let alien = Value::default().with(token(1, b"x"), Amount::new(1));
        assert_eq!(held.checked_sub(&alien), None);
    }
}
