//! What an output holds: lovelace and native assets.

use std::collections::BTreeMap;

use nupeer_primitives::{AssetId, Hash28};

/// Amounts by asset, in base units; assets of which there is nothing are not listed. Every step is checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Value(BTreeMap<AssetId, u64>);

impl Value {
    /// Nothing but ADA.
    pub fn lovelace(lovelace: u64) -> Self {
        Value::default().with(AssetId::Ada, lovelace)
    }

    /// The same with `amount` of `asset` in place of what there was of it.
    pub fn with(mut self, asset: AssetId, amount: u64) -> Self {
        self.set(asset, amount);
        self
    }

    /// Puts `amount` in place of what there was of `asset`.
    pub fn set(&mut self, asset: AssetId, amount: u64) {
        if amount == 0 {
            self.0.remove(&asset);
        } else {
            self.0.insert(asset, amount);
        }
    }

    /// How much of `asset` there is.
    pub fn get(&self, asset: &AssetId) -> u64 {
        self.0.get(asset).copied().unwrap_or_default()
    }

    /// How many lovelace there are.
    pub fn coin(&self) -> u64 {
        self.get(&AssetId::Ada)
    }

    /// Whether there is anything but ADA.
    pub fn has_tokens(&self) -> bool {
        self.tokens().next().is_some()
    }

    /// Every asset of which there is something, ADA first.
    pub fn iter(&self) -> impl Iterator<Item = (&AssetId, u64)> {
        self.0.iter().map(|(asset, amount)| (asset, *amount))
    }

    /// Policy, name and amount of each native asset, sorted.
    pub fn tokens(&self) -> impl Iterator<Item = (&Hash28, &[u8], u64)> {
        self.iter().filter_map(|(asset, amount)| match asset {
            AssetId::Ada => None,
            AssetId::Native { policy, name } => Some((policy, name.as_slice(), amount)),
        })
    }

    /// The sum, unless an amount leaves 64 bits, which the ledger cannot carry either.
    pub fn checked_add(&self, other: &Value) -> Option<Value> {
        let mut sum = self.clone();
        for (asset, amount) in other.iter() {
            sum.set(asset.clone(), sum.get(asset).checked_add(amount)?);
        }
        Some(sum)
    }

    /// The difference, or the first asset of which `self` has too little.
    pub fn checked_sub(&self, other: &Value) -> Result<Value, AssetId> {
        let mut rest = self.clone();
        for (asset, amount) in other.iter() {
            let left = rest
                .get(asset)
                .checked_sub(amount)
                .ok_or_else(|| asset.clone())?;
            rest.set(asset.clone(), left);
        }
        Ok(rest)
    }

    /// Bytes of the value as an output encodes it, which the protocol bounds.
    pub fn encoded_bytes(&self) -> u64 {
        crate::output::encoded_value_bytes(self)
    }

    /// The native assets grouped by policy, sorted.
    pub(crate) fn policies(&self) -> BTreeMap<&Hash28, Vec<(&[u8], u64)>> {
        let mut policies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (policy, name, amount) in self.tokens() {
            policies.entry(policy).or_default().push((name, amount));
        }
        policies
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(asset, amount)| (asset.to_string(), amount)),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(n: u8) -> AssetId {
        AssetId::Native {
            policy: Hash28([n; 28]),
            name: vec![n; usize::from(n % 3)],
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        (
            any::<u32>(),
            prop::collection::btree_map(0u8..5, 0u64..1000, 0..5),
        )
            .prop_map(|(coin, tokens)| {
                let value = Value::lovelace(coin.into());
                tokens
                    .into_iter()
                    .fold(value, |value, (n, amount)| value.with(token(n), amount))
            })
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(one in value(), two in value()) {
            let sum = one.checked_add(&two).unwrap();
            prop_assert_eq!(sum.checked_sub(&two), Ok(one));
        }
    }

    #[test]
    fn a_shortage_names_the_asset() {
        let have = Value::lovelace(5).with(token(1), 1);
        assert_eq!(have.checked_sub(&Value::lovelace(6)), Err(AssetId::Ada));
        assert_eq!(
            have.checked_sub(&Value::default().with(token(2), 1)),
            Err(token(2))
        );
    }

    #[test]
    fn a_sum_past_64_bits_is_refused() {
        assert_eq!(
            Value::lovelace(u64::MAX).checked_add(&Value::lovelace(1)),
            None
        );
    }

    #[test]
    fn nothing_of_an_asset_is_not_listed() {
        let value = Value::lovelace(1).with(token(1), 7).with(token(1), 0);
        assert_eq!(value, Value::lovelace(1));
        assert!(!value.has_tokens());
    }
}
