//! Settings of a node: a TOML file, environment variables over it, defaults under it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use nupeer_cardano_client::Network;
use nupeer_primitives::{Code, Numbered};
use serde::{Deserialize, Serialize};

/// What an operator chooses. Each key has a default; `NUPEER_` and its name in capitals is the variable that overrides the
/// file. Relative paths are relative to the file, or without one to the working folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// See [`SETTINGS`], as for all of them.
    pub data_folder: PathBuf,
    #[allow(missing_docs)]
    pub genesis: PathBuf,
    #[allow(missing_docs)]
    pub consensus_key: PathBuf,
    #[allow(missing_docs)]
    pub bridge_key: PathBuf,
    #[allow(missing_docs)]
    pub network_key: PathBuf,
    #[allow(missing_docs)]
    pub moniker: String,
    #[allow(missing_docs)]
    pub consensus_listen: String,
    #[allow(missing_docs)]
    pub consensus_peers: Vec<String>,
    #[allow(missing_docs)]
    pub gossip_listen: String,
    #[allow(missing_docs)]
    pub gossip_peers: Vec<String>,
    #[allow(missing_docs)]
    pub api_listen: SocketAddr,
    #[allow(missing_docs)]
    pub cardano_socket: PathBuf,
    #[allow(missing_docs)]
    pub cardano_network: PathBuf,
    #[allow(missing_docs)]
    pub block_target_ms: u64,
    #[allow(missing_docs)]
    pub state_cache_mib: usize,
    #[allow(missing_docs)]
    pub log: String,
}

/// Every key with a line of documentation, in the order in which [`NodeConfig::document`] prints them.
pub const SETTINGS: [(&str, &str); 16] = [
    (
        "data_folder",
        "Folder of everything the node stores; created where missing.",
    ),
    (
        "genesis",
        "The genesis file (JSON); the same for all nodes of a chain.",
    ),
    (
        "consensus_key",
        "File of the key that votes: 64 hexadecimal digits, mode 0600.",
    ),
    (
        "bridge_key",
        "File of the key that signs anchors for Cardano; same form.",
    ),
    (
        "network_key",
        "File of the seed of the network identities; same form. It carries no trust.",
    ),
    ("moniker", "This node's name in its logs and metrics."),
    (
        "consensus_listen",
        "Where votes and blocks arrive, a TCP multiaddr; port 0: the kernel chooses.",
    ),
    (
        "consensus_peers",
        "Multiaddrs of the other validators. Name them all: votes are not relayed.",
    ),
    (
        "gossip_listen",
        "Where transactions arrive from other nodes, a TCP multiaddr; port 0: the kernel chooses.",
    ),
    (
        "gossip_peers",
        "Multiaddrs of other nodes to exchange transactions with.",
    ),
    (
        "api_listen",
        "Where the API answers, address:port; port 0: the kernel chooses.",
    ),
    (
        "cardano_socket",
        "Unix socket of a Cardano node that you trust (N2C); empty on a chain that follows no Cardano.",
    ),
    (
        "cardano_network",
        "That node's network: mainnet, preprod, preview, or the file network.json of a devnet.",
    ),
    (
        "block_target_ms",
        "Time from block to block, in ms; all validators should agree on it.",
    ),
    ("state_cache_mib", "Memory for the state tree, in MiB."),
    (
        "log",
        "What is logged, as in RUST_LOG: info, or nupeer_node=debug,warn.",
    ),
];

/// What is logged unless the settings say otherwise: the engine's and the network's own lines, some twenty for each block, are for who looks for a
/// fault in them.
const LOG: &str = "info,arc_malachitebft=warn,libp2p=warn";

impl Default for NodeConfig {
    fn default() -> Self {
        NodeConfig {
            data_folder: "data".into(),
            genesis: "genesis.json".into(),
            consensus_key: "keys/consensus.key".into(),
            bridge_key: "keys/bridge.key".into(),
            network_key: "keys/network.key".into(),
            moniker: "validator".into(),
            consensus_listen: "/ip4/127.0.0.1/tcp/26656".into(),
            consensus_peers: Vec::new(),
            gossip_listen: "/ip4/127.0.0.1/tcp/26660".into(),
            gossip_peers: Vec::new(),
            api_listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            cardano_socket: PathBuf::new(),
            cardano_network: PathBuf::new(),
            block_target_ms: 1_000,
            state_cache_mib: 64,
            log: LOG.into(),
        }
    }
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not TOML, an unknown key, or a value of another kind.
    #[error("settings: {0}")]
    Malformed(String),
    /// An environment variable's value is of another kind.
    #[error("{variable} is {provided:?}: {expected}")]
    Variable {
        /// Its name.
        variable: String,
        /// Its value.
        provided: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl Numbered for ConfigError {
    fn code(&self) -> Code {
        Code(match self {
            ConfigError::Unreadable { .. } => 6060,
            ConfigError::Malformed(_) => 6061,
            ConfigError::Variable { .. } => 6062,
        })
    }
}

impl NodeConfig {
    /// The settings in `file`, if one is given, with those variables over them that `variable` knows.
    pub fn load(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<NodeConfig, ConfigError> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|e| ConfigError::Unreadable {
                path: path.into(),
                reason: e.to_string(),
            })?,
        };
        let mut config = Self::parse(&text, variable)?;
        if let Some(folder) = file.and_then(Path::parent) {
            config
                .paths()
                .into_iter()
                .for_each(|path| *path = folder.join(&*path));
        }
        Ok(config)
    }

    /// As [`NodeConfig::load`], from a text; paths stay as they are.
    pub fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<NodeConfig, ConfigError> {
        let malformed = |e: &dyn std::fmt::Display| ConfigError::Malformed(e.to_string());
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| malformed(&e))?;
        let defaults = toml::Table::try_from(NodeConfig::default()).map_err(|e| malformed(&e))?;
        for (key, default) in &defaults {
            let name = format!("NUPEER_{}", key.to_uppercase());
            if let Some(text) = variable(&name) {
                table.insert(key.clone(), of_kind(default, &name, text)?);
            }
        }
        table.try_into().map_err(|e: toml::de::Error| malformed(&e))
    }

    /// A settings file with all defaults, each key with its documentation and its variable.
    pub fn document() -> String {
        let defaults = toml::Table::try_from(NodeConfig::default()).unwrap_or_default();
        let line = |(key, doc): &(&str, &str)| {
            let default = defaults
                .get(*key)
                .map(ToString::to_string)
                .unwrap_or_default();
            format!(
                "# {doc}\n# NUPEER_{}\n{key} = {default}\n",
                key.to_uppercase()
            )
        };
        SETTINGS.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What is relative to the file: every path that is set, unless it is a network's name.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let all = [
            &mut self.data_folder,
            &mut self.genesis,
            &mut self.consensus_key,
            &mut self.bridge_key,
            &mut self.network_key,
            &mut self.cardano_socket,
            &mut self.cardano_network,
        ];
        let named = |path: &Path| {
            path.to_str()
                .is_some_and(|name| Network::by_name(name).is_ok())
        };
        let is_path = |path: &&mut PathBuf| !path.as_os_str().is_empty() && !named(path);
        all.into_iter().filter(is_path).collect()
    }
}

/// A variable's text as a value of the same kind as the default. Lists are separated by commas.
fn of_kind(
    default: &toml::Value,
    variable: &str,
    text: String,
) -> Result<toml::Value, ConfigError> {
    match default {
        toml::Value::Integer(_) => match text.parse() {
            Ok(number) => Ok(toml::Value::Integer(number)),
            Err(_) => Err(ConfigError::Variable {
                variable: variable.into(),
                provided: text,
                expected: "a whole number is expected",
            }),
        },
        toml::Value::Array(_) => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(toml::Value::Array(parts.map(|part| part.into()).collect()))
        }
        _ => Ok(toml::Value::String(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn every_key_is_documented_and_the_document_says_the_defaults() {
        let defaults = toml::Table::try_from(NodeConfig::default()).unwrap();
        let mut documented: Vec<&str> = SETTINGS.iter().map(|(key, _)| *key).collect();
        documented.sort_unstable();
        let mut keys: Vec<&str> = defaults.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(documented, keys);
        assert_eq!(
            NodeConfig::parse(&NodeConfig::document(), none),
            Ok(NodeConfig::default())
        );
    }

    #[test]
    fn variables_override_the_file_and_the_file_the_defaults() {
        let variable = |name: &str| match name {
            "NUPEER_BLOCK_TARGET_MS" => Some("50".to_owned()),
            "NUPEER_GOSSIP_PEERS" => Some("/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2".to_owned()),
            _ => None,
        };
        let file = "block_target_ms = 70\nmoniker = \"ada\"";
        let config = NodeConfig::parse(file, variable).unwrap();
        assert_eq!(
            (config.block_target_ms, config.moniker.as_str()),
            (50, "ada")
        );
        assert_eq!(
            config.gossip_peers,
            ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"]
        );
        assert_eq!(config.log, LOG);
    }

    #[test]
    fn a_misspelt_key_and_a_word_for_a_number_are_refused() {
        let refused = NodeConfig::parse("block_target = 70", none).unwrap_err();
        assert!(matches!(&refused, ConfigError::Malformed(why) if why.contains("block_target")));
        let word = |name: &str| (name == "NUPEER_STATE_CACHE_MIB").then(|| "much".to_owned());
        let refused = NodeConfig::parse("", word).unwrap_err();
        let (variable, provided) = ("NUPEER_STATE_CACHE_MIB".into(), "much".into());
        let expected = "a whole number is expected";
        assert_eq!(
            refused,
            ConfigError::Variable {
                variable,
                provided,
                expected
            }
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        std::fs::write(&file, "genesis = \"/etc/chain.json\"").unwrap();
        let config = NodeConfig::load(Some(&file), none).unwrap();
        assert_eq!(config.data_folder, folder.path().join("data"));
        assert_eq!(config.genesis, Path::new("/etc/chain.json"));
        assert_eq!(config.cardano_socket, Path::new(""));
    }

    #[test]
    fn a_networks_name_is_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        for (written, read) in [
            ("preprod", "preprod".into()),
            ("network.json", folder.path().join("network.json")),
        ] {
            std::fs::write(&file, format!("cardano_network = {written:?}")).unwrap();
            let config = NodeConfig::load(Some(&file), none).unwrap();
            assert_eq!(config.cardano_network, read);
        }
    }
}
