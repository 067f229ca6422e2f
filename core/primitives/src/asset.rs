//! Which asset: ADA or a Cardano native asset (policy and name).

use std::fmt;

use bech32::{Bech32, Hrp};
use blake2::{Blake2b, Digest, digest::consts::U20};
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

    /// The asset's fingerprint, `asset1…` of 44 characters (CIP-14): blake2b-160 over policy ‖ name. ADA has none.
    pub fn fingerprint(&self) -> Option<String> {
        if *self == AssetId::Ada {
            return None;
        }
        let digest = Blake2b::<U20>::digest(self.to_bytes());
        bech32::encode::<Bech32>(Hrp::parse("asset").ok()?, &digest).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_cip_14() {
        for (policy, name, fingerprint) in [
            (
                "7eae28af2208be856f7a119668ae52a49b73725e326dc16579dcc373",
                "",
                "asset1rjklcrnsdzqp65wjgrg55sy9723kw09mlgvlc3",
            ),
            (
                "1e349c9bdea19fd6c147626a5260bc44b71635f398b67c59881df209",
                "504154415445",
                "asset1hv4p5tv2a837mzqrst04d0dcptdjmluqvdx9k3",
            ),
        ] {
            let asset = AssetId::Native {
                policy: policy.parse().unwrap(),
                name: hex::decode(name).unwrap(),
            };
            assert_eq!(asset.fingerprint().as_deref(), Some(fingerprint));
        }
        assert_eq!(AssetId::Ada.fingerprint(), None);
    }
}
