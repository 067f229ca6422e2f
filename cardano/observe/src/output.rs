//! One output: where it lies, what it holds, what it says.

use minicbor::{Decoder, data::Type, decode::Error};
use nupeer_outbox::Value;
use nupeer_primitives::{Amount, AssetId, Hash, Hash28};

use crate::{
    block::{key, skipped},
    plutus::{byte_string, each},
};

/// What an output says of a datum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Datum {
    #[default]
    None,
    Hash(Hash),
    Inline(Vec<u8>),
}

/// Where an output says of its datum, and in which form.
#[derive(Clone, Copy, Debug, Default)]
enum Says<'b> {
    #[default]
    Nothing,
    /// Only a hash: the older form.
    Hash(&'b [u8]),
    /// Either kind, with its number.
    Option(&'b [u8]),
}

/// An output's parts. Its address alone is read at once; the others are for who wants them, so that nothing odd in an output of
/// strangers is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output<'b> {
    pub(crate) address: Vec<u8>,
    value: &'b [u8],
    says: Says<'b>,
    pub(crate) has_reference_script: bool,
}

impl<'b> Output<'b> {
    /// From `{0: address, 1: value, ? 2: datum option, ? 3: script}` or `[address, value, ? datum hash]`, whatever else is in them. `None`
    /// when it has no address that can be read.
    pub(crate) fn read(raw: &'b [u8]) -> Option<Self> {
        let mut d = Decoder::new(raw);
        let (output, address) = match d.datatype().ok()? {
            Type::Map | Type::MapIndef => Self::from_map(&mut d, raw),
            _ => Self::from_array(&mut d, raw),
        }
        .ok()?;
        let address = byte_string(&mut Decoder::new(address)).ok()?;
        Some(Output { address, ..output })
    }

    fn from_map(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<(Self, &'b [u8]), Error> {
        let (mut output, mut address, length) = (Output::default(), &raw[..0], d.map()?);
        each(d, length, |d| {
            let number = key(d)?;
            let part = skipped(d, raw)?;
            match number {
                Some(0) => address = part,
                Some(1) => output.value = part,
                Some(2) => output.says = Says::Option(part),
                Some(3) => output.has_reference_script = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok((output, address))
    }

    fn from_array(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<(Self, &'b [u8]), Error> {
        let (mut output, mut address, length) = (Output::default(), &raw[..0], d.array()?);
        let mut place = 0;
        each(d, length, |d| {
            let part = skipped(d, raw)?;
            match place {
                0 => address = part,
                1 => output.value = part,
                2 => output.says = Says::Hash(part),
                _ => {}
            }
            place += 1;
            Ok(())
        })?;
        Ok((output, address))
    }

    /// What it says of a datum.
    pub(crate) fn datum(&self) -> Result<Datum, Error> {
        match self.says {
            Says::Nothing => Ok(Datum::None),
            Says::Hash(raw) => hash(&mut Decoder::new(raw)).map(Datum::Hash),
            Says::Option(raw) => datum(&mut Decoder::new(raw)),
        }
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

    /// What it holds: lovelace, or lovelace and tokens. What is none of an asset's names is refused, so that every value has an encoding that can be read.
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
                if name.len() > AssetId::NAME_BYTES_MAX {
                    return Err(Error::message("a name too long").at(at));
                }
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
