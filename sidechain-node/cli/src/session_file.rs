//! A session key on disk: for whom it acts, and its secret in the clear, readable by its owner alone. What a thief could do with it is
//! bounded by what it was granted.

use std::path::Path;

use ed25519_dalek::SigningKey;
use nupeer_primitives::{AccountId, CardanoNetwork, Hash, PublicKey};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    error::{CliError, Exit, Outcome},
    kept,
};

/// The file's format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    network: String,
    account: String,
    /// Genesis id of the chain on which it was granted something.
    genesis: String,
    /// Erased when dropped, below.
    secret_key: String,
}

impl Drop for File {
    fn drop(&mut self) {
        self.secret_key.zeroize();
    }
}

const SCHEMA: u32 = 2;

/// A key that acts for an account.
pub(crate) struct Session {
    pub(crate) account: AccountId,
    pub(crate) network: CardanoNetwork,
    /// The chain that it is for.
    pub(crate) genesis: Hash,
    pub(crate) key: SigningKey,
}

/// Makes a key for `account` on the chain `genesis` in a new file; an existing one is never overwritten.
pub(crate) fn create(
    path: &Path,
    account: AccountId,
    network: CardanoNetwork,
    genesis: Hash,
) -> Outcome<PublicKey> {
    let key = SigningKey::generate(&mut OsRng);
    let public = public_key(&key);
    let content = File {
        schema: SCHEMA,
        network: network.to_string(),
        account: account.to_bech32(network),
        genesis: genesis.to_string(),
        secret_key: hex::encode(key.to_bytes()),
    };
    let text = serde_json::to_string_pretty(&content).map_err(|error| {
        let what = format!("the session key could not be written: {error}");
        CliError::new(Exit::Unexpected, what)
    })?;
    kept::create(path, &Zeroizing::new(text))?;
    Ok(public)
}

/// The public half of a key that nobody has, in place of one that is not made.
pub(crate) fn thrown_away() -> PublicKey {
    public_key(&SigningKey::generate(&mut OsRng))
}

fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Reads a session key, which nobody else may have been able to.
pub(crate) fn read(path: &Path) -> Outcome<Session> {
    let next = "nupeer tx revoke, and make another key; chmod 600 if nobody was in";
    let text = kept::read_secret(path, next).map_err(|error| match error.exit {
        Exit::NotFound => error.next("nupeer wallet session new   makes one"),
        _ => error,
    })?;
    parse(&text).ok_or_else(|| {
        let what = format!("{} is no session key of this version", path.display());
        CliError::new(Exit::Key, what).next("nupeer wallet session new   makes one")
    })
}

fn parse(text: &str) -> Option<Session> {
    let file: File = serde_json::from_str(text).ok()?;
    let network = match file.network.as_str() {
        "testnet" => CardanoNetwork::Testnet,
        "mainnet" => CardanoNetwork::Mainnet,
        _ => return None,
    };
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(&file.secret_key, secret.as_mut()).ok()?;
    (file.schema == SCHEMA).then_some(())?;
    Some(Session {
        account: AccountId::parse(&file.account, network).ok()?,
        network,
        genesis: file.genesis.parse().ok()?,
        key: SigningKey::from_bytes(&secret),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use nupeer_primitives::Hash28;

    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        let account = AccountId::of_key(Hash28([3; 28]));
        let make = || create(&path, account, CardanoNetwork::Testnet, Hash([5; 32]));
        let public = make().unwrap();
        let read_back = read(&path).unwrap();
        assert_eq!(
            (read_back.account, read_back.genesis),
            (account, Hash([5; 32]))
        );
        assert_eq!(read_back.key.verifying_key().to_bytes(), public.0);
        let again = make().unwrap_err();
        assert_eq!(again.exit, Exit::Refused);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).err().unwrap().exit, Exit::Key);
    }

    #[test]
    fn what_is_no_session_key_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"schema":2,"network":"testnet","account":"x","secret_key":"00"}"#,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
