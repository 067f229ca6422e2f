//! A strict, total reader of CBOR (RFC 8949) over borrowed bytes.
//!
//! The ledger hashes what a stranger sent, byte for byte, so nothing here is ever re-encoded: every composite can be taken as the
//! slice it came in. Non-canonical forms that the Haskell ledger accepts (indefinite lengths, long heads) are accepted, everything
//! else is an error; no input can panic or recurse.

use thiserror::Error;

/// Why bytes are not what the ledger's binary schema (Conway CDDL) says. Offsets are relative to the item that was being read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes ended inside an item.
    #[error("the bytes end inside an item, at offset {offset}")]
    UnexpectedEnd {
        /// Where reading stopped, in bytes.
        offset: usize,
    },
    /// Another kind of item stands where the schema wants one.
    #[error("expected {expected} at offset {offset}")]
    Unexpected {
        /// What the schema wants.
        expected: &'static str,
        /// Where, in bytes.
        offset: usize,
    },
    /// Bytes follow the item that should have been the last.
    #[error("{count} bytes follow the end of {what}")]
    TrailingBytes {
        /// What had ended.
        what: &'static str,
        /// How many bytes follow.
        count: usize,
    },
    /// A map names a key, or a set an element, twice.
    #[error("{what} holds the same key or element twice")]
    Duplicate {
        /// The map or set.
        what: &'static str,
    },
    /// A map has a key that the schema does not know.
    #[error("{what} has the unknown key {key}")]
    UnknownKey {
        /// The map.
        what: &'static str,
        /// The key.
        key: u64,
    },
    /// A required field is absent.
    #[error("{what} lacks its required field {field}")]
    MissingField {
        /// The structure.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A string or list has another length than the schema allows.
    #[error("{what} has length {provided}, expected {expected}")]
    WrongLength {
        /// What was read.
        what: &'static str,
        /// The length found, in bytes or items.
        provided: usize,
        /// The length wanted.
        expected: usize,
    },
    /// A string is longer than the schema allows.
    #[error("{what} has length {provided}, at most {maximum} is allowed")]
    TooLong {
        /// What was read.
        what: &'static str,
        /// The length found, in bytes.
        provided: usize,
        /// The greatest length allowed.
        maximum: usize,
    },
    /// A set, map or quantity that must not be empty or zero is.
    #[error("{what} must not be empty or zero")]
    Empty {
        /// What was read.
        what: &'static str,
    },
    /// A number is outside of its type.
    #[error("{what} is out of range")]
    OutOfRange {
        /// What was read.
        what: &'static str,
    },
}

/// The length of an array or map as its head states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many items are left.
    Definite(u64),
    /// Until a break.
    Indefinite,
}

/// The eight kinds of CBOR items, by their three leading bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Simple,
}

const MAJORS: [Major; 8] = [
    Major::Unsigned,
    Major::Negative,
    Major::Bytes,
    Major::Text,
    Major::Array,
    Major::Map,
    Major::Tag,
    Major::Simple,
];
const BREAK: u8 = 0xff;
const NULL: u8 = 0xf6;

/// The head of an item; `argument` is absent for indefinite lengths and for a break.
#[derive(Debug, Clone, Copy)]
struct Head {
    major: Major,
    argument: Option<u64>,
}

/// Reads items one after the other from borrowed bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The bytes read since `start`, an earlier `position`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.position).unwrap_or_default()
    }

    /// Fails when bytes are left.
    pub(crate) fn finish(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.input.len().saturating_sub(self.position) {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { what, count }),
        }
    }

    /// The kind of the next item, without reading it.
    pub(crate) fn peek(&self) -> Result<Major, DecodeError> {
        let byte = *self.input.get(self.position).ok_or_else(|| self.end())?;
        Ok(MAJORS[usize::from(byte >> 5)])
    }

    pub(crate) fn unsigned(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        match self.head_of(Major::Unsigned, what)? {
            Some(value) => Ok(value),
            None => Err(self.unexpected(what)),
        }
    }

    /// An integer of major 0 or 1: between −2⁶⁴ and 2⁶⁴ − 1.
    pub(crate) fn integer(&mut self, what: &'static str) -> Result<i128, DecodeError> {
        let start = self.position;
        let head = self.head()?;
        match (head.major, head.argument) {
            (Major::Unsigned, Some(value)) => Ok(i128::from(value)),
            (Major::Negative, Some(value)) => Ok(-1 - i128::from(value)),
            _ => Err(DecodeError::Unexpected {
                expected: what,
                offset: start,
            }),
        }
    }

    /// A byte string of definite length.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.head_of(Major::Bytes, what)? {
            Some(length) => self.take(length),
            None => Err(self.unexpected(what)),
        }
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn fixed<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<&'a [u8; N], DecodeError> {
        let bytes = self.bytes(what)?;
        bytes.try_into().map_err(|_| DecodeError::WrongLength {
            what,
            provided: bytes.len(),
            expected: N,
        })
    }

    pub(crate) fn tag(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.head_of(Major::Tag, what)?
            .ok_or_else(|| self.unexpected(what))
    }

    pub(crate) fn array(&mut self, what: &'static str) -> Result<Length, DecodeError> {
        Ok(self
            .head_of(Major::Array, what)?
            .map_or(Length::Indefinite, Length::Definite))
    }

    pub(crate) fn map(&mut self, what: &'static str) -> Result<Length, DecodeError> {
        Ok(self
            .head_of(Major::Map, what)?
            .map_or(Length::Indefinite, Length::Definite))
    }

    /// Whether another item (or pair) follows; counts it off, or reads the break that ends the list.
    pub(crate) fn more(&mut self, length: &mut Length) -> Result<bool, DecodeError> {
        match length {
            Length::Definite(0) => Ok(false),
            Length::Definite(left) => {
                *left -= 1;
                Ok(true)
            }
            Length::Indefinite => Ok(!self.eat(BREAK)?),
        }
    }

    /// The head of an array that must hold exactly `count` items; `close` reads its possible break.
    pub(crate) fn record(&mut self, count: u64, what: &'static str) -> Result<Length, DecodeError> {
        match self.array(what)? {
            Length::Definite(length) if length != count => Err(DecodeError::WrongLength {
                what,
                provided: usize::try_from(length).unwrap_or(usize::MAX),
                expected: usize::try_from(count).unwrap_or(usize::MAX),
            }),
            length => Ok(length),
        }
    }

    /// Ends a record: nothing for a definite one, a break for an indefinite one.
    pub(crate) fn close(&mut self, length: Length, what: &'static str) -> Result<(), DecodeError> {
        if length == Length::Indefinite && !self.eat(BREAK)? {
            return Err(self.unexpected(what));
        }
        Ok(())
    }

    /// The head of a list whose first item is a number that says what follows: the number, and the list to `close`.
    ///
    /// `arity` says how many items a list with that number has, the number included; nothing when there is no such number.
    pub(crate) fn variant(
        &mut self,
        what: &'static str,
        arity: impl Fn(u64) -> Option<u64>,
    ) -> Result<(u64, Length), DecodeError> {
        let length = self.array(what)?;
        if length == Length::Definite(0) {
            return Err(DecodeError::Empty { what });
        }
        let key = self.unsigned(what)?;
        let expected = arity(key).ok_or(DecodeError::UnknownKey { what, key })?;
        match length {
            Length::Definite(provided) if provided != expected => Err(DecodeError::WrongLength {
                what,
                provided: usize::try_from(provided).unwrap_or(usize::MAX),
                expected: usize::try_from(expected).unwrap_or(usize::MAX),
            }),
            length => Ok((key, length)),
        }
    }

    /// A text string of definite length.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = match self.head_of(Major::Text, what)? {
            Some(length) => self.take(length)?,
            None => return Err(self.unexpected(what)),
        };
        std::str::from_utf8(bytes).map_err(|_| self.unexpected(what))
    }

    pub(crate) fn boolean(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        if self.eat(0xf4)? {
            return Ok(false);
        }
        if self.eat(0xf5)? {
            Ok(true)
        } else {
            Err(self.unexpected(what))
        }
    }

    /// Reads a null if one is next.
    pub(crate) fn null(&mut self) -> Result<bool, DecodeError> {
        self.eat(NULL)
    }

    /// A byte string of definite or indefinite length, each of whose pieces has at most `maximum` bytes; returns the total length.
    pub(crate) fn chunked_bytes(
        &mut self,
        maximum: usize,
        what: &'static str,
    ) -> Result<usize, DecodeError> {
        match self.head_of(Major::Bytes, what)? {
            Some(length) => self.chunk(length, maximum, what),
            None => {
                let mut total = 0;
                while !self.eat(BREAK)? {
                    let length = self
                        .head_of(Major::Bytes, what)?
                        .ok_or_else(|| self.unexpected(what))?;
                    total += self.chunk(length, maximum, what)?;
                }
                Ok(total)
            }
        }
    }

    fn chunk(
        &mut self,
        length: u64,
        maximum: usize,
        what: &'static str,
    ) -> Result<usize, DecodeError> {
        let provided = self.take(length)?.len();
        if provided > maximum {
            return Err(DecodeError::TooLong {
                what,
                provided,
                maximum,
            });
        }
        Ok(provided)
    }

    /// A text string, in one piece or several, each of them UTF-8; returns the total length in bytes.
    pub(crate) fn chunked_text(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        match self.head_of(Major::Text, what)? {
            Some(length) => self.text_chunk(length, what),
            None => {
                let mut total = 0;
                while !self.eat(BREAK)? {
                    let length = self
                        .head_of(Major::Text, what)?
                        .ok_or_else(|| self.unexpected(what))?;
                    total += self.text_chunk(length, what)?;
                }
                Ok(total)
            }
        }
    }

    fn text_chunk(&mut self, length: u64, what: &'static str) -> Result<usize, DecodeError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map(str::len)
            .map_err(|_| self.unexpected(what))
    }

    fn head_of(&mut self, major: Major, what: &'static str) -> Result<Option<u64>, DecodeError> {
        let start = self.position;
        let head = self.head()?;
        if head.major != major {
            return Err(DecodeError::Unexpected {
                expected: what,
                offset: start,
            });
        }
        Ok(head.argument)
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let start = self.position;
        let byte = self.byte()?;
        let major = MAJORS[usize::from(byte >> 5)];
        let argument = match byte & 0x1f {
            small @ 0..=23 => Some(u64::from(small)),
            24 => Some(u64::from(self.byte()?)),
            25 => Some(self.wide::<2>()?),
            26 => Some(self.wide::<4>()?),
            27 => Some(self.wide::<8>()?),
            31 if matches!(
                major,
                Major::Bytes | Major::Text | Major::Array | Major::Map
            ) =>
            {
                None
            }
            _ => {
                return Err(DecodeError::Unexpected {
                    expected: "an item",
                    offset: start,
                });
            }
        };
        Ok(Head { major, argument })
    }

    fn wide<const N: usize>(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.take(N as u64)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.input.get(self.position).ok_or_else(|| self.end())?;
        self.position += 1;
        Ok(byte)
    }

    fn eat(&mut self, wanted: u8) -> Result<bool, DecodeError> {
        let byte = *self.input.get(self.position).ok_or_else(|| self.end())?;
        if byte == wanted {
            self.position += 1;
        }
        Ok(byte == wanted)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.position.checked_add(length));
        let taken = end
            .and_then(|end| self.input.get(self.position..end))
            .ok_or_else(|| self.end())?;
        self.position += taken.len();
        Ok(taken)
    }

    fn end(&self) -> DecodeError {
        DecodeError::UnexpectedEnd {
            offset: self.input.len(),
        }
    }

    pub(crate) fn unexpected(&self, expected: &'static str) -> DecodeError {
        DecodeError::Unexpected {
            expected,
            offset: self.position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_string_that_claims_more_than_there_is_is_refused() {
        let bytes = [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            Reader::new(&bytes).bytes("bytes"),
            Err(DecodeError::UnexpectedEnd { offset: 9 })
        );
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while reader.position() < bytes.len() {
                let start = reader.position();
                let _ = reader.clone().integer("an integer");
                let _ = reader.clone().chunked_bytes(8, "bytes");
                let _ = reader.clone().chunked_text("a text");
                let _ = reader.clone().text("a text");
                let _ = reader.clone().variant("a list", |_| Some(1));
                let _ = reader.boolean("a flag");
                let _ = reader.map("a map");
                if reader.position() == start {
                    break;
                }
            }
            prop_assert!(reader.position() <= bytes.len());
        }
    }
}
