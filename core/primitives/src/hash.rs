//! Blake2b digests of 32 and of 28 bytes, the two that Cardano uses.

use std::{fmt, str::FromStr};

use blake2::{
    Blake2b, Digest,
    digest::consts::{U28, U32},
};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// What a text of hexadecimal digits was refused for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Not hexadecimal.
    #[error("not hexadecimal: {0}")]
    NotHex(String),
    /// Another length than the type has.
    #[error("{provided} bytes where {expected} are expected")]
    Length {
        /// Bytes found.
        provided: usize,
        /// Bytes wanted.
        expected: usize,
    },
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                let bytes = hex::decode(text).map_err(|e| HexError::NotHex(e.to_string()))?;
                Self::try_from(bytes.as_slice())
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = HexError;

            fn try_from(bytes: &[u8]) -> Result<Self, HexError> {
                let provided = bytes.len();
                bytes.try_into().map(Self).map_err(|_| HexError::Length { provided, expected: $len })
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let at = d.position();
                Self::try_from(d.bytes()?).map_err(|e| minicbor::decode::Error::message(e.to_string()).at(at))
            }
        }
    };
}

digest_type!(
    /// A blake2b-256 digest.
    Hash,
    32
);
digest_type!(
    /// A blake2b-224 digest: Cardano's hash of keys and scripts.
    Hash28,
    28
);

impl Hash {
    /// All zeros: the parent of the first block.
    pub const ZERO: Hash = Hash([0; 32]);
}

/// Blake2b-256 over the concatenation of `parts`. Callers frame: every part but the last has a fixed length, or
/// a length before it.
pub fn blake2b_256(parts: &[&[u8]]) -> Hash {
    let mut state = Blake2b::<U32>::new();
    parts.iter().for_each(|part| state.update(part));
    Hash(state.finalize().into())
}

/// Blake2b-224 of `bytes`.
pub fn blake2b_224(bytes: &[u8]) -> Hash28 {
    Hash28(Blake2b::<U28>::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_the_published_vectors() {
        // `b2sum -l 256` and `-l 224` of the text "abc".
        let wide = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
        let narrow = "9bd237b02a29e43bdd6738afa5b53ff0eee178d6210b618e4511aec8";
        assert_eq!(blake2b_256(&[b"a", b"bc"]).to_string(), wide);
        assert_eq!(blake2b_224(b"abc").to_string(), narrow);
    }

    #[test]
    fn a_digest_of_another_length_is_refused() {
        assert_eq!(
            "00".parse::<Hash>(),
            Err(HexError::Length {
                provided: 1,
                expected: 32
            })
        );
    }
}
