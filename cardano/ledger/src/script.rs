//! Scripts as outputs and witnesses carry them; their hashes are taken over the bytes as they came.

use super::cbor::{DecodeError, Reader};
use super::native_script;
use pallas_crypto::hash::Hasher;

/// blake2b-224 over the language's tag and the script's bytes.
pub type ScriptHash = [u8; 28];

/// The version of Plutus Core's ledger interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlutusVersion {
    /// Alonzo.
    V1,
    /// Babbage.
    V2,
    /// Conway.
    V3,
}

/// A script, by reference to the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script<'a> {
    /// A native script's CBOR.
    Native(&'a [u8]),
    /// A Plutus script: a CBOR byte string around the flat-encoded program.
    Plutus(PlutusVersion, &'a [u8]),
}

impl<'a> Script<'a> {
    /// `[language, script]` (Conway CDDL, `script`).
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let record = reader.record(2, "a script")?;
        let script = match reader.unsigned("a script's language")? {
            0 => Self::Native(native_script::check(reader)?),
            1 => Self::Plutus(PlutusVersion::V1, reader.bytes("a Plutus script")?),
            2 => Self::Plutus(PlutusVersion::V2, reader.bytes("a Plutus script")?),
            3 => Self::Plutus(PlutusVersion::V3, reader.bytes("a Plutus script")?),
            key => {
                return Err(DecodeError::UnknownKey {
                    what: "a script's language",
                    key,
                });
            }
        };
        reader.close(record, "a script")?;
        Ok(script)
    }

    /// The bytes that hash and fee are about: a native script's CBOR, a Plutus script's string.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Native(bytes) | Self::Plutus(_, bytes) => bytes,
        }
    }

    /// The hash that addresses, policies and witnesses name.
    pub fn hash(&self) -> ScriptHash {
        let tag = match self {
            Self::Native(_) => 0,
            Self::Plutus(PlutusVersion::V1, _) => 1,
            Self::Plutus(PlutusVersion::V2, _) => 2,
            Self::Plutus(PlutusVersion::V3, _) => 3,
        };
        *Hasher::<224>::hash_tagged(self.bytes(), tag)
    }
}
