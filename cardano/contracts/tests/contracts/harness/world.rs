//! One bridge and the people around it.

use std::{collections::BTreeMap, sync::OnceLock};

use ed25519_dalek::{Signer, SigningKey};
use nupeer_contracts::{Blueprint, BridgeScripts, Validator};
use nupeer_outbox::{Address, Committee, OutputReference, Value};
use nupeer_primitives::{AssetId, Credential, Hash, Hash28, PublicKey, plutus::Data};

use super::{Datum, Out, Tx};

pub(crate) const NETWORK_MAGIC: u32 = 42;
/// A moment in Unix milliseconds, the start of every validity range.
pub(crate) const NOW_MS: u64 = 1_750_000_000_000;
pub(crate) const MINUTE_MS: u64 = 60_000;

/// Output references, apart by their first byte so that their order is known.
pub(crate) const fn place(first: u8) -> OutputReference {
    OutputReference {
        transaction_id: Hash([first; 32]),
        index: 0,
    }
}

pub(crate) const SEED: OutputReference = place(0x01);
pub(crate) const FUNDS: OutputReference = place(0x22);
pub(crate) const HEAD: OutputReference = place(0x33);
pub(crate) const COMMITTEE: OutputReference = place(0x44);
pub(crate) const ANCHOR: OutputReference = place(0x55);
pub(crate) const SHARD: OutputReference = place(0x66);

/// Which blueprint a world runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The one that is deployed.
    Silent,
    /// The one whose rules say their codes.
    Traced,
}

/// A bridge's scripts and the keys of its four validators.
pub(crate) struct World {
    pub(crate) scripts: BridgeScripts,
    members: Vec<SigningKey>,
}

impl World {
    /// The bridge on one build; derived once in a process.
    pub(crate) fn of(build: Build) -> &'static World {
        static SILENT: OnceLock<World> = OnceLock::new();
        static TRACED: OnceLock<World> = OnceLock::new();
        let (cell, json) = match build {
            Build::Silent => (&SILENT, include_str!("../../../plutus.json")),
            Build::Traced => (&TRACED, include_str!("../../../plutus.debug.json")),
        };
        cell.get_or_init(|| World::born(json, SEED, 4))
    }

    /// A bridge of its own, with so many validators.
    pub(crate) fn born(json: &str, seed: OutputReference, members: u8) -> World {
        let blueprint = Blueprint::parse(json).expect("a blueprint");
        let scripts = BridgeScripts::derive_from(&blueprint, NETWORK_MAGIC, seed).expect("scripts");
        let mut members: Vec<_> = (1..=members)
            .map(|seed| SigningKey::from_bytes(&[seed; 32]))
            .collect();
        members.sort_by_key(|key| key.verifying_key().to_bytes());
        World { scripts, members }
    }

    /// The committee, in whose order members are numbered.
    pub(crate) fn committee(&self) -> Committee {
        let keys = self
            .members
            .iter()
            .map(|key| PublicKey(key.verifying_key().to_bytes()));
        Committee::new(self.scripts.bridge_id(), 0, keys.collect()).expect("a committee")
    }

    /// A member's signature.
    pub(crate) fn sign(&self, member: usize, message: &Hash) -> Vec<u8> {
        self.members[member].sign(&message.0).to_bytes().to_vec()
    }

    /// A transaction with the submitter's funds, valid from now for ten minutes, and the scripts by reference.
    pub(crate) fn transaction(&self, used: &[Validator]) -> Tx {
        let mut tx = Tx {
            valid: (Some(NOW_MS), Some(NOW_MS + 10 * MINUTE_MS)),
            ..Tx::default()
        };
        tx.inputs.insert(FUNDS, (to_key(100_000_000), None));
        for validator in used {
            let script = Some(self.scripts.hash(*validator));
            tx.references.insert(
                place(0x80 + *validator as u8),
                Out {
                    script,
                    ..to_key(20_000_000)
                },
            );
        }
        tx
    }

    /// An output at one of the scripts.
    pub(crate) fn at(&self, validator: Validator, value: Value, datum: Data) -> Out {
        let address = self.scripts.address(validator);
        Out {
            address,
            value,
            datum: Datum::Inline(datum),
            script: None,
        }
    }

    /// Scripts by hash.
    pub(crate) fn by_hash(&self) -> BTreeMap<Hash28, Validator> {
        Validator::ALL
            .into_iter()
            .map(|validator| (self.scripts.hash(validator), validator))
            .collect()
    }
}

/// An output of the submitter's.
pub(crate) fn to_key(lovelace: u64) -> Out {
    let payment = Credential::Key(Hash28([0xab; 28]));
    let stake = Some(Credential::Key(Hash28([0xcd; 28])));
    Out {
        address: Address { payment, stake },
        value: Value::lovelace(lovelace),
        datum: Datum::None,
        script: None,
    }
}

/// A token of nobody's policy.
pub(crate) fn token(name: &[u8]) -> AssetId {
    AssetId::Native {
        policy: Hash28([0x77; 28]),
        name: name.to_vec(),
    }
}
