//! What an output holds: lovelace and native assets (Mary ledger, "multi-asset value").

use super::cbor::{DecodeError, Length, Major, Reader};
use std::collections::BTreeMap;

/// The hash of the script that governs the minting of an asset.
pub type PolicyId = [u8; 28];

/// An asset's name under its policy: at most 32 bytes.
pub type AssetName = Vec<u8>;

/// Quantities by policy and name, in the canonical order of both.
pub type Assets<Q> = BTreeMap<PolicyId, BTreeMap<AssetName, Q>>;

/// The longest name of an asset, in bytes (Conway CDDL, `asset_name`).
const ASSET_NAME_LENGTH_MAX: usize = 32;

/// The content of one output. No quantity in it is zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Value {
    /// Lovelace.
    pub lovelace: u64,
    /// Native assets, in their smallest units.
    pub assets: Assets<u64>,
}

impl Value {
    /// `coin / [coin, multiasset]`, quantities positive (Conway CDDL, `value`).
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.peek()? == Major::Unsigned {
            let lovelace = reader.unsigned("lovelace")?;
            return Ok(Self {
                lovelace,
                assets: Assets::new(),
            });
        }
        let record = reader.record(2, "a value")?;
        let lovelace = reader.unsigned("lovelace")?;
        let assets = decode_assets(reader, output_quantity)?;
        reader.close(record, "a value")?;
        Ok(Self { lovelace, assets })
    }

    /// The size in bytes of this value as the Haskell ledger serialises it anew, which is what `maxValueSize` bounds.
    ///
    /// Maps of up to 23 entries have a one-byte head; longer ones are of indefinite length (a head and a break).
    pub(crate) fn encoded_size_bytes(&self) -> usize {
        if self.assets.is_empty() {
            return unsigned_size(self.lovelace);
        }
        let policies: usize = self.assets.values().map(policy_size).sum();
        1 + unsigned_size(self.lovelace) + map_head_size(self.assets.len()) + policies
    }

    /// Whether this holds nothing but lovelace.
    pub fn is_ada_only(&self) -> bool {
        self.assets.is_empty()
    }
}

fn policy_size(names: &BTreeMap<AssetName, u64>) -> usize {
    let entries: usize = names
        .iter()
        .map(|(name, quantity)| {
            unsigned_size(name.len() as u64) + name.len() + unsigned_size(*quantity)
        })
        .sum();
    2 + 28 + map_head_size(names.len()) + entries
}

fn map_head_size(entries: usize) -> usize {
    if entries <= 23 { 1 } else { 2 }
}

fn unsigned_size(value: u64) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// The `mint` field: quantities of either sign, none zero (Conway CDDL, `mint`).
pub(crate) fn decode_mint(reader: &mut Reader<'_>) -> Result<Assets<i64>, DecodeError> {
    let assets = decode_assets(reader, mint_quantity)?;
    if assets.is_empty() {
        return Err(DecodeError::Empty {
            what: "the mint field",
        });
    }
    Ok(assets)
}

fn output_quantity(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.unsigned("a quantity")? {
        0 => Err(DecodeError::Empty { what: "a quantity" }),
        quantity => Ok(quantity),
    }
}

fn mint_quantity(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
    match i64::try_from(reader.integer("a minted quantity")?) {
        Ok(0) => Err(DecodeError::Empty {
            what: "a minted quantity",
        }),
        Ok(quantity) => Ok(quantity),
        Err(_) => Err(DecodeError::OutOfRange {
            what: "a minted quantity",
        }),
    }
}

fn decode_assets<Q>(
    reader: &mut Reader<'_>,
    quantity: fn(&mut Reader<'_>) -> Result<Q, DecodeError>,
) -> Result<Assets<Q>, DecodeError> {
    let mut assets = Assets::new();
    let mut length = reader.map("a map of policies")?;
    while reader.more(&mut length)? {
        let policy = *reader.fixed::<28>("a policy id")?;
        let names = decode_names(reader, quantity)?;
        if assets.insert(policy, names).is_some() {
            return Err(DecodeError::Duplicate {
                what: "a map of policies",
            });
        }
    }
    Ok(assets)
}

fn decode_names<Q>(
    reader: &mut Reader<'_>,
    quantity: fn(&mut Reader<'_>) -> Result<Q, DecodeError>,
) -> Result<BTreeMap<AssetName, Q>, DecodeError> {
    let mut names = BTreeMap::new();
    let mut length: Length = reader.map("a map of assets")?;
    while reader.more(&mut length)? {
        let name = asset_name(reader)?;
        if names.insert(name, quantity(reader)?).is_some() {
            return Err(DecodeError::Duplicate {
                what: "a map of assets",
            });
        }
    }
    if names.is_empty() {
        return Err(DecodeError::Empty {
            what: "a map of assets",
        });
    }
    Ok(names)
}

fn asset_name(reader: &mut Reader<'_>) -> Result<AssetName, DecodeError> {
    let name = reader.bytes("an asset name")?;
    if name.len() > ASSET_NAME_LENGTH_MAX {
        return Err(DecodeError::TooLong {
            what: "an asset name",
            provided: name.len(),
            maximum: ASSET_NAME_LENGTH_MAX,
        });
    }
    Ok(name.to_vec())
}

/// A sum of values in which quantities may be negative and cannot overflow: at most 2¹⁵ summands of 64 bits fit a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// Lovelace.
    pub lovelace: i128,
    /// Native assets; entries that came to zero are absent.
    pub assets: BTreeMap<(PolicyId, AssetName), i128>,
}

impl Balance {
    /// Adds `sign` times a value.
    pub(crate) fn add_value(&mut self, value: &Value, sign: i128) {
        self.lovelace = self
            .lovelace
            .saturating_add(sign.saturating_mul(i128::from(value.lovelace)));
        for (policy, names) in &value.assets {
            for (name, quantity) in names {
                self.add_asset(*policy, name, sign.saturating_mul(i128::from(*quantity)));
            }
        }
    }

    /// Adds what a mint field creates (its positive or negative quantities).
    pub(crate) fn add_mint(&mut self, mint: &Assets<i64>) {
        for (policy, names) in mint {
            for (name, quantity) in names {
                self.add_asset(*policy, name, i128::from(*quantity));
            }
        }
    }

    fn add_asset(&mut self, policy: PolicyId, name: &AssetName, quantity: i128) {
        let entry = self.assets.entry((policy, name.clone())).or_default();
        *entry = entry.saturating_add(quantity);
        if *entry == 0 {
            self.assets.remove(&(policy, name.clone()));
        }
    }

    /// Whether this holds nothing but lovelace.
    pub(crate) fn is_ada_only(&self) -> bool {
        self.assets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &str) -> Result<Value, DecodeError> {
        Value::decode(&mut Reader::new(&hex::decode(bytes).expect("hex")))
    }

    #[test]
    fn a_value_re_encodes_to_the_size_it_came_in_when_canonical() {
        let policy = "581c".to_owned() + &"aa".repeat(28);
        for bytes in [
            "00",
            "18ff",
            "1a004c4b40",
            &format!("821a004c4b40a1{policy}a1434142431903e8"),
        ] {
            let value = decode(bytes).expect("a value");
            assert_eq!(value.encoded_size_bytes() * 2, bytes.len(), "{bytes}");
        }
    }

    #[test]
    fn zero_quantities_and_empty_policies_are_refused() {
        let policy = "581c".to_owned() + &"aa".repeat(28);
        assert_eq!(
            decode(&format!("8200a1{policy}a14000")),
            Err(DecodeError::Empty { what: "a quantity" })
        );
        assert_eq!(
            decode(&format!("8200a1{policy}a0")),
            Err(DecodeError::Empty {
                what: "a map of assets"
            })
        );
    }

    #[test]
    fn a_policy_named_twice_is_refused() {
        let entry = "581c".to_owned() + &"aa".repeat(28) + "a14001";
        assert_eq!(
            decode(&format!("8200a2{entry}{entry}")),
            Err(DecodeError::Duplicate {
                what: "a map of policies"
            })
        );
    }

    #[test]
    fn balances_forget_what_came_to_zero() {
        let value = Value {
            lovelace: 5,
            assets: Assets::from([([1; 28], BTreeMap::from([(vec![2], 7)]))]),
        };
        let mut balance = Balance::default();
        balance.add_value(&value, 1);
        balance.add_value(&value, -1);
        assert_eq!(balance, Balance::default());
    }
}
