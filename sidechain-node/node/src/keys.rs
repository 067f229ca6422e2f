//! A node's three secrets, each in a file of its own that nobody else may read.

use std::{
    fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ed25519_dalek::SigningKey;
use nupeer_primitives::{Code, Numbered, PublicKey, blake2b_256};

use crate::config::NodeConfig;

/// Permissions that let somebody else read or write.
const OTHERS: u32 = 0o077;

/// The secrets of one node.
#[derive(Clone)]
pub struct NodeKeys {
    /// Votes.
    pub consensus: SigningKey,
    /// Signs anchors for Cardano.
    pub bridge: SigningKey,
    /// Seed of the network identities. No trust hangs on it.
    pub network_seed: [u8; 32],
}

/// Why a key file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("key file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Somebody else may read it.
    #[error("key file {} has mode {mode:03o}, which lets others in: chmod 600 it, and if others were in, make another key", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not 32 bytes in hexadecimal.
    #[error("key file {} does not hold 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Numbered for KeyError {
    fn code(&self) -> Code {
        Code(match self {
            KeyError::Unreadable { .. } => 6065,
            KeyError::Exposed { .. } => 6066,
            KeyError::Malformed { .. } => 6067,
        })
    }
}

impl NodeKeys {
    /// Reads the three files that `config` names.
    pub fn read(config: &NodeConfig) -> Result<NodeKeys, KeyError> {
        Ok(NodeKeys {
            consensus: SigningKey::from_bytes(&read(&config.consensus_key)?),
            bridge: SigningKey::from_bytes(&read(&config.bridge_key)?),
            network_seed: read(&config.network_key)?,
        })
    }

    /// The key that verifies this node's votes.
    pub fn consensus_public(&self) -> PublicKey {
        PublicKey(self.consensus.verifying_key().to_bytes())
    }

    /// The key that verifies this node's anchor signatures.
    pub fn bridge_public(&self) -> PublicKey {
        PublicKey(self.bridge.verifying_key().to_bytes())
    }

    /// The seed of the identity under which consensus connects: new at each boot (see `nupeer_consensus::Keys`).
    pub fn consensus_network_seed(&self, boot: u64) -> [u8; 32] {
        blake2b_256(&[
            b"nupeer/consensus-network-key/1",
            &self.network_seed,
            &boot.to_be_bytes(),
        ])
        .0
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKeys({})", self.consensus_public().hash())
    }
}

/// The 32 bytes in a key file.
///
/// # Errors
/// As [`KeyError`].
pub fn read(path: &Path) -> Result<[u8; 32], KeyError> {
    let unreadable = |e: std::io::Error| KeyError::Unreadable {
        path: path.into(),
        reason: e.to_string(),
    };
    let mode = std::fs::metadata(path)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Exposed {
            path: path.into(),
            mode,
        });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mut secret = [0; 32];
    let decoded = hex::decode_to_slice(text.trim_end(), &mut secret);
    decoded
        .map(|()| secret)
        .map_err(|_| KeyError::Malformed { path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_key_is_64_digits_that_nobody_else_may_read() {
        let digits = "0f".repeat(32);
        let (_folder, path) = file(&format!("{digits}\n"), 0o600);
        assert_eq!(read(&path), Ok([0x0f; 32]));
        let (_folder, path) = file(&digits, 0o640);
        assert_eq!(read(&path), Err(KeyError::Exposed { path, mode: 0o640 }));
        for wrong in [&digits[1..], &digits[2..], "", &format!("{digits}00")] {
            let (_folder, path) = file(wrong, 0o600);
            assert_eq!(read(&path), Err(KeyError::Malformed { path }));
        }
        let missing = read(Path::new("/nowhere/a.key")).unwrap_err();
        assert!(matches!(missing, KeyError::Unreadable { .. }));
    }

    #[test]
    fn secrets_do_not_show_in_logs() {
        let keys = NodeKeys {
            consensus: SigningKey::from_bytes(&[7; 32]),
            bridge: SigningKey::from_bytes(&[8; 32]),
            network_seed: [9; 32],
        };
        let shown = format!("{keys:?}");
        assert!(
            !shown.contains(&hex::encode([7; 32])) && !shown.contains("7, 7"),
            "{shown}"
        );
    }
}
