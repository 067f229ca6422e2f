//! What a governance action wants the protocol's parameters to be (Conway CDDL, `protocol_param_update`).

use super::ratio::{nonnegative_interval, unit_interval};
use super::witnesses::ex_units;
use crate::cbor::{DecodeError, Reader};
use crate::parameters::Ratio;
use crate::tx::ExUnits;
use std::collections::BTreeMap;

const WHAT: &str = "a parameter update";

/// The parameters that stake pools vote on (CIP-1694, the security group; Conway ledger, `ConwayPParams`): fees per byte and constant,
/// sizes of block body, transaction and header, lovelace per byte of an output, units of a block, size of a value, the deposit for an
/// action, the price of reference scripts.
const SECURITY_GROUP: [u64; 10] = [0, 1, 2, 3, 4, 17, 21, 22, 30, 33];

/// The parameters that may not become 0 (Conway ledger, `ppuWellFormed`), whose values are plain numbers.
const NEVER_ZERO: [u64; 11] = [2, 3, 4, 6, 17, 22, 23, 28, 29, 30, 31];

/// The number of pools wanted, which may not become 0 from protocol version 11 on.
const POOL_COUNT_KEY: u64 = 8;

/// One parameter's new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// Lovelace, bytes, epochs, counts.
    Integer(u64),
    /// A fraction in lowest terms.
    Ratio(Ratio),
    /// Prices of execution (memory, CPU), or thresholds in the order of the CDDL.
    Ratios(Vec<Ratio>),
    /// A budget.
    ExUnits(ExUnits),
    /// Cost models by the number of their language.
    CostModels(BTreeMap<u8, Vec<i64>>),
}

/// New values by the parameters' keys in the CDDL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParameterUpdate(BTreeMap<u64, ParameterValue>);

impl ParameterUpdate {
    /// The new values, by key.
    pub fn values(&self) -> &BTreeMap<u64, ParameterValue> {
        &self.0
    }

    /// Whether a parameter is among them that stake pools have a say in.
    pub fn touches_security_group(&self) -> bool {
        SECURITY_GROUP.iter().any(|key| self.0.contains_key(key))
    }

    /// Whether it changes something, and nothing to a zero that would stop the chain (Conway ledger, `ppuWellFormed`).
    pub(crate) fn is_well_formed(&self, protocol_version_major: u16) -> bool {
        let is_zero = |key: &u64| self.0.get(key) == Some(&ParameterValue::Integer(0));
        let no_pools = protocol_version_major >= 11 && is_zero(&POOL_COUNT_KEY);
        !self.0.is_empty() && !no_pools && !NEVER_ZERO.iter().any(is_zero)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut values = BTreeMap::new();
        let mut length = reader.map(WHAT)?;
        while reader.more(&mut length)? {
            let key = reader.unsigned("a parameter's key")?;
            if values.insert(key, decode_value(key, reader)?).is_some() {
                return Err(DecodeError::Duplicate { what: WHAT });
            }
        }
        Ok(Self(values))
    }
}

impl FromIterator<(u64, ParameterValue)> for ParameterUpdate {
    fn from_iter<T: IntoIterator<Item = (u64, ParameterValue)>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

fn decode_value(key: u64, reader: &mut Reader<'_>) -> Result<ParameterValue, DecodeError> {
    Ok(match key {
        0 | 1 | 5 | 6 | 16 | 17 | 30 | 31 => integer(reader, u64::MAX)?,
        2 | 3 | 7 | 22 | 28 | 29 | 32 => integer(reader, u64::from(u32::MAX))?,
        4 | 8 | 23 | 24 | 27 => integer(reader, u64::from(u16::MAX))?,
        9 | 33 => ParameterValue::Ratio(nonnegative_interval(reader, "a fraction")?),
        10 | 11 => ParameterValue::Ratio(unit_interval(reader)?),
        18 => cost_models(reader)?,
        19 => ratios(reader, 2, |reader| nonnegative_interval(reader, "a price"))?,
        20 | 21 => ParameterValue::ExUnits(ex_units(reader)?),
        25 => ratios(reader, 5, unit_interval)?,
        26 => ratios(reader, 10, unit_interval)?,
        key => return Err(DecodeError::UnknownKey { what: WHAT, key }),
    })
}

fn integer(reader: &mut Reader<'_>, maximum: u64) -> Result<ParameterValue, DecodeError> {
    let what = "a parameter";
    match reader.unsigned(what)? {
        value if value <= maximum => Ok(ParameterValue::Integer(value)),
        _ => Err(DecodeError::OutOfRange { what }),
    }
}

fn ratios(
    reader: &mut Reader<'_>,
    count: u64,
    item: impl Fn(&mut Reader<'_>) -> Result<Ratio, DecodeError>,
) -> Result<ParameterValue, DecodeError> {
    let what = "a list of fractions";
    let record = reader.record(count, what)?;
    let ratios: Result<Vec<Ratio>, DecodeError> = (0..count).map(|_| item(reader)).collect();
    reader.close(record, what)?;
    ratios.map(ParameterValue::Ratios)
}

fn cost_models(reader: &mut Reader<'_>) -> Result<ParameterValue, DecodeError> {
    let what = "cost models";
    let mut models = BTreeMap::new();
    let mut length = reader.map(what)?;
    while reader.more(&mut length)? {
        let language = u8::try_from(reader.unsigned("a language")?)
            .map_err(|_| DecodeError::OutOfRange { what: "a language" })?;
        if models.insert(language, cost_model(reader)?).is_some() {
            return Err(DecodeError::Duplicate { what });
        }
    }
    Ok(ParameterValue::CostModels(models))
}

fn cost_model(reader: &mut Reader<'_>) -> Result<Vec<i64>, DecodeError> {
    let what = "a cost";
    let mut costs = Vec::new();
    let mut length = reader.array("a cost model")?;
    while reader.more(&mut length)? {
        let cost = i64::try_from(reader.integer(what)?);
        costs.push(cost.map_err(|_| DecodeError::OutOfRange { what })?);
    }
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &str) -> Result<ParameterUpdate, DecodeError> {
        let bytes = hex::decode(bytes).expect("hex");
        let mut reader = Reader::new(&bytes);
        let update = ParameterUpdate::decode(&mut reader)?;
        reader.finish(WHAT).map(|()| update)
    }

    fn half() -> Ratio {
        Ratio {
            numerator: 1,
            denominator: 2,
        }
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let units = ExUnits { memory: 1, cpu: 2 };
        let half_bytes = "d81e820102";
        let models = BTreeMap::from([(0, vec![1, -1]), (7, vec![])]);
        let cases = [
            ("00182c".to_owned(), 0, ParameterValue::Integer(44)),
            (format!("09{half_bytes}"), 9, ParameterValue::Ratio(half())),
            (format!("0a{half_bytes}"), 10, ParameterValue::Ratio(half())),
            (
                "12a200820120079fff".to_owned(),
                18,
                ParameterValue::CostModels(models),
            ),
            (
                format!("1382{}", half_bytes.repeat(2)),
                19,
                ParameterValue::Ratios(vec![half(); 2]),
            ),
            ("14820102".to_owned(), 20, ParameterValue::ExUnits(units)),
            (
                format!("181985{}", half_bytes.repeat(5)),
                25,
                ParameterValue::Ratios(vec![half(); 5]),
            ),
            (
                format!("181a8a{}", half_bytes.repeat(10)),
                26,
                ParameterValue::Ratios(vec![half(); 10]),
            ),
        ];
        for (entry, key, value) in cases {
            let update = decode(&format!("a1{entry}")).expect("an update");
            assert_eq!(update.values(), &BTreeMap::from([(key, value)]), "{entry}");
        }
    }

    #[test]
    fn numbers_have_the_widths_of_the_cddl() {
        let what = "a parameter";
        for (key, maximum, above) in [
            ("02", "1affffffff", "1b0000000100000000"),
            ("04", "19ffff", "1a00010000"),
            ("17", "19ffff", "1a00010000"),
            ("1820", "1affffffff", "1b0000000100000000"),
        ] {
            assert!(decode(&format!("a1{key}{maximum}")).is_ok(), "{key}");
            assert_eq!(
                decode(&format!("a1{key}{above}")),
                Err(DecodeError::OutOfRange { what }),
                "{key}"
            );
        }
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused() {
        for key in [12, 13, 14, 15] {
            assert_eq!(
                decode(&format!("a10{key:x}00")),
                Err(DecodeError::UnknownKey { what: WHAT, key })
            );
        }
        assert_eq!(
            decode("a200010001"),
            Err(DecodeError::Duplicate { what: WHAT })
        );
    }

    #[test]
    fn pools_have_a_say_in_the_security_group_alone() {
        let touched = |key: u64| {
            let values = BTreeMap::from([(key, ParameterValue::Integer(1))]);
            ParameterUpdate(values).touches_security_group()
        };
        let keys: Vec<u64> = (0..34).filter(|key| touched(*key)).collect();
        assert_eq!(keys, SECURITY_GROUP);
    }

    #[test]
    fn nothing_and_a_zero_that_stops_the_chain_are_no_updates() {
        let well_formed = |key, value, version| {
            let values = BTreeMap::from([(key, ParameterValue::Integer(value))]);
            ParameterUpdate(values).is_well_formed(version)
        };
        assert!(!ParameterUpdate::default().is_well_formed(10));
        for key in NEVER_ZERO {
            assert!(!well_formed(key, 0, 10), "{key}");
            assert!(well_formed(key, 1, 10), "{key}");
        }
        for key in [0, 1, 5, 7, 16, 24, 27, 32] {
            assert!(well_formed(key, 0, 10), "{key}");
        }
        assert!(well_formed(8, 0, 10));
        assert!(!well_formed(8, 0, 11));
    }
}
