//! One output: where it lies, what it holds, what it says.

use minicbor::{Decoder, data::Type, decode::Error};
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId, Hash, Hash28};

use crate::plutus::{byte_string, each};

/// What an output says of a datum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Datum {
    #[default]
    None,
    Hash(Hash),
    Inline(Vec<u8>),
}

/// An output's parts; its value is read only where somebody wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output<'b> {
    pub(crate) address: Vec<u8>,
    value: &'b [u8],
    pub(crate) datum: Datum,
    pub(crate) has_reference_script: bool,
}

impl<'b> Output<'b> {
    /// From `{0: address, 1: value, ? 2: datum option, ? 3: script}` or `[address, value, ? datum hash]`.
    pub(crate) fn read(raw: &'b [u8]) -> Result<Self, Error> {
        let mut d = Decoder::new(raw);
        match d.datatype()? {
            Type::Map | Type::MapIndef => Self::from_map(&mut d, raw),
            _ => Self::from_array(&mut d, raw),
        }
    }

    fn from_map(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<Self, Error> {
        let (mut output, length) = (Output::default(), d.map()?);
        each(d, length, |d| {
            match d.u64()? {
                0 => output.address = byte_string(d)?,
                1 => output.value = skipped(d, raw)?,
                2 => output.datum = datum(d)?,
                3 => {
                    d.skip()?;
                    output.has_reference_script = true;
                }
                _ => d.skip()?,
            }
            Ok(())
        })?;
        Ok(output)
    }

    fn from_array(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<Self, Error> {
        let (mut output, mut place, length) = (Output::default(), 0, d.array()?);
        each(d, length, |d| {
            match place {
                0 => output.address = byte_string(d)?,
                1 => output.value = skipped(d, raw)?,
                2 => output.datum = Datum::Hash(hash(d)?),
                _ => d.skip()?,
            }
            place += 1;
            Ok(())
        })?;
        Ok(output)
    }

    /// The script that may spend it, if one may: header types 1, 3, 5 and 7, whatever the staking part (CIP-19).
    pub(crate) fn payment_script(&self) -> Option<Hash28> {
        let (header, rest) = self.address.split_first()?;
        let is_script = matches!(header >> 4, 1 | 3 | 5 | 7);
        is_script
            .then(|| rest.first_chunk::<28>().copied().map(Hash28))
            .flatten()
    }

    /// Whether its address is any other than header type 7's, payment alone (CIP-19).
    pub(crate) fn has_staking_part(&self) -> bool {
        self.address.first().is_some_and(|header| header >> 4 != 7)
    }

    /// What it holds: lovelace, or lovelace and tokens.
    pub(crate) fn value(&self) -> Result<Value, Error> {
        let mut d = Decoder::new(self.value);
        if !matches!(d.datatype()?, Type::Array | Type::ArrayIndef) {
            return d.u64().map(Value::lovelace);
        }
        d.array()?;
        let mut value = Value::lovelace(d.u64()?);
        let policies = d.map()?;
        each(&mut d, policies, |d| {
            let at = d.position();
            let policy = Hash28::try_from(&byte_string(d)?[..])
                .map_err(|e| Error::message(e.to_string()).at(at))?;
            let tokens = d.map()?;
            each(d, tokens, |d| {
                let (name, units) = (byte_string(d)?, d.u64()?);
                let asset = AssetId::Native { policy, name };
                value = std::mem::take(&mut value).with(asset, Amount::from(units));
                Ok(())
            })
        })?;
        Ok(value)
    }
}

/// `[0, hash]` or `[1, tagged bytes of Plutus data]`.
fn datum(d: &mut Decoder<'_>) -> Result<Datum, Error> {
    let length = d.array()?;
    let datum = match d.u64()? {
        0 => Datum::Hash(hash(d)?),
        _ => {
            d.tag()?;
            Datum::Inline(byte_string(d)?)
        }
    };
    if length.is_none() {
        d.skip()?;
    }
    Ok(datum)
}

fn hash(d: &mut Decoder<'_>) -> Result<Hash, Error> {
    let at = d.position();
    Hash::try_from(&byte_string(d)?[..]).map_err(|e| Error::message(e.to_string()).at(at))
}

fn skipped<'b>(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<&'b [u8], Error> {
    let start = d.position();
    d.skip()?;
    Ok(raw.get(start..d.position()).unwrap_or_default())
}
