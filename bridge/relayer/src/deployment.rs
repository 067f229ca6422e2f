//! One bridge on Cardano, as whoever uses it knows it (`deployment.json`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use nupeer_cardano_client::{OutputReference, Script, address};
use nupeer_contracts::{BridgeScripts, ScriptsError, Validator};
use nupeer_outbox::{BridgeId, Committee, committee::CommitteeError, shard::ASSETS_MAX};
use nupeer_primitives::{
    AssetId, CardanoNetwork, CardanoPoint, Code, Credential, Hash, Hash28, Numbered, PublicKey,
};
use pallas_addresses::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::convert;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Magic of mainnet, the only network with mainnet's addresses.
const MAINNET_MAGIC: u32 = 764_824_073;

/// Scripts that transactions run, and that therefore lie in reference outputs.
pub const REFERENCED: [Validator; 3] = [Validator::Deposit, Validator::Head, Validator::Vault];

/// What `nupeer deploy` writes and everybody else reads. Nobody needs to believe it: [`Deployment::check`] derives all
/// from the seed and compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The bridge.
    #[serde(with = "bridge_id_text")]
    pub bridge_id: BridgeId,
    /// Magic of its Cardano network.
    pub network_magic: u32,
    /// The output that its birth spent.
    #[serde(with = "text")]
    pub seed: OutputReference,
    /// The transaction that it was born in: committee, head and shards are its first outputs.
    #[serde(with = "text")]
    pub birth: Hash,
    /// Number of shards.
    pub shards: u8,
    /// Native assets that may enter beside ADA.
    #[serde(with = "assets")]
    pub assets: Vec<AssetId>,
    /// The first committee.
    pub committee: Members,
    /// Hashes of all scripts by name.
    #[serde(with = "text_map")]
    pub scripts: BTreeMap<String, Hash28>,
    /// Where the scripts lie that transactions run, by name.
    #[serde(with = "text_map")]
    pub reference_outputs: BTreeMap<String, OutputReference>,
    /// A Cardano block in whose state the bridge stands as it was born; whoever follows it begins here.
    #[serde(with = "point")]
    pub cardano_point: CardanoPoint,
}

/// A committee's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Bridge public keys, ascending.
    #[serde(with = "keys")]
    pub keys: Vec<PublicKey>,
    /// How many must sign.
    pub quorum: usize,
}

/// Why a deployment is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// Not a deployment file.
    #[error("not a deployment: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The scripts cannot be derived.
    #[error(transparent)]
    Scripts(#[from] ScriptsError),
    /// The keys make no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// Something that follows from the seed is another than the file says.
    #[error("the deployment says {field} {provided}, but from its seed follows {expected}")]
    Differs {
        /// The field.
        field: String,
        /// What the file says.
        provided: String,
        /// What follows.
        expected: String,
    },
    /// Not a number of shards or assets that a bridge has.
    #[error("{provided} {field} where {minimum} to {maximum} are possible")]
    Count {
        /// Of what.
        field: &'static str,
        /// How many the file says.
        provided: usize,
        /// The least.
        minimum: usize,
        /// The most.
        maximum: usize,
    },
    /// The deployment is for another network than the one asked for.
    #[error("the bridge stands on the network with magic {provided}, asked for is {expected}")]
    Network {
        /// The file's.
        provided: u32,
        /// The network's.
        expected: u64,
    },
}

impl Numbered for DeploymentError {
    fn code(&self) -> Code {
        match self {
            DeploymentError::Io { .. } => Code(7500),
            DeploymentError::Malformed(_) => Code(7501),
            DeploymentError::Scripts(error) => error.code(),
            DeploymentError::Committee(error) => error.code(),
            DeploymentError::Differs { .. } => Code(7502),
            DeploymentError::Count { .. } => Code(7503),
            DeploymentError::Network { .. } => Code(7504),
        }
    }
}

/// A script's name in a deployment.
pub fn script_name(validator: Validator) -> &'static str {
    match validator {
        Validator::Genesis => "genesis",
        Validator::Committee => "committee",
        Validator::Anchor => "anchor",
        Validator::Deposit => "deposit",
        Validator::Head => "head",
        Validator::Vault => "vault",
    }
}

/// A deployment whose every claim follows from its seed.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Its scripts.
    pub scripts: BridgeScripts,
    /// Its first committee.
    pub committee: Committee,
    /// Its number of shards.
    pub shards: u8,
    /// Native assets that may enter beside ADA.
    pub assets: Vec<AssetId>,
    /// Where the scripts lie that transactions run.
    pub reference_outputs: BTreeMap<Validator, OutputReference>,
}

impl Deployment {
    /// Reads the file and checks nothing yet.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        use std::io::Read;
        let io = |error| DeploymentError::Io {
            path: path.to_owned(),
            error,
        };
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(FILE_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(io)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Derives everything from the seed and compares.
    pub fn check(&self) -> Result<Bridge, DeploymentError> {
        let scripts = BridgeScripts::derive(self.network_magic, convert::reference(self.seed))?;
        same("bridge_id", self.bridge_id, scripts.bridge_id())?;
        for validator in Validator::ALL {
            let name = script_name(validator);
            let written = self.scripts.get(name).map(Hash28::to_string);
            let field = format!("script {name}");
            same(
                field,
                written.unwrap_or_default(),
                scripts.hash(validator).to_string(),
            )?;
        }
        let committee = Committee::new(scripts.bridge_id(), 0, self.committee.keys.clone())?;
        same("quorum", self.committee.quorum, committee.quorum())?;
        count("shards", self.shards.into(), 1, u8::MAX.into())?;
        count("assets", self.assets.len(), 0, ASSETS_MAX)?;
        Ok(Bridge {
            committee,
            shards: self.shards,
            assets: self.assets.clone(),
            reference_outputs: self.referenced()?,
            scripts,
        })
    }

    /// As [`Deployment::check`], for the network with this magic.
    pub fn check_on(&self, magic: u64) -> Result<Bridge, DeploymentError> {
        if u64::from(self.network_magic) != magic {
            return Err(DeploymentError::Network {
                provided: self.network_magic,
                expected: magic,
            });
        }
        self.check()
    }

    fn referenced(&self) -> Result<BTreeMap<Validator, OutputReference>, DeploymentError> {
        let place = |validator| {
            let name = script_name(validator);
            let found = self.reference_outputs.get(name);
            let missing = || DeploymentError::Differs {
                field: "reference outputs without".into(),
                provided: name.into(),
                expected: "one for each script that transactions run".into(),
            };
            Ok((validator, *found.ok_or_else(missing)?))
        };
        REFERENCED.into_iter().map(place).collect()
    }
}

fn same<T: PartialEq + ToString>(
    field: impl Into<String>,
    provided: T,
    expected: T,
) -> Result<(), DeploymentError> {
    if provided == expected {
        return Ok(());
    }
    Err(DeploymentError::Differs {
        field: field.into(),
        provided: provided.to_string(),
        expected: expected.to_string(),
    })
}

fn count(
    field: &'static str,
    provided: usize,
    minimum: usize,
    maximum: usize,
) -> Result<(), DeploymentError> {
    if (minimum..=maximum).contains(&provided) {
        return Ok(());
    }
    Err(DeploymentError::Count {
        field,
        provided,
        minimum,
        maximum,
    })
}

impl Bridge {
    /// Which kind of addresses its network has.
    pub fn network(&self) -> CardanoNetwork {
        network_of(self.scripts.network_magic())
    }

    /// A script's address, without a staking part.
    pub fn address(&self, validator: Validator) -> Address {
        script_address(&self.scripts, validator)
    }
}

pub(crate) fn network_of(magic: u32) -> CardanoNetwork {
    match magic {
        MAINNET_MAGIC => CardanoNetwork::Mainnet,
        _ => CardanoNetwork::Testnet,
    }
}

pub(crate) fn script_address(scripts: &BridgeScripts, validator: Validator) -> Address {
    let credential = Credential::Script(scripts.hash(validator));
    address::shelley(network_of(scripts.network_magic()), credential, None)
}

/// A script as transactions carry it.
pub(crate) fn client_script(scripts: &BridgeScripts, validator: Validator) -> Script {
    Script::plutus_v3(scripts.script(validator).as_bytes().to_vec())
}

/// What reads back from its text.
mod text {
    use super::*;

    pub(super) fn serialize<T: ToString, S: Serializer>(
        value: &T,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, T, D>(d: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: std::fmt::Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

mod text_map {
    use super::*;

    pub(super) fn serialize<T: ToString, S: Serializer>(
        map: &BTreeMap<String, T>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_map(map.iter().map(|(name, value)| (name, value.to_string())))
    }

    pub(super) fn deserialize<'de, T, D>(d: D) -> Result<BTreeMap<String, T>, D::Error>
    where
        T: FromStr<Err: std::fmt::Display>,
        D: Deserializer<'de>,
    {
        let texts = BTreeMap::<String, String>::deserialize(d)?.into_iter();
        let parsed = texts.map(|(name, text)| Ok((name, text.parse().map_err(D::Error::custom)?)));
        parsed.collect()
    }
}

mod bridge_id_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(id: &BridgeId, s: S) -> Result<S::Ok, S::Error> {
        text::serialize(&id.0, s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BridgeId, D::Error> {
        text::deserialize(d).map(BridgeId)
    }
}

mod point {
    use nupeer_primitives::Slot;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Point {
        slot: u64,
        #[serde(with = "text")]
        hash: Hash,
    }

    pub(super) fn serialize<S: Serializer>(at: &CardanoPoint, s: S) -> Result<S::Ok, S::Error> {
        let (slot, hash) = (at.slot.0, at.hash);
        Point { slot, hash }.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<CardanoPoint, D::Error> {
        let Point { slot, hash } = Point::deserialize(d)?;
        let slot = Slot(slot);
        Ok(CardanoPoint { slot, hash })
    }
}

mod keys {
    use super::*;

    pub(super) fn serialize<S: Serializer>(keys: &[PublicKey], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(keys.iter().map(PublicKey::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PublicKey>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        let keys = texts.iter().map(|text| parse_key(text));
        keys.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// A public key from 64 hexadecimal digits.
pub fn parse_key(text: &str) -> Result<PublicKey, String> {
    let bytes = hex::decode(text).ok().and_then(|b| b.try_into().ok());
    bytes
        .map(PublicKey)
        .ok_or_else(|| format!("{text:?} is no public key of 64 hexadecimal digits"))
}

mod assets {
    use super::*;

    pub(super) fn serialize<S: Serializer>(assets: &[AssetId], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(assets.iter().map(AssetId::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<AssetId>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        let assets = texts.iter().map(|text| parse_asset(text));
        assets.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// An asset from `ADA`, `lovelace` or `policy.name`, both in hexadecimal.
pub fn parse_asset(text: &str) -> Result<AssetId, String> {
    if matches!(text, "ADA" | "lovelace") {
        return Ok(AssetId::Ada);
    }
    let native = || {
        let (policy, name) = text.split_once('.')?;
        let (policy, name): (Hash28, _) = (policy.parse().ok()?, hex::decode(name).ok()?);
        AssetId::from_bytes(&[&policy.0[..], &name].concat())
    };
    native()
        .ok_or_else(|| format!("{text:?} is no asset; one is ADA or POLICY.NAME in hexadecimal"))
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Slot;

    use super::*;

    fn deployment() -> Deployment {
        let seed = OutputReference {
            transaction_id: Hash([1; 32]),
            index: 3,
        };
        let scripts = BridgeScripts::derive(42, convert::reference(seed)).unwrap();
        let place = |index| OutputReference {
            transaction_id: Hash([2; 32]),
            index,
        };
        Deployment {
            bridge_id: scripts.bridge_id(),
            network_magic: 42,
            seed,
            birth: Hash([3; 32]),
            shards: 2,
            assets: vec![parse_asset(&format!("{}.55534d", "07".repeat(28))).unwrap()],
            committee: Members {
                keys: (1..=4).map(|n| PublicKey([n; 32])).collect(),
                quorum: 3,
            },
            scripts: Validator::ALL
                .map(|validator| (script_name(validator).into(), scripts.hash(validator)))
                .into(),
            reference_outputs: REFERENCED
                .map(|validator| (script_name(validator).into(), place(validator as u16)))
                .into(),
            cardano_point: CardanoPoint {
                slot: Slot(9),
                hash: Hash([4; 32]),
            },
        }
    }

    #[test]
    fn a_deployment_reads_back_from_its_file_and_follows_from_its_seed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deployment.json");
        std::fs::write(&path, deployment().to_json()).unwrap();
        let read = Deployment::read(&path).unwrap();
        assert_eq!(read, deployment());
        let bridge = read.check_on(42).unwrap();
        assert_eq!(bridge.committee.quorum(), 3);
        assert_eq!(bridge.reference_outputs.len(), 3);
    }

    #[test]
    fn whatever_does_not_follow_from_the_seed_is_refused_by_name() {
        type Change = fn(&mut Deployment);
        let changes: [(&str, Change); 5] = [
            ("bridge_id", |d| d.bridge_id = BridgeId(Hash([9; 32]))),
            ("bridge_id", |d| d.seed.index = 4),
            ("script vault", |d| {
                d.scripts.insert("vault".into(), Hash28([9; 28]));
            }),
            ("script head", |d| {
                d.scripts.remove("head");
            }),
            ("quorum", |d| d.committee.quorum = 2),
        ];
        for (expected, change) in changes {
            let mut changed = deployment();
            change(&mut changed);
            let Err(DeploymentError::Differs { field, .. }) = changed.check() else {
                panic!("{expected} was taken")
            };
            assert_eq!(field, expected);
        }
    }

    #[test]
    fn another_networks_bridge_and_absurd_counts_are_refused() {
        let code = |result: Result<Bridge, DeploymentError>| result.unwrap_err().code();
        assert_eq!(code(deployment().check_on(1)), Code(7504));
        let none = Deployment {
            shards: 0,
            ..deployment()
        };
        assert_eq!(code(none.check()), Code(7503));
        let keys = Deployment {
            committee: Members {
                keys: vec![PublicKey([1; 32]); 2],
                quorum: 2,
            },
            ..deployment()
        };
        assert_eq!(code(keys.check()), Code(3061));
    }
}
