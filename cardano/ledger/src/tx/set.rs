//! Sets: lists with or without tag 258, without repetitions (Conway CDDL, `set` and `nonempty_set`).

use crate::cbor::{DecodeError, Length, Major, Reader};
use std::collections::BTreeSet;

const SET_TAG: u64 = 258;

/// The head of a set's list.
pub(super) fn open(reader: &mut Reader<'_>, what: &'static str) -> Result<Length, DecodeError> {
    if reader.peek()? == Major::Tag && reader.tag(what)? != SET_TAG {
        return Err(reader.unexpected("tag 258"));
    }
    reader.array(what)
}

/// A set as an ordered set.
pub(super) fn decode<'a, T: Ord>(
    reader: &mut Reader<'a>,
    what: &'static str,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<BTreeSet<T>, DecodeError> {
    let mut items = BTreeSet::new();
    let mut length = open(reader, what)?;
    while reader.more(&mut length)? {
        if !items.insert(item(reader)?) {
            return Err(DecodeError::Duplicate { what });
        }
    }
    Ok(items)
}

/// A set that must not be empty.
pub(super) fn decode_nonempty<'a, T: Ord>(
    reader: &mut Reader<'a>,
    what: &'static str,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<BTreeSet<T>, DecodeError> {
    let items = decode(reader, what, item)?;
    if items.is_empty() {
        return Err(DecodeError::Empty { what });
    }
    Ok(items)
}
