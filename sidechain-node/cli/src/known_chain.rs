//! The chain that a wallet is used on, remembered in a file beside it: a node may name any genesis, and whoever signs for what it names
//! signs for a chain of the node's choice. The first chain is trusted as ssh trusts a host's first key; going over to another takes the
//! user's own word (`--genesis-id`). One chain for one wallet, whatever nodes are asked: an address is no better known than its answer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nupeer_client::ClientError;
use nupeer_primitives::Hash;
use nupeer_runtime::Chain;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Exit, Outcome, file_error},
    kept::{beside, replace},
};

const SCHEMA: u32 = 1;

/// The file's format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    /// The genesis id.
    genesis: String,
}

/// The file beside a wallet's.
fn path(wallet: &Path) -> PathBuf {
    beside(wallet, "known-chain.json")
}

/// As the file was named before: without the wallet's ending, so that `a` and `a.json` shared one. It is read where there is no other, and left as it is.
fn path_before(wallet: &Path) -> PathBuf {
    wallet.with_extension("chain.json")
}

/// Refuses `chain` where the wallet is used on another, unless the user `told` that this one is meant: that it is the one which the node serves was checked
/// before. Remembers nothing.
pub(crate) fn check(wallet: &Path, chain: &Chain, told: Option<Hash>) -> Outcome<()> {
    if told == Some(chain.id) {
        return Ok(());
    }
    known(wallet)?.map_or(Ok(()), |known| same(known, chain))
}

/// As [`check`]; the first chain is remembered, and so is one that the user told.
pub(crate) fn keep(wallet: &Path, chain: &Chain, told: Option<Hash>) -> Outcome<()> {
    check(wallet, chain, told)?;
    let path = path(wallet);
    match read(&path) {
        Ok(Some(known)) if known == chain.id => Ok(()),
        _ => write(&path, chain.id),
    }
}

/// The chain that the wallet is used on, if it was ever used.
fn known(wallet: &Path) -> Outcome<Option<Hash>> {
    match read(&path(wallet))? {
        None => read(&path_before(wallet)),
        known => Ok(known),
    }
}

/// Refuses `chain` if it is not the one with the genesis id `known`.
pub(crate) fn same(known: Hash, chain: &Chain) -> Outcome<()> {
    if known == chain.id {
        return Ok(());
    }
    let (expected, named) = (known, chain.id);
    Err(ClientError::OtherChain { expected, named }.into())
}

fn read(path: &Path) -> Outcome<Option<Hash>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| file_error(path, &error))?,
    };
    let file = serde_json::from_str::<File>(&text).ok();
    let file = file.filter(|file| file.schema == SCHEMA);
    let known = file.and_then(|file| file.genesis.parse().ok());
    known.map(Some).ok_or_else(|| {
        let what = format!("{} does not say which chain is meant", path.display());
        CliError::new(Exit::Key, what).next("--genesis-id HASH   says it, and writes it anew")
    })
}

fn write(path: &Path, genesis: Hash) -> Outcome<()> {
    let (schema, genesis) = (SCHEMA, genesis.to_string());
    let text = serde_json::to_string_pretty(&File { schema, genesis })
        .map_err(|error| CliError::new(Exit::Unexpected, format!("the chain's file: {error}")))?;
    replace(path, text.as_bytes()).map_err(|error| file_error(path, &error))
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{CardanoNetwork, PublicKey, consensus::Validator};
    use nupeer_runtime::genesis::Limits;

    use super::*;

    fn chain(id: u8) -> Chain {
        let validator = Validator {
            public_key: PublicKey([1; 32]),
            power: 1,
        };
        Chain {
            id: Hash([id; 32]),
            name: "test".into(),
            cardano: CardanoNetwork::Testnet,
            follows: None,
            limits: Limits::default(),
            validators: nupeer_primitives::consensus::ValidatorSet::new([validator]).unwrap(),
        }
    }

    #[test]
    fn the_first_chain_is_remembered_and_another_takes_the_users_own_word() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        let code = |done: Outcome<()>| done.err().and_then(|error| error.code);
        let (first, second) = (chain(1), chain(2));
        keep(&wallet, &first, None).unwrap();
        keep(&wallet, &first, None).unwrap();
        let refused = keep(&wallet, &second, None).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("NP6208"));
        for id in [first.id, second.id] {
            assert!(refused.what.contains(&id.to_string()), "{}", refused.what);
        }
        assert!(
            refused
                .next
                .iter()
                .any(|step| step.contains("--genesis-id"))
        );
        keep(&wallet, &second, Some(second.id)).unwrap();
        keep(&wallet, &second, None).unwrap();
        assert_eq!(code(keep(&wallet, &first, None)).as_deref(), Some("NP6208"));
    }

    #[test]
    fn a_look_refuses_the_same_and_remembers_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        let (first, second) = (chain(1), chain(2));
        for chain in [&first, &second] {
            check(&wallet, chain, None).unwrap();
            check(&wallet, chain, Some(chain.id)).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        keep(&wallet, &first, None).unwrap();
        let refused = check(&wallet, &second, None).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("NP6208"));
        check(&wallet, &second, Some(second.id)).unwrap();
        check(&wallet, &first, None).unwrap();
    }

    #[test]
    fn wallets_whose_names_differ_in_their_ending_alone_have_a_chain_each() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = |name: &str| folder.path().join(name);
        keep(&wallet("a"), &chain(1), None).unwrap();
        keep(&wallet("a.json"), &chain(2), None).unwrap();
        keep(&wallet("a.old"), &chain(3), None).unwrap();
        for (name, id) in [("a", 1), ("a.json", 2), ("a.old", 3)] {
            assert_eq!(known(&wallet(name)).unwrap(), Some(chain(id).id), "{name}");
        }
    }

    #[test]
    fn what_was_remembered_under_the_name_of_before_holds_until_the_user_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("a.json");
        write(&folder.path().join("a.chain.json"), chain(1).id).unwrap();
        let refused = keep(&wallet, &chain(2), None).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("NP6208"));
        keep(&wallet, &chain(1), None).unwrap();
        keep(&wallet, &chain(2), Some(chain(2).id)).unwrap();
        assert_eq!(known(&wallet).unwrap(), Some(chain(2).id));
        // The other wallet that had it keeps it.
        let other = folder.path().join("a");
        assert_eq!(known(&other).unwrap(), Some(chain(1).id));
    }

    #[test]
    fn what_does_not_say_a_chain_says_none_until_the_user_does() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        fs::write(path(&wallet), "{}").unwrap();
        assert_eq!(keep(&wallet, &chain(1), None).unwrap_err().exit, Exit::Key);
        keep(&wallet, &chain(1), Some(chain(1).id)).unwrap();
        keep(&wallet, &chain(1), None).unwrap();
    }

    #[test]
    fn the_file_is_as_it_was_written_first() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        keep(&wallet, &chain(1), None).unwrap();
        let expected = format!(
            "{{\n  \"schema\": 1,\n  \"genesis\": \"{}\"\n}}",
            "01".repeat(32)
        );
        assert_eq!(fs::read_to_string(path(&wallet)).unwrap(), expected);
    }
}
