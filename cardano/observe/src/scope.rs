//! What to look for.

use minicbor::{Decode, Encode};
use nupeer_primitives::{AssetId, Hash28};

/// Name of the head's NFT under the genesis policy (`cardano/contracts`).
const HEAD_TOKEN: &[u8] = b"H";
/// First byte of the name of a shard's NFT; its number follows.
const SHARD_LETTER: u8 = b'S';

/// One bridge on Cardano, by the hashes of its scripts: they follow from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Scope {
    /// Policy of the NFTs of head and shards.
    #[n(0)]
    pub genesis: Hash28,
    /// Script that the head lies at, and policy of anchor tokens.
    #[n(1)]
    pub head: Hash28,
    /// Script that anchors lie at.
    #[n(2)]
    pub anchor: Hash28,
    /// Script that shards lie at.
    #[n(3)]
    pub vault: Hash28,
    /// Script that deposits are sent to.
    #[n(4)]
    pub deposit: Hash28,
}

impl Scope {
    /// The head's NFT.
    pub fn head_token(&self) -> AssetId {
        let (policy, name) = (self.genesis, HEAD_TOKEN.to_vec());
        AssetId::Native { policy, name }
    }

    /// The token that each anchor holds one of.
    pub fn anchor_token(&self) -> AssetId {
        let (policy, name) = (self.head, Vec::new());
        AssetId::Native { policy, name }
    }

    /// A shard's NFT.
    pub fn shard_token(&self, shard: u8) -> AssetId {
        let (policy, name) = (self.genesis, vec![SHARD_LETTER, shard]);
        AssetId::Native { policy, name }
    }

    /// The number of the shard that `asset` is the NFT of.
    pub(crate) fn shard_of(&self, asset: &AssetId) -> Option<u8> {
        match asset {
            AssetId::Native { policy, name } if *policy == self.genesis => match name[..] {
                [SHARD_LETTER, shard] => Some(shard),
                _ => None,
            },
            _ => None,
        }
    }
}
