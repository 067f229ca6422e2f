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

/// Encrypts `phrase` into a new file under a password that is not empty; an existing file is never overwritten, and then no password is asked for.
pub(crate) fn create(
    file: &WalletFile,
    phrase: &Phrase,
    network: CardanoNetwork,
) -> Outcome<Wallet> {
    kept::not_there(&file.wallet)?;
    let password = new_password(file, variable(), asked)?;
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
    let words = Zeroizing::new(words.map_err(|_| not_opened(file))?);
    let words = std::str::from_utf8(&words).map_err(|_| damaged(&file.wallet))?;
    let phrase = Phrase::parse(words).map_err(|_| damaged(&file.wallet))?;
    Ok(Wallet::new(&phrase, "", network(&content, &file.wallet)?))
}

/// A password that is not this wallet's, and where it is from: nobody sees one that was not typed.
fn not_opened(file: &WalletFile) -> CliError {
    let from = match (&file.password_file, variable()) {
        (Some(path), _) => format!("the password in {}", path.display()),
        (None, Some(_)) => "the password in NUPEER_WALLET_PASSWORD".to_owned(),
        (None, None) => "the password".to_owned(),
    };
    let what = format!("{from} does not open {}", file.wallet.display());
    CliError::new(Exit::Key, what)
        .next("--wallet FILE           names another wallet, --password-file FILE another password")
        .next("nupeer wallet restore   makes the wallet anew from its words, under a new password")
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

/// The password of a wallet that there is.
fn password(file: &WalletFile) -> Outcome<Zeroizing<String>> {
    given(file, variable())?.map_or_else(|| asked("wallet password: "), Ok)
}

/// The password of a wallet that is being made. Nobody could say later what was typed once and wrong, so a terminal is asked twice; and it says something,
/// wherever it is from.
fn new_password(
    file: &WalletFile,
    variable: Option<Zeroizing<String>>,
    ask: impl Fn(&str) -> Outcome<Zeroizing<String>>,
) -> Outcome<Zeroizing<String>> {
    if let Some(password) = given(file, variable)? {
        return not_empty(password);
    }
    let password = not_empty(ask("password of the new wallet: ")?)?;
    if ask("the same once more: ")? == password {
        return Ok(password);
    }
    let what = "the two passwords differ; no wallet was made";
    Err(CliError::new(Exit::Key, what).next("begin again, and type the same twice"))
}

fn not_empty(password: Zeroizing<String>) -> Outcome<Zeroizing<String>> {
    if !password.is_empty() {
        return Ok(password);
    }
    let what = "the password is empty: whoever has the file would have the wallet; none was made";
    Err(CliError::new(Exit::Key, what).next(
        "write one on the first line of --password-file, set NUPEER_WALLET_PASSWORD to one, or type one",
    ))
}

/// What the file says that is named, else `variable`.
fn given(
    file: &WalletFile,
    variable: Option<Zeroizing<String>>,
) -> Outcome<Option<Zeroizing<String>>> {
    let Some(path) = &file.password_file else {
        return Ok(variable);
    };
    let next =
        "chmod 600 it; if others were in, make a wallet under another password and move there";
    let text = kept::read_secret(path, next)?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Some(Zeroizing::new(line.to_owned())))
}

fn variable() -> Option<Zeroizing<String>> {
    let variable = std::env::var("NUPEER_WALLET_PASSWORD").ok();
    variable.map(Zeroizing::new)
}

fn asked(prompt: &str) -> Outcome<Zeroizing<String>> {
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
    typed.map_err(|_| {
        let what = "the wallet needs its password and there is no terminal to ask at";
        CliError::new(Exit::Key, what).next("--password-file FILE, or NUPEER_WALLET_PASSWORD")
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

    /// A wallet's file in `folder`; its password on the first line of a file where `password` is something.
    fn file(folder: &Path, password: Option<&str>) -> WalletFile {
        let password_file = password.map(|text| {
            let path = folder.join("password");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        });
        WalletFile {
            wallet: folder.join("wallet.json"),
            password_file,
        }
    }

    /// A terminal at which these words are typed, one after the other.
    fn typing(words: &[&str]) -> impl Fn(&str) -> Outcome<Zeroizing<String>> {
        let words: Vec<String> = words.iter().rev().map(|&word| word.to_owned()).collect();
        let left = std::cell::RefCell::new(words);
        move |_| Ok(Zeroizing::new(left.borrow_mut().pop().unwrap()))
    }

    #[test]
    fn a_new_wallets_password_is_typed_twice_and_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), None);
        let made = |words: &[&str]| new_password(&file, None, typing(words));
        assert_eq!(*made(&["a password", "a password"]).unwrap(), "a password");
        for other in ["a passwort", "", "a password "] {
            let refused = made(&["a password", other]).unwrap_err();
            assert_eq!(refused.exit, Exit::Key);
            assert_eq!(refused.what, "the two passwords differ; no wallet was made");
        }
    }

    #[test]
    fn a_new_wallets_password_is_not_empty_wherever_it_is_from() {
        let folder = tempfile::tempdir().unwrap();
        let of = |file: &WalletFile, variable: Option<&str>, words: &[&str]| {
            let variable = variable.map(|text| Zeroizing::new(text.to_owned()));
            new_password(file, variable, typing(words))
        };
        let none = file(folder.path(), None);
        for empty in [
            of(&none, None, &[""]),
            of(&none, Some(""), &[]),
            of(&file(folder.path(), Some("")), None, &[]),
            of(
                &file(folder.path(), Some("\nsecond line\n")),
                Some("x"),
                &[],
            ),
        ] {
            let refused = empty.unwrap_err();
            assert_eq!(refused.exit, Exit::Key);
            assert!(refused.what.starts_with("the password is empty"));
        }
        assert_eq!(*of(&none, Some("by name"), &[]).unwrap(), "by name");
        let named = file(folder.path(), Some("in a file\n"));
        assert_eq!(*of(&named, Some("by name"), &[]).unwrap(), "in a file");
    }

    #[test]
    fn a_password_that_does_not_open_is_told_with_where_it_is_from() {
        let folder = tempfile::tempdir().unwrap();
        let right = file(folder.path(), Some("right"));
        let phrase = Phrase::generate().unwrap();
        create(&right, &phrase, CardanoNetwork::Testnet).unwrap();
        assert!(open(&right).is_ok());
        let wrong = file(folder.path(), Some("wrong"));
        let refused = open(&wrong).err().unwrap();
        assert_eq!(refused.exit, Exit::Key);
        for part in ["password does not open", "wallet.json"] {
            assert!(refused.what.contains(part), "{}", refused.what);
        }
        assert!(refused.next.iter().any(|step| step.contains("restore")));
    }

    #[test]
    fn a_wallet_whose_password_was_empty_before_is_opened_still() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(*password(&file(folder.path(), Some("\n"))).unwrap(), "");
    }

    #[test]
    fn where_there_is_a_wallet_no_password_is_asked_for_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), Some(""));
        fs::write(&file.wallet, "another").unwrap();
        let phrase = Phrase::generate().unwrap();
        let refused = create(&file, &phrase, CardanoNetwork::Testnet);
        assert_eq!(refused.err().unwrap().exit, Exit::Refused);
        assert_eq!(fs::read_to_string(&file.wallet).unwrap(), "another");
    }

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
