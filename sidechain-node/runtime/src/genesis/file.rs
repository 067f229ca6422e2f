//! The genesis as a JSON file that people write and compare: hexadecimal keys, bech32 accounts, amounts as strings of base
//! units. Unknown keys are refused, so that a misspelt one is noticed.

use nupeer_ledger::Params;
use nupeer_primitives::{AccountId, Amount, AssetId, CardanoNetwork, PublicKey, TimeMs};
use serde::{Deserialize, Serialize};

use super::{
    CardanoSettings, Credit, Genesis, GenesisError, GenesisValidator, Limits, bridge::FileBridge,
    market::FileMarket,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    cardano_network: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cardano: Option<FileCardano>,
    start_unix_ms: u64,
    validators: Vec<FileValidator>,
    #[serde(default, with = "FileLimits")]
    limits: Limits,
    #[serde(default, with = "FileFees")]
    fees: Params,
    #[serde(default, with = "FileMarket")]
    market: nupeer_lease::Params,
    #[serde(default)]
    credits: Vec<FileCredit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bridge: Option<FileBridge>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCardano {
    magic: u32,
    security_parameter: u32,
    from: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileValidator {
    consensus_key: String,
    bridge_key: String,
    power: u64,
}

/// Sizes as the file has them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields, default = "Limits::default")]
struct FileLimits {
    block_bytes_max: u32,
    transaction_bytes_max: u32,
}

/// Fees as the file has them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Params", deny_unknown_fields, default = "Params::default")]
struct FileFees {
    #[serde(rename = "base_lovelace")]
    fee_base_lovelace: u64,
    #[serde(rename = "byte_lovelace")]
    fee_byte_lovelace: u64,
    #[serde(rename = "weight_lovelace")]
    fee_weight_lovelace: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCredit {
    account: String,
    /// Empty or absent for ADA, else hex of policy and name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    asset: String,
    amount: String,
}

pub(super) fn wrong(what: &str, why: impl std::fmt::Display) -> GenesisError {
    GenesisError::File(format!("{what}: {why}"))
}

fn key(what: &str, text: &str) -> Result<PublicKey, GenesisError> {
    let bytes = hex::decode(text).map_err(|e| wrong(what, e))?;
    bytes
        .try_into()
        .map(PublicKey)
        .map_err(|_| wrong(what, "a public key has 64 hexadecimal digits"))
}

/// An asset: empty for ADA, else hexadecimal of policy and name.
pub(super) fn asset(what: &str, text: &str) -> Result<AssetId, GenesisError> {
    let bytes = hex::decode(text).map_err(|e| wrong(what, e))?;
    AssetId::from_bytes(&bytes).ok_or_else(|| wrong(what, "neither ADA nor policy and name"))
}

/// An amount in base units.
pub(super) fn amount(what: &str, text: &str) -> Result<Amount, GenesisError> {
    text.parse().map(Amount::new).map_err(|e| wrong(what, e))
}

impl Genesis {
    /// The genesis that a JSON text describes.
    pub fn from_json(text: &str) -> Result<Genesis, GenesisError> {
        let file: File =
            serde_json::from_str(text).map_err(|e| GenesisError::File(e.to_string()))?;
        let network = match file.cardano_network.as_str() {
            "testnet" => CardanoNetwork::Testnet,
            "mainnet" => CardanoNetwork::Mainnet,
            other => {
                return Err(wrong(
                    "cardano_network",
                    format!("{other:?} is neither testnet nor mainnet"),
                ));
            }
        };
        Ok(Genesis {
            name: file.name,
            cardano_network: network.id(),
            cardano: file.cardano.map(FileCardano::read).transpose()?,
            start: TimeMs(file.start_unix_ms),
            validators: file
                .validators
                .iter()
                .map(FileValidator::read)
                .collect::<Result<_, _>>()?,
            limits: file.limits,
            params: file.fees,
            credits: file
                .credits
                .iter()
                .map(|c| c.read(network))
                .collect::<Result<_, _>>()?,
            lease: file.market,
            bridge: file.bridge.map(FileBridge::read).transpose()?,
        })
    }

    /// The JSON text that describes this genesis, for people to read and compare.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        let cardano = self.chain()?.cardano;
        let file = File {
            name: self.name.clone(),
            cardano_network: cardano.to_string(),
            cardano: self.cardano.as_ref().map(FileCardano::write),
            start_unix_ms: self.start.0,
            validators: self.validators.iter().map(FileValidator::write).collect(),
            limits: self.limits,
            fees: self.params,
            market: self.lease.clone(),
            credits: self
                .credits
                .iter()
                .map(|c| FileCredit::write(c, cardano))
                .collect(),
            bridge: self.bridge.as_ref().map(FileBridge::write),
        };
        serde_json::to_string_pretty(&file).map_err(|e| GenesisError::File(e.to_string()))
    }
}

impl FileCardano {
    fn read(self) -> Result<CardanoSettings, GenesisError> {
        let from = self.from.parse().map_err(|e| wrong("cardano.from", e))?;
        Ok(CardanoSettings {
            magic: self.magic,
            security_parameter: self.security_parameter,
            from,
        })
    }

    fn write(settings: &CardanoSettings) -> Self {
        let CardanoSettings {
            magic,
            security_parameter,
            from,
        } = *settings;
        FileCardano {
            magic,
            security_parameter,
            from: from.to_string(),
        }
    }
}

impl FileValidator {
    fn read(&self) -> Result<GenesisValidator, GenesisError> {
        Ok(GenesisValidator {
            consensus_key: key("consensus_key", &self.consensus_key)?,
            bridge_key: key("bridge_key", &self.bridge_key)?,
            power: self.power,
        })
    }

    fn write(validator: &GenesisValidator) -> Self {
        FileValidator {
            consensus_key: validator.consensus_key.to_string(),
            bridge_key: validator.bridge_key.to_string(),
            power: validator.power,
        }
    }
}

impl FileCredit {
    fn read(&self, network: CardanoNetwork) -> Result<Credit, GenesisError> {
        Ok(Credit {
            account: AccountId::parse(&self.account, network).map_err(|e| wrong("account", e))?,
            asset: asset("asset", &self.asset)?,
            amount: amount("amount", &self.amount)?,
        })
    }

    fn write(credit: &Credit, network: CardanoNetwork) -> Self {
        FileCredit {
            account: credit.account.to_bech32(network),
            asset: hex::encode(credit.asset.to_bytes()),
            amount: credit.amount.to_string(),
        }
    }
}
