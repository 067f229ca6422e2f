//! A network's figures in a file: what `nupeer devnet up` leaves beside its sockets, and what anybody can write for
//! a network that has no name here.

use std::path::{Path, PathBuf};

use nupeer_primitives::{CardanoNetwork, Code, Numbered, Slot, TimeMs};
use serde::{Deserialize, Serialize};

use super::{Network, UnknownNetwork};
use crate::parameters::Rational;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// `network.json`. What a devnet always has may be left out: a name, no Byron era, f = 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// How people call it.
    #[serde(default = "devnet")]
    pub name: String,
    /// The number that both sides of a handshake agree on.
    pub magic: u64,
    /// Whether its addresses are mainnet's.
    #[serde(default)]
    pub mainnet_addresses: bool,
    /// When slot 0 began, in milliseconds since 1970.
    pub system_start_ms: u64,
    /// The first slot of Shelley; 0 without a Byron era.
    #[serde(default)]
    pub shelley_start_slot: u64,
    /// Length of a slot.
    pub slot_length_ms: u64,
    /// `k`, in blocks.
    pub security_parameter: u64,
    /// Slots in an epoch.
    pub epoch_slots: u64,
    /// `f`: numerator and denominator.
    #[serde(default = "each_slot")]
    pub active_slot_coefficient: (u64, u64),
}

fn devnet() -> String {
    "devnet".into()
}

fn each_slot() -> (u64, u64) {
    (1, 1)
}

/// Why no network could be read.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// Neither a name nor a file.
    #[error(
        "{provided} is neither mainnet, preprod or preview nor a network file; `nupeer devnet up --data DIR` writes DIR/network.json"
    )]
    Neither {
        /// What was given.
        provided: String,
    },
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// Not a network file.
    #[error("{} is no network file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Numbered for NetworkFileError {
    fn code(&self) -> Code {
        Code(match self {
            NetworkFileError::Neither { .. } => 7030,
            NetworkFileError::Io { .. } => 7031,
            NetworkFileError::Malformed { .. } => 7032,
        })
    }
}

impl From<&Network> for NetworkFile {
    fn from(network: &Network) -> Self {
        let Rational {
            numerator,
            denominator,
        } = network.active_slot_coefficient;
        NetworkFile {
            name: network.name.clone(),
            magic: network.magic,
            mainnet_addresses: network.kind == CardanoNetwork::Mainnet,
            system_start_ms: network.system_start_ms.0,
            shelley_start_slot: network.shelley_start_slot.0,
            slot_length_ms: network.slot_length_ms,
            security_parameter: network.security_parameter_blocks,
            epoch_slots: network.epoch_length_slots,
            active_slot_coefficient: (numerator, denominator),
        }
    }
}

impl NetworkFile {
    /// The network, unless a figure is zero that divides.
    fn network(self) -> Result<Network, String> {
        let (numerator, denominator) = self.active_slot_coefficient;
        for (field, figure) in [
            ("slot_length_ms", self.slot_length_ms),
            ("security_parameter", self.security_parameter),
            ("epoch_slots", self.epoch_slots),
            ("active_slot_coefficient", numerator),
            ("active_slot_coefficient", denominator),
        ] {
            if figure == 0 {
                return Err(format!("{field} is zero"));
            }
        }
        Ok(Network {
            name: self.name,
            magic: self.magic,
            kind: if self.mainnet_addresses {
                CardanoNetwork::Mainnet
            } else {
                CardanoNetwork::Testnet
            },
            system_start_ms: TimeMs(self.system_start_ms),
            shelley_start_slot: Slot(self.shelley_start_slot),
            slot_length_ms: self.slot_length_ms,
            epoch_length_slots: self.epoch_slots,
            security_parameter_blocks: self.security_parameter,
            active_slot_coefficient: Rational::new(numerator, denominator),
        })
    }
}

impl Network {
    /// The network whose figures are in the file.
    pub fn from_file(path: &Path) -> Result<Self, NetworkFileError> {
        let malformed = |reason: String| NetworkFileError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let text = read(path).map_err(|error| NetworkFileError::Io {
            path: path.to_owned(),
            error,
        })?;
        let file: NetworkFile =
            serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
        file.network().map_err(malformed)
    }

    /// A public network by its name, else the file of that name.
    pub fn named_or_file(text: &str) -> Result<Self, NetworkFileError> {
        match Network::by_name(text) {
            Ok(network) => Ok(network),
            Err(UnknownNetwork { provided }) if !Path::new(text).exists() => {
                Err(NetworkFileError::Neither { provided })
            }
            Err(_) => Network::from_file(Path::new(text)),
        }
    }

    /// The figures as [`Network::from_file`] reads them.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&NetworkFile::from(self)).unwrap_or_default()
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.json");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn every_network_reads_back_from_its_file() {
        let devnet = Network::devnet(TimeMs(1_750_000_000_000), 1000, 12, 120);
        for network in [
            Network::mainnet(),
            Network::preprod(),
            Network::preview(),
            devnet,
        ] {
            let (_folder, path) = file(&network.to_json());
            assert_eq!(Network::from_file(&path).unwrap(), network);
        }
    }

    #[test]
    fn a_devnets_five_figures_are_enough() {
        let text = r#"{"magic": 42, "system_start_ms": 7, "slot_length_ms": 1000, "security_parameter": 12, "epoch_slots": 120}"#;
        let (_folder, path) = file(text);
        let read = Network::named_or_file(path.to_str().unwrap()).unwrap();
        assert_eq!(read, Network::devnet(TimeMs(7), 1000, 12, 120));
    }

    #[test]
    fn names_come_before_files_and_neither_is_refused_by_name() {
        assert_eq!(
            Network::named_or_file("preprod").unwrap(),
            Network::preprod()
        );
        let refused = Network::named_or_file("no/such/file").unwrap_err();
        assert_eq!(refused.code(), Code(7030));
    }

    #[test]
    fn figures_that_would_divide_by_zero_are_refused() {
        let text = r#"{"magic": 42, "system_start_ms": 7, "slot_length_ms": 1000, "security_parameter": 12, "epoch_slots": 0}"#;
        let (_folder, path) = file(text);
        let refused = Network::from_file(&path).unwrap_err();
        assert!(refused.to_string().ends_with("epoch_slots is zero"));
    }
}
