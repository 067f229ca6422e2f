//! Settings of a node: a TOML file, environment variables over it, defaults under it (`sidechain-node/settings`).

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use nupeer_cardano_client::Network;
use nupeer_primitives::{Code, Numbered};
use nupeer_settings::{Fault, settings};

/// What is logged unless the settings say otherwise: the engine's and the network's own lines, some twenty for each block, are for who looks for a
/// fault in them.
const LOG: &str = "info,arc_malachitebft=warn,libp2p=warn";

/// Before a key's name in capitals: the variable that overrides the file.
const VARIABLES: &str = "NUPEER_";

settings! {
    /// What an operator chooses. `NUPEER_` and a key's name in capitals is the variable that overrides the file. Relative paths are relative to the file,
    /// or without one to the working folder.
    NodeConfig {
        data_folder: PathBuf = "data".into(), "Folder of everything the node stores; created where missing.";
        genesis: PathBuf = "genesis.json".into(), "The genesis file (JSON); the same for all nodes of a chain.";
        consensus_key: PathBuf = "keys/consensus.key".into(), "File of the key that votes: 64 hexadecimal digits, mode 0600.";
        bridge_key: PathBuf = "keys/bridge.key".into(), "File of the key that signs anchors for Cardano; same form.";
        network_key: PathBuf = "keys/network.key".into(), "File of the seed of the network identities; same form. It carries no trust.";
        moniker: String = "validator".into(), "This node's name in its logs and metrics.";
        consensus_listen: String = "/ip4/127.0.0.1/tcp/26656".into(), "Where votes and blocks arrive, a TCP multiaddr; port 0: the kernel chooses.";
        consensus_peers: Vec<String> = Vec::new(), "Multiaddrs of the other validators. Name them all: votes are not relayed.";
        gossip_listen: String = "/ip4/127.0.0.1/tcp/26660".into(), "Where transactions arrive from other nodes, a TCP multiaddr; port 0: the kernel chooses.";
        gossip_peers: Vec<String> = Vec::new(), "Multiaddrs of other nodes to exchange transactions with.";
        api_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8420)), "Where the API answers, address:port; port 0: the kernel chooses.";
        cardano_socket: PathBuf = PathBuf::new(), "Unix socket of a Cardano node that you trust (N2C); empty on a chain that follows no Cardano.";
        cardano_network: PathBuf = PathBuf::new(), "That node's network: mainnet, preprod, preview, or the file network.json of a devnet.";
        cardano_from: String = String::new(), "Block after which to follow it, SLOT.HASH; empty: the one that the genesis names, and where it names none, nothing is followed.";
        block_target_ms: u64 = 1_000, "Time from block to block, in ms; all validators should agree on it.";
        state_cache_mib: usize = 64, "Memory for the state tree, in MiB.";
        log: String = LOG.into(), "What is logged, as in RUST_LOG: info, or nupeer_node=debug,warn.";
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

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable { path, reason } => ConfigError::Unreadable { path, reason },
            Fault::Malformed(why) => ConfigError::Malformed(why),
            Fault::Variable {
                variable,
                provided,
                expected,
            } => ConfigError::Variable {
                variable,
                provided,
                expected,
            },
        }
    }
}

impl NodeConfig {
    /// The settings in `file`, if one is given, with those variables over them that `variable` knows.
    pub fn load(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<NodeConfig, ConfigError> {
        let text = file.map(nupeer_settings::read).transpose()?;
        let mut config = Self::parse(&text.unwrap_or_default(), variable)?;
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
        Ok(nupeer_settings::parse(VARIABLES, text, variable)?)
    }

    /// A settings file with all defaults, each key with its documentation and its variable.
    pub fn document() -> String {
        nupeer_settings::document(VARIABLES, SETTINGS, &NodeConfig::default())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_document_says_the_defaults() {
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
