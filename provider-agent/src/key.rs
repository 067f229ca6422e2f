//! The operator key: it speaks for the machine, so that the owner's wallet stays offline. It signs transactions within what the owner
//! granted it, offers, and usage notes.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer, SigningKey};
use nupeer_primitives::{Code, Hash, Numbered, PublicKey, Signature};
use rand::rngs::OsRng;

/// Permissions that let somebody else read or write.
const OTHERS: u32 = 0o077;

/// The operator key, in memory.
#[derive(Clone)]
pub struct OperatorKey(SigningKey);

/// Why a key file is refused. The numbers are NP8004 to NP8006.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
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
            KeyError::Io { .. } => 8004,
            KeyError::Exposed { .. } => 8005,
            KeyError::Malformed { .. } => 8006,
        })
    }
}

impl OperatorKey {
    /// The key in the file `path`.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            path: path.into(),
            source,
        };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Exposed {
                path: path.into(),
                mode,
            });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut secret = [0; 32];
        hex::decode_to_slice(text.trim(), &mut secret)
            .map_err(|_| KeyError::Malformed { path: path.into() })?;
        Ok(OperatorKey(SigningKey::from_bytes(&secret)))
    }

    /// A new key, written to the file `path`, which must not exist.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let key = SigningKey::generate(&mut OsRng);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| {
                file.write_all(hex::encode(key.to_bytes()).as_bytes())?;
                file.sync_all()
            });
        written.map_err(|source| KeyError::Io {
            path: path.into(),
            source,
        })?;
        Ok(OperatorKey(key))
    }

    /// A key that is not kept anywhere.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        OperatorKey(SigningKey::from_bytes(secret))
    }

    /// The secret itself, for whoever signs transactions with it.
    pub fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a hash that is tagged with what it is of.
    pub fn sign(&self, hash: &Hash) -> Signature {
        Signature(self.0.sign(&hash.0).to_bytes())
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey({})", self.public().hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_read_again_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        let made = OperatorKey::make(&path).unwrap();
        assert_eq!(OperatorKey::read(&path).unwrap().public(), made.public());
        assert!(matches!(OperatorKey::make(&path), Err(KeyError::Io { .. })));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        OperatorKey::make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = OperatorKey::read(&path);
        assert!(matches!(
            refused,
            Err(KeyError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        OperatorKey::make(&path).unwrap();
        fs::write(&path, "secret").unwrap();
        let refused = OperatorKey::read(&path);
        assert!(matches!(refused, Err(KeyError::Malformed { .. })));
    }
}
