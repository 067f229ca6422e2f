//! Plutus data and its one encoding on chain.
//!
//! `serialise_data` in a Plutus script makes exactly one byte string of a value: lists and fields are indefinite
//! unless empty, byte strings above 64 bytes come in chunks of 64, maps are definite (plutus-core
//! `PlutusCore.Data`, Plutus core specification appendix B). What the sidechain hashes for a script to hash
//! again must be those bytes.

use minicbor::{
    Decoder, Encoder,
    data::{Tag, Type},
};

use crate::cbor::CborError;

/// Deepest nesting that [`Data::from_cbor`] follows; our datums need 8.
const DEPTH_MAX: usize = 64;
const CHUNK: usize = 64;

/// A value of Plutus' builtin data. Integers are limited to 127 bits and a sign, which amounts need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Constructor number and its fields.
    Constr(u64, Vec<Data>),
    /// Pairs in the order given.
    Map(Vec<(Data, Data)>),
    /// A list.
    List(Vec<Data>),
    /// An integer.
    Int(i128),
    /// A byte string.
    Bytes(Vec<u8>),
}

impl Data {
    /// A byte string.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Data {
        Data::Bytes(bytes.as_ref().to_vec())
    }

    /// The bytes that `serialise_data` makes.
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        // A vector takes every byte; `Infallible` is the error's type.
        let Ok(()) = write(self, &mut e);
        e.into_writer()
    }

    /// The value whose canonical encoding `bytes` are.
    pub fn from_cbor(bytes: &[u8]) -> Result<Data, CborError> {
        let mut d = Decoder::new(bytes);
        let value = read(&mut d, 0).map_err(|e| CborError::Malformed(e.to_string()))?;
        if value.to_cbor() == bytes {
            Ok(value)
        } else {
            Err(CborError::NotCanonical)
        }
    }
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(value: &Data, e: &mut Encoder<Vec<u8>>) -> Result<(), std::convert::Infallible> {
    let done: Written = write_value(value, e);
    // The error cannot be made, since its source is uninhabited and no encoder here reports a message.
    debug_assert!(done.is_ok());
    Ok(())
}

fn write_value(value: &Data, e: &mut Encoder<Vec<u8>>) -> Written {
    match value {
        Data::Constr(index, fields) => write_constr(*index, fields, e),
        Data::Map(pairs) => {
            e.map(pairs.len() as u64)?;
            pairs.iter().try_for_each(|(k, v)| {
                write_value(k, e)?;
                write_value(v, e)
            })
        }
        Data::List(items) => write_list(items, e),
        Data::Int(int) => write_int(*int, e),
        Data::Bytes(bytes) => write_bytes(bytes, e),
    }
}

fn write_constr(index: u64, fields: &[Data], e: &mut Encoder<Vec<u8>>) -> Written {
    match index {
        0..=6 => e.tag(Tag::new(121 + index))?,
        7..=127 => e.tag(Tag::new(1280 + index - 7))?,
        _ => e.tag(Tag::new(102))?.array(2)?.u64(index)?,
    };
    write_list(fields, e)
}

fn write_list(items: &[Data], e: &mut Encoder<Vec<u8>>) -> Written {
    if items.is_empty() {
        return e.array(0)?.ok();
    }
    e.begin_array()?;
    items.iter().try_for_each(|item| write_value(item, e))?;
    e.end()?.ok()
}

fn write_bytes(bytes: &[u8], e: &mut Encoder<Vec<u8>>) -> Written {
    if bytes.len() <= CHUNK {
        return e.bytes(bytes)?.ok();
    }
    e.begin_bytes()?;
    for chunk in bytes.chunks(CHUNK) {
        e.bytes(chunk)?;
    }
    e.end()?.ok()
}

fn write_int(int: i128, e: &mut Encoder<Vec<u8>>) -> Written {
    // CBOR stores a negative n as −1 − n (RFC 8949 §3.1), which the bitwise complement is.
    let (tag, magnitude) = if int < 0 {
        (3, !int as u128)
    } else {
        (2, int as u128)
    };
    match u64::try_from(magnitude) {
        Ok(small) if tag == 2 => e.u64(small)?.ok(),
        Ok(small) => e
            .int(
                minicbor::data::Int::try_from(-1 - i128::from(small))
                    .unwrap_or_else(|_| 0u8.into()),
            )?
            .ok(),
        Err(_) => {
            let bytes = magnitude.to_be_bytes();
            let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
            e.tag(Tag::new(tag))?.bytes(&bytes[start..])?.ok()
        }
    }
}

fn read(d: &mut Decoder<'_>, depth: usize) -> Result<Data, minicbor::decode::Error> {
    if depth > DEPTH_MAX {
        return Err(minicbor::decode::Error::message("nested too deeply").at(d.position()));
    }
    match d.datatype()? {
        Type::Tag => read_tagged(d, depth),
        Type::Array | Type::ArrayIndef => read_list(d, depth).map(Data::List),
        Type::Map | Type::MapIndef => read_map(d, depth),
        Type::Bytes | Type::BytesIndef => read_bytes(d).map(Data::Bytes),
        _ => d.int().map(|int| Data::Int(int.into())),
    }
}

fn read_tagged(d: &mut Decoder<'_>, depth: usize) -> Result<Data, minicbor::decode::Error> {
    let at = d.position();
    match d.tag()?.as_u64() {
        tag @ 121..=127 => Ok(Data::Constr(tag - 121, read_list(d, depth)?)),
        tag @ 1280..=1400 => Ok(Data::Constr(tag - 1280 + 7, read_list(d, depth)?)),
        102 => {
            d.array()?;
            let index = d.u64()?;
            Ok(Data::Constr(index, read_list(d, depth)?))
        }
        tag @ (2 | 3) => {
            let bytes = d.bytes()?;
            let magnitude = bytes.iter().try_fold(0i128, |sum, byte| {
                sum.checked_mul(256)?.checked_add((*byte).into())
            });
            let magnitude = magnitude
                .ok_or_else(|| minicbor::decode::Error::message("over 127 bits").at(at))?;
            Ok(Data::Int(if tag == 2 { magnitude } else { !magnitude }))
        }
        _ => Err(minicbor::decode::Error::message("a tag that Plutus data does not have").at(at)),
    }
}

fn read_list(d: &mut Decoder<'_>, depth: usize) -> Result<Vec<Data>, minicbor::decode::Error> {
    // No capacity is taken from the announced length: it is a stranger's word.
    let (mut items, length) = (Vec::new(), d.array()?);
    while length.map_or_else(
        || d.datatype().map(|t| t != Type::Break),
        |n| Ok((items.len() as u64) < n),
    )? {
        items.push(read(d, depth + 1)?);
    }
    if length.is_none() {
        d.skip()?;
    }
    Ok(items)
}

fn read_map(d: &mut Decoder<'_>, depth: usize) -> Result<Data, minicbor::decode::Error> {
    let at = d.position();
    let length = d
        .map()?
        .ok_or_else(|| minicbor::decode::Error::message("a map states its length").at(at))?;
    let mut pairs = Vec::new();
    while (pairs.len() as u64) < length {
        pairs.push((read(d, depth + 1)?, read(d, depth + 1)?));
    }
    Ok(Data::Map(pairs))
}

fn read_bytes(d: &mut Decoder<'_>) -> Result<Vec<u8>, minicbor::decode::Error> {
    let mut out = Vec::new();
    for chunk in d.bytes_iter()? {
        out.extend_from_slice(chunk?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use nupeer_testing::plutus::{self, Kinds};
    use proptest::prelude::*;

    use super::*;

    const KINDS: Kinds<Data> = Kinds {
        int: Data::Int,
        bytes: Data::Bytes,
        list: Data::List,
        constr: Data::Constr,
        map: Data::Map,
    };

    proptest! {
        #[test]
        fn every_value_survives_its_encoding(value in plutus::data(KINDS)) {
            prop_assert_eq!(Data::from_cbor(&value.to_cbor()), Ok(value));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Data::from_cbor(&bytes);
        }
    }

    #[test]
    fn encodings_are_those_of_serialise_data() {
        let i64_min = Data::Int(i128::from(i64::MIN));
        for (value, hex) in [
            (Data::List(vec![]), "80".to_owned()),
            (Data::List(vec![Data::Int(1)]), "9f01ff".to_owned()),
            (Data::Constr(0, vec![]), "d87980".to_owned()),
            (
                Data::Constr(6, vec![Data::Int(-1)]),
                "d87f9f20ff".to_owned(),
            ),
            (Data::Constr(7, vec![]), "d9050080".to_owned()),
            (Data::Constr(128, vec![]), "d866821880".to_owned() + "80"),
            (i64_min, "3b7fffffffffffffff".to_owned()),
            (Data::Int(-(1 << 64)), "3bffffffffffffffff".to_owned()),
            (
                Data::Int(-(1 << 64) - 1),
                "c349010000000000000000".to_owned(),
            ),
            (Data::Int(1 << 64), "c249010000000000000000".to_owned()),
            (
                Data::Map(vec![(Data::Int(1), Data::bytes([2]))]),
                "a1014102".to_owned(),
            ),
            (
                Data::Bytes(vec![7; 65]),
                format!("5f5840{}4107ff", "07".repeat(64)),
            ),
        ] {
            assert_eq!(hex::encode(value.to_cbor()), hex);
        }
    }

    #[test]
    fn a_thousand_nested_lists_are_refused_not_followed() {
        assert!(matches!(
            Data::from_cbor(&[0x9f; 1000]),
            Err(CborError::Malformed(_))
        ));
    }
}
