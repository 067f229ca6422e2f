//! A wallet on disk: the words, encrypted under a password (Argon2id and XChaCha20-Poly1305), readable by its owner alone.

use std::{fs, path::Path};

use argon2::Argon2;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use nupeer_cardano_client::wallet::{Phrase, Wallet};
use nupeer_primitives::CardanoNetwork;
use rand::{RngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    args::WalletFile,
    error::{CliError, Exit, Outcome, file_error},
    kept,
};

/// The file's format.
#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    network: String,
    /// The account, so that it can be looked at without the password.
    account: String,
    salt: String,
    nonce: String,
    words: String,
}

const SCHEMA: u32 = 1;

/// Encrypts `phrase` into a new file; an existing one is never overwritten.
pub(crate) fn create(
    file: &WalletFile,
    phrase: &Phrase,
    network: CardanoNetwork,
) -> Outcome<Wallet> {
    let password = password(file)?;
    let wallet = Wallet::new(phrase, "", network);
    let (mut salt, mut nonce) = ([0u8; 16], [0u8; 24]);
    OsRng.fill_bytes(&mut salt);
    OsRng.fill_bytes(&mut nonce);
    let words = Zeroizing::new(phrase.words());
    let sealed = cipher(&password, &salt)?
        .encrypt(XNonce::from_slice(&nonce), words.as_bytes())
        .map_err(|_| CliError::new(Exit::Unexpected, "the words could not be encrypted"))?;
    let content = File {
        schema: SCHEMA,
        network: network.to_string(),
        account: wallet.account().to_bech32(network),
        salt: hex::encode(salt),
        nonce: hex::encode(nonce),
        words: hex::encode(sealed),
    };
    let text = serde_json::to_string_pretty(&content).map_err(|error| {
        CliError::new(
            Exit::Unexpected,
            format!("the wallet could not be written: {error}"),
        )
    })?;
    kept::create(&file.wallet, &text)?;
    Ok(wallet)
}

/// Opens the wallet with its password.
pub(crate) fn open(file: &WalletFile) -> Outcome<Wallet> {
    let content = read(&file.wallet)?;
    let password = password(file)?;
    let part = |text: &str| hex::decode(text).map_err(|_| damaged(&file.wallet));
    let (salt, nonce, sealed) = (
        part(&content.salt)?,
        part(&content.nonce)?,
        part(&content.words)?,
    );
    if nonce.len() != 24 {
        return Err(damaged(&file.wallet));
    }
    let words = cipher(&password, &salt)?.decrypt(XNonce::from_slice(&nonce), sealed.as_slice());
    let words = Zeroizing::new(
        words.map_err(|_| CliError::new(Exit::Key, "the password does not open this wallet"))?,
    );
    let words = std::str::from_utf8(&words).map_err(|_| damaged(&file.wallet))?;
    let phrase = Phrase::parse(words).map_err(|_| damaged(&file.wallet))?;
    Ok(Wallet::new(&phrase, "", network(&content, &file.wallet)?))
}

/// The account and network, which need no password.
pub(crate) fn account(path: &Path) -> Outcome<(String, CardanoNetwork)> {
    let content = read(path)?;
    let network = network(&content, path)?;
    Ok((content.account, network))
}

fn network(content: &File, path: &Path) -> Outcome<CardanoNetwork> {
    match content.network.as_str() {
        "testnet" => Ok(CardanoNetwork::Testnet),
        "mainnet" => Ok(CardanoNetwork::Mainnet),
        _ => Err(damaged(path)),
    }
}

fn read(path: &Path) -> Outcome<File> {
    let text = fs::read_to_string(path).map_err(|error| {
        file_error(path, &error)
            .next("nupeer wallet new       makes a wallet")
            .next("--wallet FILE           names another")
    })?;
    serde_json::from_str(&text)
        .ok()
        .filter(|file: &File| file.schema == SCHEMA)
        .ok_or_else(|| damaged(path))
}

fn damaged(path: &Path) -> CliError {
    CliError::new(
        Exit::Key,
        format!("{} is no wallet file of this version", path.display()),
    )
    .next("nupeer wallet restore   makes it anew from its words")
}

fn password(file: &WalletFile) -> Outcome<Zeroizing<String>> {
    if let Some(path) = &file.password_file {
        let next =
            "chmod 600 it; if others were in, make a wallet under another password and move there";
        let text = kept::read_secret(path, next)?;
        return Ok(Zeroizing::new(
            text.lines().next().unwrap_or_default().to_owned(),
        ));
    }
    std::env::var("NUPEER_WALLET_PASSWORD")
        .map(Zeroizing::new)
        .or_else(|_| {
            rpassword::prompt_password("wallet password: ")
                .map(Zeroizing::new)
                .map_err(|_| {
                    CliError::new(
                        Exit::Key,
                        "the wallet needs its password and there is no terminal to ask at",
                    )
                    .next("--password-file FILE, or NUPEER_WALLET_PASSWORD")
                })
        })
}

fn cipher(password: &str, salt: &[u8]) -> Outcome<XChaCha20Poly1305> {
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::default()
        .hash_password_into(password.as_bytes(), salt, key.as_mut())
        .map_err(|error| {
            CliError::new(Exit::Key, format!("the password cannot be used: {error}"))
        })?;
    Ok(XChaCha20Poly1305::new(key.as_slice().into()))
}

/// Writes a file that did not exist, for its owner's eyes.
pub(crate) use kept::create as write_new;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_read_from_a_file_of_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "a password\nanother line\n").unwrap();
        let file = WalletFile {
            wallet: folder.path().join("wallet.json"),
            password_file: Some(path.clone()),
        };
        let read = |mode: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            password(&file)
        };
        for mode in [0o600, 0o400] {
            assert_eq!(*read(mode).unwrap(), "a password");
        }
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let refused = read(mode).unwrap_err();
            assert_eq!(refused.exit, Exit::Key);
            assert!(
                refused.what.contains(&format!("mode {mode:o}")),
                "{refused:?}"
            );
        }
    }
}
