//! The market's part of the genesis file: times in ms, amounts as strings of base units, kinds by name.

use nupeer_lease::{Kind, KindParams, Params, Resources};
use serde::{Deserialize, Serialize};

use super::{GenesisError, file};

/// The market's parameters as the file has them: those of [`Params`], each as it is by default where it is absent.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Params", deny_unknown_fields, default = "Params::default")]
pub(super) struct FileMarket {
    protocol_fee_per_10k: u16,
    upload_timeout_ms: u64,
    provision_timeout_ms: u64,
    pause_grace_ms: u64,
    settle_window_ms: u64,
    request_life_ms_max: u64,
    offer_life_ms_max: u64,
    duration_ms_max: u64,
    escrow_cover_ms_min: u64,
    retention_ms: u64,
    due_per_block_max: u32,
    #[serde(with = "kinds")]
    kinds: Vec<KindParams>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKind {
    kind: String,
    /// Empty or absent for ADA, else hex of policy and name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    bond_asset: String,
    bond_minimum: String,
    #[serde(with = "FileResources")]
    minimum: Resources,
    #[serde(with = "FileResources")]
    maximum: Resources,
}

/// An amount of each resource, every one of them named.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Resources", deny_unknown_fields)]
struct FileResources {
    cpu_milli: u32,
    memory_bytes: u64,
    disk_bytes: u64,
    pids: u32,
    ports: u16,
}

/// Kinds, each by way of a [`FileKind`].
mod kinds {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{Deserialize, FileKind, GenesisError, KindParams};

    pub(super) fn serialize<S: Serializer>(kinds: &[KindParams], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(kinds.iter().map(FileKind::write))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<KindParams>, D::Error> {
        let kinds = Vec::<FileKind>::deserialize(from)?;
        let kinds: Result<_, GenesisError> = kinds.iter().map(FileKind::read).collect();
        kinds.map_err(|error| match error {
            // That it is the genesis file's is said outside, once.
            GenesisError::File(why) => D::Error::custom(why),
            other => D::Error::custom(other),
        })
    }
}

impl FileKind {
    fn read(&self) -> Result<KindParams, GenesisError> {
        let kind = match self.kind.as_str() {
            "container" => Kind::Container,
            other => {
                let why = format!("{other:?} is no kind of lease; there is container");
                return Err(file::wrong("market.kinds", why));
            }
        };
        Ok(KindParams {
            kind,
            bond_asset: file::asset("market.kinds.bond_asset", &self.bond_asset)?,
            bond_minimum: file::amount("market.kinds.bond_minimum", &self.bond_minimum)?,
            minimum: self.minimum,
            maximum: self.maximum,
        })
    }

    fn write(params: &KindParams) -> Self {
        FileKind {
            kind: params.kind.to_string(),
            bond_asset: hex::encode(params.bond_asset.to_bytes()),
            bond_minimum: params.bond_minimum.to_string(),
            minimum: params.minimum,
            maximum: params.maximum,
        }
    }
}
