//! A relayer's settings: one TOML file.

use std::path::{Path, PathBuf};

use nupeer_cardano_client::Network;
use serde::{Deserialize, Serialize};

use crate::RelayError;

/// Everything that a relayer needs to know. Paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayerConfig {
    /// Nodes of the sidechain, asked in turn.
    pub api_urls: Vec<String>,
    /// Unix socket of a Cardano node.
    pub cardano_socket: PathBuf,
    /// Its network: mainnet, preprod, preview, or a network file.
    pub cardano_network: PathBuf,
    /// The bridge, as `nupeer deploy` wrote it.
    pub deployment: PathBuf,
    /// The wallet that signs and pays fees.
    pub wallet: PathBuf,
    /// Time between rounds.
    #[serde(default = "poll_ms")]
    pub poll_ms: u64,
    /// What is logged, as in RUST_LOG.
    #[serde(default = "log")]
    pub log: String,
}

fn poll_ms() -> u64 {
    1000
}

fn log() -> String {
    "info".into()
}

impl RelayerConfig {
    /// Reads the file and makes its paths absolute or relative to here.
    pub fn load(path: &Path) -> Result<Self, RelayError> {
        let refused = |reason: String| RelayError::Config {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| refused(e.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|e| refused(e.to_string()))?;
        if config.api_urls.is_empty() || config.poll_ms == 0 {
            return Err(refused("api_urls is empty, or poll_ms is zero".into()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let named = config.cardano_network.to_str().map(Network::by_name);
        if !matches!(named, Some(Ok(_))) {
            config.cardano_network = folder.join(&config.cardano_network);
        }
        for place in [
            &mut config.cardano_socket,
            &mut config.deployment,
            &mut config.wallet,
        ] {
            *place = folder.join(&place);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Code, Numbered};

    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_and_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relayer.toml");
        let good = r#"
            api_urls = ["http://127.0.0.1:8420"]
            cardano_socket = "/run/node.socket"
            cardano_network = "preprod"
            deployment = "deployment.json"
            wallet = "wallet.json"
        "#;
        std::fs::write(&path, good).unwrap();
        let config = RelayerConfig::load(&path).unwrap();
        assert_eq!(config.deployment, folder.path().join("deployment.json"));
        assert_eq!(config.cardano_socket, Path::new("/run/node.socket"));
        assert_eq!(config.cardano_network, Path::new("preprod"));
        assert_eq!(config.poll_ms, 1000);
        for bad in [
            format!("{good}\npoll = 3"),
            format!("{good}\npoll_ms = 0"),
            String::new(),
        ] {
            std::fs::write(&path, bad).unwrap();
            let refused = RelayerConfig::load(&path).unwrap_err();
            assert_eq!(refused.code(), Code(7540));
        }
    }
}
