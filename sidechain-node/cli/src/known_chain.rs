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
    kept::replace,
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
    wallet.with_extension("chain.json")
}

/// Refuses `chain` where the wallet is used on another. The first one is remembered, and so is one that the user `told`: that it is the
/// one which the node serves was checked before.
pub(crate) fn check(wallet: &Path, chain: &Chain, told: Option<Hash>) -> Outcome<()> {
    let path = path(wallet);
    match read(&path) {
        Ok(Some(known)) if known == chain.id => Ok(()),
        Ok(Some(known)) if told != Some(chain.id) => same(known, chain),
        Err(error) if told != Some(chain.id) => Err(error),
        _ => write(&path, chain.id),
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
        check(&wallet, &first, None).unwrap();
        check(&wallet, &first, None).unwrap();
        let refused = check(&wallet, &second, None).unwrap_err();
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
        check(&wallet, &second, Some(second.id)).unwrap();
        check(&wallet, &second, None).unwrap();
        assert_eq!(
            code(check(&wallet, &first, None)).as_deref(),
            Some("NP6208")
        );
    }

    #[test]
    fn what_does_not_say_a_chain_says_none_until_the_user_does() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        fs::write(path(&wallet), "{}").unwrap();
        assert_eq!(check(&wallet, &chain(1), None).unwrap_err().exit, Exit::Key);
        check(&wallet, &chain(1), Some(chain(1).id)).unwrap();
        check(&wallet, &chain(1), None).unwrap();
    }

    #[test]
    fn the_file_is_as_it_was_written_first() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        check(&wallet, &chain(1), None).unwrap();
        let expected = format!(
            "{{\n  \"schema\": 1,\n  \"genesis\": \"{}\"\n}}",
            "01".repeat(32)
        );
        assert_eq!(fs::read_to_string(path(&wallet)).unwrap(), expected);
    }
}
