//! The bridge in the genesis file: hexadecimal hashes, outputs as `transaction#index`.

use nupeer_bridge::{Params, Settings};
use nupeer_observe::Scope;
use nupeer_outbox::{BridgeId, OutputReference};
use nupeer_primitives::{Hash, Hash28};
use serde::{Deserialize, Serialize};

use super::{
    GenesisError,
    file::{asset, wrong},
};

/// A bridge's settings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileBridge {
    bridge_id: String,
    network_magic: u32,
    seed: String,
    birth: String,
    scripts: FileScripts,
    shards: u8,
    #[serde(default)]
    assets: Vec<String>,
    #[serde(default, with = "FileParams")]
    params: Params,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileScripts {
    genesis: String,
    committee: String,
    anchor: String,
    deposit: String,
    head: String,
    vault: String,
}

/// The bridge's figures as the file has them: those of [`Params`], each as it is by default where it is absent.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Params", deny_unknown_fields, default = "Params::default")]
struct FileParams {
    utxo_cost_per_byte_lovelace: u64,
    withdrawal_min_lovelace: u64,
    leaf_outputs_max: u32,
    anchor_interval_blocks: u64,
    anchor_timeout_blocks: u64,
    deposit_min_lovelace: u64,
}

fn hash(what: &str, text: &str) -> Result<Hash, GenesisError> {
    text.parse().map_err(|e| wrong(what, e))
}

fn script(what: &str, text: &str) -> Result<Hash28, GenesisError> {
    text.parse().map_err(|e| wrong(what, e))
}

fn output(what: &str, text: &str) -> Result<OutputReference, GenesisError> {
    let shape = || wrong(what, "an output is written transaction#index");
    let (id, index) = text.split_once('#').ok_or_else(shape)?;
    Ok(OutputReference {
        transaction_id: hash(what, id)?,
        index: index.parse().map_err(|_| shape())?,
    })
}

impl FileBridge {
    pub(super) fn read(self) -> Result<Settings, GenesisError> {
        let scripts = &self.scripts;
        let assets = self.assets.iter();
        Ok(Settings {
            bridge_id: BridgeId(hash("bridge.bridge_id", &self.bridge_id)?),
            network_magic: self.network_magic,
            seed: output("bridge.seed", &self.seed)?,
            birth: hash("bridge.birth", &self.birth)?,
            scope: Scope {
                genesis: script("bridge.scripts.genesis", &scripts.genesis)?,
                head: script("bridge.scripts.head", &scripts.head)?,
                anchor: script("bridge.scripts.anchor", &scripts.anchor)?,
                vault: script("bridge.scripts.vault", &scripts.vault)?,
                deposit: script("bridge.scripts.deposit", &scripts.deposit)?,
            },
            committee: script("bridge.scripts.committee", &scripts.committee)?,
            shards: self.shards,
            assets: assets
                .map(|text| asset("bridge.assets", text))
                .collect::<Result<_, _>>()?,
            params: self.params,
        })
    }

    pub(super) fn write(settings: &Settings) -> Self {
        let Scope {
            genesis,
            head,
            anchor,
            vault,
            deposit,
        } = settings.scope;
        let OutputReference {
            transaction_id,
            index,
        } = settings.seed;
        let assets = settings.assets.iter();
        FileBridge {
            bridge_id: settings.bridge_id.to_string(),
            network_magic: settings.network_magic,
            seed: format!("{transaction_id}#{index}"),
            birth: settings.birth.to_string(),
            scripts: FileScripts {
                genesis: genesis.to_string(),
                committee: settings.committee.to_string(),
                anchor: anchor.to_string(),
                deposit: deposit.to_string(),
                head: head.to_string(),
                vault: vault.to_string(),
            },
            shards: settings.shards,
            assets: assets.map(|asset| hex::encode(asset.to_bytes())).collect(),
            params: settings.params,
        }
    }
}
