//! Which asset: ADA or a Cardano native asset (policy and name).

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::Hash28;

/// ADA, or a native asset by its minting policy and its name of at most 32 bytes (Mary ledger specification).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetId {
    /// ADA, counted in lovelace.
    Ada,
    /// A native asset.
    Native {
        /// Hash of the minting policy's script.
        policy: Hash28,
        /// At most 32 bytes.
        name: Vec<u8>,
    },
}

impl AssetId {
    /// Longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 32;

    /// Nothing for ADA, else policy ‖ name. The policy's fixed length makes it unambiguous.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            AssetId::Ada => Vec::new(),
            AssetId::Native { policy, name } => [&policy.0[..], name].concat(),
        }
    }

    /// The inverse of [`AssetId::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<AssetId> {
        if bytes.is_empty() {
            return Some(AssetId::Ada);
        }
        let (policy, name) = bytes.split_first_chunk::<28>()?;
        (name.len() <= Self::NAME_BYTES_MAX).then(|| AssetId::Native {
            policy: Hash28(*policy),
            name: name.to_vec(),
        })
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssetId::Ada => f.write_str("ADA"),
            AssetId::Native { policy, name } => write!(f, "{policy}.{}", hex::encode(name)),
        }
    }
}

impl<C> Encode<C> for AssetId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AssetId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        AssetId::from_bytes(d.bytes()?).ok_or_else(|| {
            minicbor::decode::Error::message("neither ADA nor a policy and a name").at(at)
        })
    }
}
