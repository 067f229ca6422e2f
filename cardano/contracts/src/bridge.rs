//! All scripts of one bridge, derived from its seed.
//!
//! Deployment order, and why it does not go in circles: the genesis policy depends on the seed alone; committee and
//! deposit on the genesis policy; anchor on committee; head on genesis, committee and anchor; vault on genesis, head,
//! anchor and deposit. What would point back is known by its NFT instead: a deposit looks for a shard's.

use nupeer_outbox::{Address, BridgeId, OutputReference};
use nupeer_primitives::{AssetId, Code, Credential, Hash28, Numbered, plutus::Data};

use crate::{ApplyError, Blueprint, BlueprintError, PlutusScript, Validator};

/// Name of the committee's NFT.
pub const COMMITTEE_TOKEN: &[u8] = b"C";
/// Name of the head's NFT.
pub const HEAD_TOKEN: &[u8] = b"H";
/// First byte of the name of a shard's NFT; its number follows.
pub const SHARD_LETTER: u8 = b'S';

/// Why a bridge's scripts cannot be derived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptsError {
    /// The embedded blueprint is damaged.
    #[error(transparent)]
    Blueprint(#[from] BlueprintError),
    /// A parameter does not apply.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Numbered for ScriptsError {
    fn code(&self) -> Code {
        match self {
            ScriptsError::Blueprint(error) => error.code(),
            ScriptsError::Apply(error) => error.code(),
        }
    }
}

/// The scripts of one bridge. Whoever knows seed and network derives the same, so nobody's word is needed for them.
#[derive(Clone, Debug)]
pub struct BridgeScripts {
    bridge_id: BridgeId,
    network_magic: u32,
    seed: OutputReference,
    scripts: [(PlutusScript, Hash28); 6],
}

impl BridgeScripts {
    /// The bridge born from `seed` on the network with this magic, with the scripts that this crate carries.
    pub fn derive(network_magic: u32, seed: OutputReference) -> Result<Self, ScriptsError> {
        Self::derive_from(&Blueprint::embedded()?, network_magic, seed)
    }

    /// As [`BridgeScripts::derive`], with the scripts of another blueprint.
    pub fn derive_from(
        blueprint: &Blueprint,
        network_magic: u32,
        seed: OutputReference,
    ) -> Result<Self, ScriptsError> {
        let applied =
            |validator, parameters: &[Data]| -> Result<(PlutusScript, Hash28), ApplyError> {
                let script = blueprint.script(validator).apply(parameters)?;
                let hash = script.hash();
                Ok((script, hash))
            };
        let network = Data::Int(network_magic.into());
        let genesis = applied(Validator::Genesis, &[seed.to_data(), network.clone()])?;
        let policy = Data::bytes(genesis.1.0);
        let committee = applied(Validator::Committee, std::slice::from_ref(&policy))?;
        let anchor = applied(Validator::Anchor, &[Data::bytes(committee.1.0)])?;
        let deposit = applied(Validator::Deposit, std::slice::from_ref(&policy))?;
        let [at_committee, at_anchor, at_deposit] =
            [&committee, &anchor, &deposit].map(|(_, hash)| Data::bytes(hash.0));
        let head = applied(
            Validator::Head,
            &[policy.clone(), at_committee, at_anchor.clone(), network],
        )?;
        let vault = applied(
            Validator::Vault,
            &[policy, Data::bytes(head.1.0), at_anchor, at_deposit],
        )?;
        let scripts = [genesis, committee, anchor, deposit, head, vault];
        let bridge_id = BridgeId::derive(network_magic, &seed);
        Ok(BridgeScripts {
            bridge_id,
            network_magic,
            seed,
            scripts,
        })
    }

    /// The bridge's id.
    pub fn bridge_id(&self) -> BridgeId {
        self.bridge_id
    }

    /// Magic of its Cardano network.
    pub fn network_magic(&self) -> u32 {
        self.network_magic
    }

    /// The output whose spending gave birth to it.
    pub fn seed(&self) -> OutputReference {
        self.seed
    }

    /// A script with its parameters applied.
    pub fn script(&self, validator: Validator) -> &PlutusScript {
        &self.scripts[validator as usize].0
    }

    /// A script's hash: its policy id or payment credential.
    pub fn hash(&self, validator: Validator) -> Hash28 {
        self.scripts[validator as usize].1
    }

    /// A script's address, without a staking part.
    pub fn address(&self, validator: Validator) -> Address {
        Address::enterprise(Credential::Script(self.hash(validator)))
    }

    /// The committee's NFT.
    pub fn committee_token(&self) -> AssetId {
        self.genesis_token(COMMITTEE_TOKEN)
    }

    /// The head's NFT.
    pub fn head_token(&self) -> AssetId {
        self.genesis_token(HEAD_TOKEN)
    }

    /// A shard's NFT.
    pub fn shard_token(&self, shard: u8) -> AssetId {
        self.genesis_token(&[SHARD_LETTER, shard])
    }

    /// The token that each anchor holds one of.
    pub fn anchor_token(&self) -> AssetId {
        AssetId::Native {
            policy: self.hash(Validator::Head),
            name: Vec::new(),
        }
    }

    fn genesis_token(&self, name: &[u8]) -> AssetId {
        AssetId::Native {
            policy: self.hash(Validator::Genesis),
            name: name.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash;

    use super::*;

    #[test]
    fn no_two_scripts_are_the_same() {
        let seed = OutputReference {
            transaction_id: Hash([1; 32]),
            index: 0,
        };
        let scripts = BridgeScripts::derive(1, seed).expect("scripts");
        let hashes: std::collections::BTreeSet<_> = Validator::ALL
            .map(|validator| scripts.hash(validator))
            .into();
        assert_eq!(hashes.len(), Validator::ALL.len());
    }

    #[test]
    fn another_seed_or_network_is_another_set_of_scripts() {
        let seed = OutputReference {
            transaction_id: Hash([1; 32]),
            index: 0,
        };
        let hashes = |magic, seed| {
            let scripts = BridgeScripts::derive(magic, seed).expect("scripts");
            Validator::ALL.map(|validator| scripts.hash(validator))
        };
        let base = hashes(1, seed);
        for other in [
            hashes(2, seed),
            hashes(1, OutputReference { index: 1, ..seed }),
        ] {
            assert!(base.iter().zip(&other).all(|(a, b)| a != b));
        }
        assert_eq!(base, hashes(1, seed));
    }
}
