//! Plutus data as strangers write it.
//!
//! The ledger takes lists, maps and byte strings of definite or indefinite length, integers of any width and constructors
//! in each of their forms; a script sees one value whichever was written. `nupeer_primitives::plutus` takes one encoding alone, since it
//! reads what is hashed; here, all that mean the same are taken.

use minicbor::{Decoder, data::Type, decode::Error};
use nupeer_primitives::plutus::Data;

/// Deepest nesting that is followed; what is deeper is none of ours.
pub const DEPTH_MAX: usize = 32;

/// The value that `bytes` encode, and nothing after it. `None` when they encode none, or one deeper than [`DEPTH_MAX`] or with an
/// integer beyond 127 bits. Takes time and memory in proportion to the bytes.
pub fn read(bytes: &[u8]) -> Option<Data> {
    let mut d = Decoder::new(bytes);
    let value = value(&mut d, 0).ok()?;
    (d.position() == bytes.len()).then_some(value)
}

fn value(d: &mut Decoder<'_>, depth: usize) -> Result<Data, Error> {
    if depth > DEPTH_MAX {
        return Err(Error::message("nested too deeply").at(d.position()));
    }
    match d.datatype()? {
        Type::Tag => tagged(d, depth),
        Type::Array | Type::ArrayIndef => list(d, depth).map(Data::List),
        Type::Map | Type::MapIndef => map(d, depth),
        Type::Bytes | Type::BytesIndef => byte_string(d).map(Data::Bytes),
        _ => d.int().map(|int| Data::Int(int.into())),
    }
}

fn tagged(d: &mut Decoder<'_>, depth: usize) -> Result<Data, Error> {
    let at = d.position();
    match d.tag()?.as_u64() {
        tag @ 121..=127 => Ok(Data::Constr(tag - 121, list(d, depth)?)),
        tag @ 1280..=1400 => Ok(Data::Constr(tag - 1280 + 7, list(d, depth)?)),
        102 => general(d, depth),
        tag @ (2 | 3) => big(d, tag == 3, at),
        _ => Err(Error::message("a tag that Plutus data does not have").at(at)),
    }
}

/// A constructor as a pair of its number and its fields.
fn general(d: &mut Decoder<'_>, depth: usize) -> Result<Data, Error> {
    let (at, length) = (d.position(), d.array()?);
    let constr = Data::Constr(d.u64()?, list(d, depth)?);
    match length {
        Some(2) => Ok(constr),
        None if d.datatype()? == Type::Break => d.skip().map(|()| constr),
        _ => Err(Error::message("a constructor is a pair").at(at)),
    }
}

/// CBOR stores a negative n as −1 − n (RFC 8949 §3.4.3), which the bitwise complement is.
fn big(d: &mut Decoder<'_>, negative: bool, at: usize) -> Result<Data, Error> {
    let bytes = byte_string(d)?;
    let magnitude = bytes.iter().try_fold(0i128, |sum, byte| {
        sum.checked_mul(256)?.checked_add((*byte).into())
    });
    let magnitude = magnitude.ok_or_else(|| Error::message("over 127 bits").at(at))?;
    Ok(Data::Int(if negative { !magnitude } else { magnitude }))
}

fn list(d: &mut Decoder<'_>, depth: usize) -> Result<Vec<Data>, Error> {
    let (mut items, length) = (Vec::new(), d.array()?);
    each(d, length, |d| {
        items.push(value(d, depth + 1)?);
        Ok(())
    })?;
    Ok(items)
}

fn map(d: &mut Decoder<'_>, depth: usize) -> Result<Data, Error> {
    let (mut pairs, length) = (Vec::new(), d.map()?);
    each(d, length, |d| {
        pairs.push((value(d, depth + 1)?, value(d, depth + 1)?));
        Ok(())
    })?;
    Ok(Data::Map(pairs))
}

/// A byte string, whole or in chunks.
pub(crate) fn byte_string(d: &mut Decoder<'_>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for chunk in d.bytes_iter()? {
        out.extend_from_slice(chunk?);
    }
    Ok(out)
}

/// Reads the items of an array or map whose head was read. No memory is taken for the announced length: each item takes a
/// byte at least, so a false one ends with the bytes.
pub(crate) fn each<'b>(
    d: &mut Decoder<'b>,
    length: Option<u64>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    match length {
        Some(length) => (0..length).try_for_each(|_| item(d)),
        None => {
            while d.datatype()? != Type::Break {
                item(d)?;
            }
            d.skip()
        }
    }
}

#[cfg(test)]
mod tests {
    use nupeer_testing::plutus::{self, Kinds};
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn every_way_of_writing_a_value_is_read_alike() {
        let pair = Data::Constr(0, vec![Data::Int(1), Data::bytes([2, 3])]);
        for text in [
            "d8799f01420203ff",
            "d87982014202 03",
            "d8798218015f41024103ff",
            "d8799fc2410142 0203ff",
            "d8668200820142 0203",
            "d8669f009f01420203ffff",
            "d87982c25f4100 4101ff420203",
        ] {
            let bytes = hex(&text.replace(' ', ""));
            assert_eq!(read(&bytes), Some(pair.clone()), "{text}");
        }
        let map = Data::Map(vec![(Data::Int(1), Data::Int(-1))]);
        for text in ["a10120", "bf0120ff", "bf01c340ff"] {
            assert_eq!(read(&hex(text)), Some(map.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_plutus_data_is_not_read() {
        for text in [
            "",
            "01 01",
            "f6",
            "6161",
            "d87a",
            "d86683000080",
            "c25101000000000000000000000000000000000000",
            "9f01",
            "a101",
            "9bffffffffffffffff01",
            "5f01ff",
        ] {
            assert_eq!(read(&hex(&text.replace(' ', ""))), None, "{text}");
        }
    }

    #[test]
    fn nesting_is_followed_to_its_bound_and_no_further() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x80]].concat();
        assert!(read(&nested(DEPTH_MAX)).is_some());
        assert_eq!(read(&nested(DEPTH_MAX + 1)), None);
        assert_eq!(read(&vec![0x9f; 1 << 20]), None);
        assert_eq!(read(&[0xd8, 0x79].repeat(1 << 20)), None);
    }

    const KINDS: Kinds<Data> = Kinds {
        int: Data::Int,
        bytes: Data::Bytes,
        list: Data::List,
        constr: Data::Constr,
        map: Data::Map,
    };

    proptest! {
        #[test]
        fn what_scripts_write_is_read(value in plutus::data(KINDS)) {
            prop_assert_eq!(read(&value.to_cbor()), Some(value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
