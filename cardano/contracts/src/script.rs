//! A Plutus V3 script and its hash.

use std::fmt;

use nupeer_primitives::{Hash28, blake2b_224};

/// The byte before a V3 script when it is hashed (Conway ledger specification, "Script hashes").
const V3_TAG: u8 = 3;

/// A Plutus V3 script: the CBOR byte string around its flat encoding, as it stands in a witness set or a reference
/// script.
#[derive(Clone, PartialEq, Eq)]
pub struct PlutusScript(Vec<u8>);

impl PlutusScript {
    /// The script of these bytes: a CBOR byte string around flat.
    pub fn new(cbor: Vec<u8>) -> Self {
        PlutusScript(cbor)
    }

    /// The bytes, CBOR around flat.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its length in bytes, which is what a reference script is charged for.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// Its hash: its policy id, and the payment credential of its addresses.
    pub fn hash(&self) -> Hash28 {
        blake2b_224(&[&[V3_TAG], &self.0[..]].concat())
    }
}

impl fmt::Debug for PlutusScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlutusScript({} bytes, {})", self.0.len(), self.hash())
    }
}
