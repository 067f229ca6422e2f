//! The protocol parameters that building a transaction needs.

use minicbor::Decoder;
use nupeer_primitives::{Code, Numbered};

/// A fraction as the ledger writes it (tag 30); the denominator is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rational {
    /// Above the line.
    pub numerator: u64,
    /// Below the line.
    pub denominator: u64,
}

impl Rational {
    /// `numerator / denominator`.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        Rational {
            numerator,
            denominator,
        }
    }
}

/// Memory and CPU steps of Plutus scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExUnits {
    /// Memory units.
    pub memory: u64,
    /// CPU steps.
    pub steps: u64,
}

impl ExUnits {
    /// The sum, unless it leaves 64 bits.
    pub fn checked_add(self, other: ExUnits) -> Option<ExUnits> {
        let memory = self.memory.checked_add(other.memory)?;
        Some(ExUnits {
            memory,
            steps: self.steps.checked_add(other.steps)?,
        })
    }

    /// Whether both stay within `limit`.
    pub fn within(self, limit: ExUnits) -> bool {
        self.memory <= limit.memory && self.steps <= limit.steps
    }

    /// The larger of each.
    pub fn max(self, other: ExUnits) -> ExUnits {
        let (memory, steps) = (self.memory.max(other.memory), self.steps.max(other.steps));
        ExUnits { memory, steps }
    }
}

/// Conway's protocol parameters as far as a transaction depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolParameters {
    /// Fee for each byte of the transaction (`minFeeA`).
    pub fee_per_byte_lovelace: u64,
    /// Fee for any transaction (`minFeeB`).
    pub fee_constant_lovelace: u64,
    /// Largest transaction.
    pub transaction_bytes_max: u64,
    /// Largest value of one output, as encoded.
    pub value_bytes_max: u64,
    /// What an output must hold for each of its bytes (`coinsPerUTxOByte`).
    pub utxo_cost_per_byte_lovelace: u64,
    /// Deposit for registering a stake credential.
    pub key_deposit_lovelace: u64,
    /// Protocol version, major and minor.
    pub protocol_version: (u64, u64),
    /// Lovelace for each unit of memory.
    pub memory_price: Rational,
    /// Lovelace for each CPU step.
    pub step_price: Rational,
    /// What one transaction's scripts may use.
    pub transaction_units_max: ExUnits,
    /// What one block's scripts may use.
    pub block_units_max: ExUnits,
    /// Collateral in per cent of the fee.
    pub collateral_percent: u64,
    /// Most collateral inputs.
    pub collateral_inputs_max: u64,
    /// Lovelace for each byte of reference scripts, in the first tier.
    pub reference_script_price: Rational,
    /// Cost model of Plutus V3.
    pub cost_model_v3: Vec<i64>,
}

/// Why a node's answer holds no parameters that a transaction could be built with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Not the CBOR of Conway's parameters.
    #[error("not Conway's protocol parameters: {0}")]
    Malformed(String),
    /// Fewer fields than Conway has.
    #[error("{provided} fields where Conway's protocol parameters have {expected}")]
    Fields {
        /// Fields found.
        provided: u64,
        /// Fields that Conway has.
        expected: u64,
    },
    /// No cost model for Plutus V3.
    #[error("the protocol parameters hold no cost model for Plutus V3")]
    NoCostModel,
}

impl Numbered for ParametersError {
    fn code(&self) -> Code {
        Code(match self {
            ParametersError::Malformed(_) => 7006,
            ParametersError::Fields { .. } => 7007,
            ParametersError::NoCostModel => 7008,
        })
    }
}

impl From<minicbor::decode::Error> for ParametersError {
    fn from(error: minicbor::decode::Error) -> Self {
        ParametersError::Malformed(error.to_string())
    }
}

/// Fields of `ConwayPParams` (cardano-ledger, `Cardano.Ledger.Conway.PParams`).
const FIELDS: u64 = 31;

/// Cost-model key of Plutus V3.
const PLUTUS_V3: u64 = 2;

impl ProtocolParameters {
    /// Reads the answer to the state query `GetCurrentPParams` in Conway, an array of 31 fields.
    pub fn from_query(bytes: &[u8]) -> Result<Self, ParametersError> {
        let mut d = Decoder::new(bytes);
        let provided = d
            .array()?
            .ok_or_else(|| ParametersError::Malformed("an unknown length".into()))?;
        if provided < FIELDS {
            return Err(ParametersError::Fields {
                provided,
                expected: FIELDS,
            });
        }
        let fields = Fields::split(&mut d, FIELDS)?;
        Ok(ProtocolParameters {
            fee_per_byte_lovelace: fields.uint(0)?,
            fee_constant_lovelace: fields.uint(1)?,
            transaction_bytes_max: fields.uint(3)?,
            key_deposit_lovelace: fields.uint(5)?,
            protocol_version: fields.pair(12)?,
            utxo_cost_per_byte_lovelace: fields.uint(14)?,
            cost_model_v3: fields.cost_model(15)?,
            memory_price: fields.prices(16)?.0,
            step_price: fields.prices(16)?.1,
            transaction_units_max: fields.units(17)?,
            block_units_max: fields.units(18)?,
            value_bytes_max: fields.uint(19)?,
            collateral_percent: fields.uint(20)?,
            collateral_inputs_max: fields.uint(21)?,
            reference_script_price: rational(&mut fields.at(30)?)?,
        })
    }
}

/// The raw items of an array.
struct Fields<'b>(Vec<&'b [u8]>);

impl<'b> Fields<'b> {
    fn split(d: &mut Decoder<'b>, count: u64) -> Result<Self, ParametersError> {
        let mut items = Vec::new();
        for _ in 0..count {
            let start = d.position();
            d.skip()?;
            items.push(d.input().get(start..d.position()).unwrap_or_default());
        }
        Ok(Fields(items))
    }

    fn at(&self, index: usize) -> Result<Decoder<'b>, ParametersError> {
        let item = self.0.get(index).copied();
        item.map(Decoder::new)
            .ok_or_else(|| ParametersError::Malformed(format!("no field {index}")))
    }

    fn uint(&self, index: usize) -> Result<u64, ParametersError> {
        Ok(self.at(index)?.u64()?)
    }

    fn pair(&self, index: usize) -> Result<(u64, u64), ParametersError> {
        let mut d = self.at(index)?;
        d.array()?;
        Ok((d.u64()?, d.u64()?))
    }

    fn units(&self, index: usize) -> Result<ExUnits, ParametersError> {
        let (memory, steps) = self.pair(index)?;
        Ok(ExUnits { memory, steps })
    }

    fn prices(&self, index: usize) -> Result<(Rational, Rational), ParametersError> {
        let mut d = self.at(index)?;
        d.array()?;
        Ok((rational(&mut d)?, rational(&mut d)?))
    }

    fn cost_model(&self, index: usize) -> Result<Vec<i64>, ParametersError> {
        let mut d = self.at(index)?;
        let length = d.map()?;
        let mut read = 0;
        while length.map_or_else(
            || d.datatype().map(|t| t != minicbor::data::Type::Break),
            |n| Ok(read < n),
        )? {
            if d.u64()? == PLUTUS_V3 {
                return Ok(d.decode()?);
            }
            d.skip()?;
            read += 1;
        }
        Err(ParametersError::NoCostModel)
    }
}

fn rational(d: &mut Decoder<'_>) -> Result<Rational, ParametersError> {
    d.tag()?;
    d.array()?;
    let (numerator, denominator) = (d.u64()?, d.u64()?);
    match denominator {
        0 => Err(ParametersError::Malformed("a denominator of zero".into())),
        _ => Ok(Rational {
            numerator,
            denominator,
        }),
    }
}

#[cfg(test)]
pub(crate) use tests::sample_answer;

#[cfg(test)]
mod tests {
    use minicbor::{Encoder, data::Tag};
    use proptest::prelude::*;

    use super::*;

    /// An answer as cardano-node's encoder makes it; `v3` under its key among the cost models.
    fn answer(v3: Option<&[i64]>) -> Vec<u8> {
        let mut bytes = vec![0x98, 31];
        let mut e = Encoder::new(&mut bytes);
        for n in [
            44u64,
            155_381,
            90_112,
            16_384,
            1_100,
            2_000_000,
            500_000_000,
            18,
            500,
        ] {
            e.u64(n).unwrap();
        }
        for _ in 9..12 {
            e.tag(Tag::new(30))
                .unwrap()
                .array(2)
                .unwrap()
                .u8(3)
                .unwrap()
                .u8(10)
                .unwrap();
        }
        e.array(2)
            .unwrap()
            .u8(10)
            .unwrap()
            .u8(0)
            .unwrap()
            .u64(170_000_000)
            .unwrap()
            .u64(4310)
            .unwrap();
        e.map(1 + u64::from(v3.is_some()))
            .unwrap()
            .u8(0)
            .unwrap()
            .array(1)
            .unwrap()
            .u8(7)
            .unwrap();
        if let Some(v3) = v3 {
            e.u8(2).unwrap().encode(v3).unwrap();
        }
        e.array(2).unwrap();
        for (n, d) in [(577u64, 10_000u64), (721, 10_000_000)] {
            e.tag(Tag::new(30))
                .unwrap()
                .array(2)
                .unwrap()
                .u64(n)
                .unwrap()
                .u64(d)
                .unwrap();
        }
        for (memory, steps) in [
            (14_000_000u64, 10_000_000_000u64),
            (62_000_000, 20_000_000_000),
        ] {
            e.array(2).unwrap().u64(memory).unwrap().u64(steps).unwrap();
        }
        e.u64(5000).unwrap().u64(150).unwrap().u64(3).unwrap();
        for _ in 22..30 {
            e.u8(0).unwrap();
        }
        e.tag(Tag::new(30))
            .unwrap()
            .array(2)
            .unwrap()
            .u8(15)
            .unwrap()
            .u8(1)
            .unwrap();
        bytes
    }

    pub(crate) fn sample_answer() -> Vec<u8> {
        answer(Some(&[1, 2, 3]))
    }

    #[test]
    fn each_parameter_is_read_from_its_place() {
        let read = ProtocolParameters::from_query(&answer(Some(&[100_788, -900]))).unwrap();
        assert_eq!(
            read,
            ProtocolParameters {
                cost_model_v3: vec![100_788, -900],
                ..crate::builder::fixtures::parameters()
            }
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            ProtocolParameters::from_query(&answer(None)),
            Err(ParametersError::NoCostModel)
        );
        let refused = ProtocolParameters::from_query(&[0x80]);
        assert_eq!(
            refused,
            Err(ParametersError::Fields {
                provided: 0,
                expected: 31
            })
        );
        let end = answer(Some(&[])).len() - 1;
        let mut zero = answer(Some(&[]));
        zero[end] = 0;
        let refused = ProtocolParameters::from_query(&zero);
        assert_eq!(
            refused,
            Err(ParametersError::Malformed("a denominator of zero".into()))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), at in 0usize..300) {
            let _ = ProtocolParameters::from_query(&bytes);
            let mut good = answer(Some(&[1, 2, 3]));
            let at = at % good.len();
            good[at] ^= bytes.first().copied().unwrap_or(1);
            let _ = ProtocolParameters::from_query(&good);
            good.truncate(at);
            let _ = ProtocolParameters::from_query(&good);
        }
    }
}
