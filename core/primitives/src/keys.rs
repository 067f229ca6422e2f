//! Ed25519 keys and signatures, verified strictly (no small-order keys, canonical encodings only), so that every
//! validator reaches the same verdict.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::{Hash28, blake2b_224};

/// An ed25519 public key, 32 bytes, not yet known to be a point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Cardano's key hash: blake2b-224 of the key.
    pub fn hash(&self) -> Hash28 {
        blake2b_224(&self.0)
    }

    /// Whether `signature` over `message` is this key's, strictly (RFC 8032 without cofactor, RFC 8032 §5.1.7
    /// encodings checked; a key of small order verifies nothing).
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
                .is_ok()
        })
    }
}

/// An ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

macro_rules! fixed_bytes {
    ($name:ident, $len:literal, $what:literal) => {
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
                d.bytes()?
                    .try_into()
                    .map($name)
                    .map_err(|_| minicbor::decode::Error::message($what).at(at))
            }
        }
    };
}

fixed_bytes!(PublicKey, 32, "a public key has 32 bytes");
fixed_bytes!(Signature, 64, "a signature has 64 bytes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // The identity point with a zero signature passes a lax verifier for any message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!PublicKey(identity).verifies(b"anything", &Signature(signature)));
    }
}
