//! The market's part of the genesis file: times in ms, amounts as strings of base units, kinds by name.

use nupeer_lease::{Kind, KindParams, Params, Resources};
use serde::{Deserialize, Serialize};

use super::{GenesisError, file};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileMarket {
    protocol_fee_per_10k: u16,
    provision_timeout_ms: u64,
    pause_grace_ms: u64,
    settle_window_ms: u64,
    request_life_ms_max: u64,
    offer_life_ms_max: u64,
    duration_ms_max: u64,
    escrow_cover_ms_min: u64,
    retention_ms: u64,
    due_per_block_max: u32,
    kinds: Vec<FileKind>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKind {
    kind: String,
    /// Empty or absent for ADA, else hex of policy and name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    bond_asset: String,
    bond_minimum: String,
    minimum: FileResources,
    maximum: FileResources,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileResources {
    cpu_milli: u32,
    memory_bytes: u64,
    disk_bytes: u64,
    pids: u32,
    ports: u16,
}

impl Default for FileMarket {
    fn default() -> Self {
        FileMarket::write(&Params::default())
    }
}

impl FileMarket {
    pub(super) fn read(self) -> Result<Params, GenesisError> {
        let kinds = self.kinds.iter().map(FileKind::read);
        Ok(Params {
            protocol_fee_per_10k: self.protocol_fee_per_10k,
            provision_timeout_ms: self.provision_timeout_ms,
            pause_grace_ms: self.pause_grace_ms,
            settle_window_ms: self.settle_window_ms,
            request_life_ms_max: self.request_life_ms_max,
            offer_life_ms_max: self.offer_life_ms_max,
            duration_ms_max: self.duration_ms_max,
            escrow_cover_ms_min: self.escrow_cover_ms_min,
            retention_ms: self.retention_ms,
            due_per_block_max: self.due_per_block_max,
            kinds: kinds.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn write(params: &Params) -> Self {
        FileMarket {
            protocol_fee_per_10k: params.protocol_fee_per_10k,
            provision_timeout_ms: params.provision_timeout_ms,
            pause_grace_ms: params.pause_grace_ms,
            settle_window_ms: params.settle_window_ms,
            request_life_ms_max: params.request_life_ms_max,
            offer_life_ms_max: params.offer_life_ms_max,
            duration_ms_max: params.duration_ms_max,
            escrow_cover_ms_min: params.escrow_cover_ms_min,
            retention_ms: params.retention_ms,
            due_per_block_max: params.due_per_block_max,
            kinds: params.kinds.iter().map(FileKind::write).collect(),
        }
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
            minimum: self.minimum.read(),
            maximum: self.maximum.read(),
        })
    }

    fn write(params: &KindParams) -> Self {
        FileKind {
            kind: params.kind.to_string(),
            bond_asset: hex::encode(params.bond_asset.to_bytes()),
            bond_minimum: params.bond_minimum.to_string(),
            minimum: FileResources::write(&params.minimum),
            maximum: FileResources::write(&params.maximum),
        }
    }
}

impl FileResources {
    fn read(&self) -> Resources {
        Resources {
            cpu_milli: self.cpu_milli,
            memory_bytes: self.memory_bytes,
            disk_bytes: self.disk_bytes,
            pids: self.pids,
            ports: self.ports,
        }
    }

    fn write(resources: &Resources) -> Self {
        FileResources {
            cpu_milli: resources.cpu_milli,
            memory_bytes: resources.memory_bytes,
            disk_bytes: resources.disk_bytes,
            pids: resources.pids,
            ports: resources.ports,
        }
    }
}
