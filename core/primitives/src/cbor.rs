//! One encoding for each thing: decoding refuses every byte string that encoding would not have made.
//!
//! Identifiers are hashes of bytes, so a second encoding of one transaction would be a second identifier for it
//! (RFC 8949 §4.2 leaves canonical form to the application; here it is whatever [`encode`] makes).

use minicbor::{Decode, Encode};

use crate::{Code, Numbered};

/// Why bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Longer than whoever asked is willing to read.
    #[error("{provided} bytes, at most {maximum} are read")]
    TooLong {
        /// Bytes found.
        provided: usize,
        /// Bytes allowed.
        maximum: usize,
    },
    /// Truncated, of another shape, or out of range.
    #[error("not what was expected: {0}")]
    Malformed(String),
    /// Well-formed, but not the one encoding of what it says, or followed by more bytes.
    #[error("another encoding of the same thing, or bytes after its end")]
    NotCanonical,
}

impl Numbered for CborError {
    fn code(&self) -> Code {
        match self {
            CborError::TooLong { .. } => Code(1001),
            CborError::Malformed(_) => Code(1002),
            CborError::NotCanonical => Code(1003),
        }
    }
}

/// The canonical bytes of `value`.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a vector cannot fail, and our own types refuse nothing when encoded.
    if minicbor::encode(value, &mut out).is_err() {
        out.clear();
    }
    out
}

/// The value that `bytes` encode canonically, and nothing after it.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, CborError> {
    let value: T = minicbor::decode(bytes).map_err(|e| CborError::Malformed(e.to_string()))?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(CborError::NotCanonical)
    }
}

/// As [`decode`], but refuses more than `maximum` bytes before looking at any.
pub fn decode_bounded<'b, T: Decode<'b, ()> + Encode<()>>(
    bytes: &'b [u8],
    maximum: usize,
) -> Result<T, CborError> {
    if bytes.len() > maximum {
        return Err(CborError::TooLong {
            provided: bytes.len(),
            maximum,
        });
    }
    decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_integers_indefinite_arrays_and_trailing_bytes_are_refused() {
        for (bytes, error) in [
            (&[0x18, 0x05][..], CborError::NotCanonical),
            (&[0x05, 0x00][..], CborError::NotCanonical),
        ] {
            assert_eq!(decode::<u64>(bytes), Err(error));
        }
        assert_eq!(
            decode::<Vec<u64>>(&[0x9f, 0x05, 0xff]),
            Err(CborError::NotCanonical)
        );
        assert!(matches!(
            decode::<u64>(&[0x18]),
            Err(CborError::Malformed(_))
        ));
    }

    #[test]
    fn length_is_checked_before_content() {
        assert_eq!(
            decode_bounded::<u64>(&[0xff; 9], 8),
            Err(CborError::TooLong {
                provided: 9,
                maximum: 8
            })
        );
    }
}
