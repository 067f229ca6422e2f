//! Scripts as they stand in witnesses and reference outputs.

use nupeer_primitives::{Hash28, blake2b_224};

/// A script's language; the number is its tag in hashes and references (Conway CDDL, `script`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScriptLanguage {
    /// Signatures and time locks.
    Native = 0,
    /// Plutus of Alonzo.
    PlutusV1 = 1,
    /// Plutus of Babbage.
    PlutusV2 = 2,
    /// Plutus of Conway.
    PlutusV3 = 3,
}

/// A script. The bytes of a Plutus script are the CBOR byte string around its flat encoding, as `compiledCode` of
/// a CIP-57 blueprint gives them; those of a native script are its CBOR.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// Which language it is written in.
    pub language: ScriptLanguage,
    /// The bytes that are hashed, and that reference-script fees count.
    pub bytes: Vec<u8>,
}

impl Script {
    /// A Plutus V3 script.
    pub fn plutus_v3(bytes: Vec<u8>) -> Self {
        Script {
            language: ScriptLanguage::PlutusV3,
            bytes,
        }
    }

    /// Blake2b-224 of the language's tag and the bytes.
    pub fn hash(&self) -> Hash28 {
        let mut tagged = Vec::with_capacity(self.bytes.len() + 1);
        tagged.push(self.language as u8);
        tagged.extend_from_slice(&self.bytes);
        blake2b_224(&tagged)
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Script({:?}, {}, {} bytes)",
            self.language,
            self.hash(),
            self.bytes.len()
        )
    }
}
