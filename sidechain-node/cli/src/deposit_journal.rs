//! What a wallet has deposited, in a file beside it. Cardano forgets a deposit that a fork took; the wallet must not, or it could not
//! tell the truth about it.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nupeer_cardano_client::{Output, OutputReference, Utxo};
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Exit, Outcome, file_error},
    kept::{beside, replace},
};

const SCHEMA: u32 = 1;

/// A deposit as it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The bridge.
    pub(crate) bridge_id: String,
    /// The transaction.
    pub(crate) tx: String,
    /// Its deposit.
    pub(crate) output: String,
    /// What it spends.
    pub(crate) inputs: Vec<String>,
    /// Those outputs, in hexadecimal CBOR: a node does not tell of them any more once they are spent.
    #[serde(default)]
    pub(crate) spent: Vec<String>,
    /// The signed transaction, in hexadecimal: a node forgets what is in no block when it is started anew.
    #[serde(default)]
    pub(crate) cbor: String,
    /// What it brings.
    pub(crate) lovelace: u64,
    /// Who is credited.
    pub(crate) account: String,
    /// The first slot in which it can be in no block any more.
    pub(crate) valid_until: u64,
    /// The tip's block number when it was first seen in a block, its own or later.
    pub(crate) seen_block: Option<u64>,
    /// The tip when it was first not there and what it spends was spent: whatever spent that is in this block or before it.
    #[serde(default)]
    pub(crate) gone: Option<Gone>,
    /// `k` of its network: credited when so many blocks deep.
    pub(crate) security_parameter: u64,
}

/// A block of Cardano.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    /// Its number.
    pub(crate) block_number: u64,
    /// Its slot.
    pub(crate) slot: u64,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    deposits: Vec<Entry>,
}

/// The file beside a wallet's.
fn path(wallet: &Path) -> PathBuf {
    beside(wallet, "deposited.json")
}

/// As the file was named before: without the wallet's ending, so that `a` and `a.json` shared one. It is read where there is no other, and left as it is.
fn path_before(wallet: &Path) -> PathBuf {
    wallet.with_extension("deposits.json")
}

/// Waits until no other command changes the file, and keeps others from it as long as what is returned lives. The lock has a file of its own: the other
/// one is replaced whenever it changes.
fn alone(wallet: &Path) -> Outcome<fs::File> {
    let path = beside(wallet, "deposited.lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let opened = options.open(&path);
    let locked = opened.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| file_error(&path, &error))
}

/// All deposits of the wallet, the oldest first.
pub(crate) fn read(wallet: &Path) -> Outcome<Vec<Entry>> {
    let mut path = path(wallet);
    if !path.exists() {
        path = path_before(wallet);
    }
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|error| file_error(&path, &error))?,
    };
    let file = serde_json::from_str::<File>(&text).ok();
    let file = file.filter(|file| file.schema == SCHEMA);
    file.map(|file| file.deposits).ok_or_else(|| {
        let what = format!("{} is no list of deposits of this version", path.display());
        CliError::new(Exit::Unexpected, what)
            .next("nupeer wallet funds --deployment FILE   finds the deposits that lie on Cardano without it,")
            .next("                                        once it is moved away; what it alone knows is lost:")
            .next("                                        deposits in no block yet, which are not sent again,")
            .next("                                        and those that were swept, which are balances by now")
    })
}

/// The output behind `reference`, if a deposit of this wallet spent it.
pub(crate) fn spent(wallet: &Path, reference: &OutputReference) -> Outcome<Option<Utxo>> {
    let name = reference.to_string();
    let deposits = read(wallet)?;
    let mut pairs = deposits
        .iter()
        .flat_map(|entry| entry.inputs.iter().zip(&entry.spent));
    let found = pairs.find(|(input, _)| **input == name);
    Ok(found.and_then(|(_, cbor)| {
        let output = Output::from_cbor(&hex::decode(cbor).ok()?).ok()?;
        let reference = *reference;
        Some(Utxo { reference, output })
    }))
}

/// Adds a deposit, or replaces what was written of it.
pub(crate) fn put(wallet: &Path, entry: &Entry) -> Outcome<()> {
    let _alone = alone(wallet)?;
    let mut deposits = read(wallet)?;
    match deposits.iter_mut().find(|known| known.tx == entry.tx) {
        Some(known) => known.clone_from(entry),
        None => deposits.push(entry.clone()),
    }
    write(wallet, deposits)
}

/// Replaces what was written of a deposit; one that was forgotten meanwhile stays so.
pub(crate) fn learn(wallet: &Path, entry: &Entry) -> Outcome<()> {
    let _alone = alone(wallet)?;
    let mut deposits = read(wallet)?;
    match deposits.iter_mut().find(|known| known.tx == entry.tx) {
        Some(known) => known.clone_from(entry),
        None => return Ok(()),
    }
    write(wallet, deposits)
}

/// Forgets a deposit that never left.
pub(crate) fn forget(wallet: &Path, tx: &str) -> Outcome<()> {
    let _alone = alone(wallet)?;
    let mut deposits = read(wallet)?;
    deposits.retain(|known| known.tx != tx);
    write(wallet, deposits)
}

fn write(wallet: &Path, deposits: Vec<Entry>) -> Outcome<()> {
    let (path, schema) = (path(wallet), SCHEMA);
    let text = serde_json::to_string_pretty(&File { schema, deposits })
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    replace(&path, text.as_bytes()).map_err(|error| file_error(&path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tx: &str) -> Entry {
        Entry {
            bridge_id: "b".into(),
            tx: tx.into(),
            output: format!("{tx}#0"),
            inputs: vec!["u#1".into()],
            spent: vec![],
            cbor: "84a0".into(),
            lovelace: 7,
            account: "stake_test1".into(),
            valid_until: 9,
            seen_block: None,
            gone: None,
            security_parameter: 12,
        }
    }

    #[test]
    fn deposits_made_at_once_lose_nothing_of_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        // Each makes deposits of which every second is refused.
        std::thread::scope(|scope| {
            for maker in 0..8 {
                let wallet = &wallet;
                scope.spawn(move || {
                    for number in 0..6 {
                        let entry = entry(&format!("{maker}-{number}"));
                        put(wallet, &entry).unwrap();
                        if number % 2 == 1 {
                            forget(wallet, &entry.tx).unwrap();
                        }
                    }
                });
            }
        });
        let mut kept: Vec<String> = read(&wallet).unwrap().into_iter().map(|e| e.tx).collect();
        kept.sort();
        let all = (0..8).flat_map(|maker| [0, 2, 4].map(|number| format!("{maker}-{number}")));
        assert_eq!(kept, all.collect::<Vec<_>>());
    }

    #[test]
    fn wallets_whose_names_differ_in_their_ending_alone_have_their_own_deposits() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("b"), folder.path().join("b.json"));
        put(&first, &entry("one")).unwrap();
        put(&second, &entry("two")).unwrap();
        assert_eq!(read(&first).unwrap(), [entry("one")]);
        assert_eq!(read(&second).unwrap(), [entry("two")]);
    }

    #[test]
    fn deposits_under_the_name_of_before_are_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("b.json");
        put(&wallet, &entry("old")).unwrap();
        fs::rename(path(&wallet), path_before(&wallet)).unwrap();
        assert_eq!(read(&wallet).unwrap(), [entry("old")]);
        put(&wallet, &entry("new")).unwrap();
        assert_eq!(read(&wallet).unwrap(), [entry("old"), entry("new")]);
    }

    #[test]
    fn what_is_learnt_of_a_forgotten_deposit_does_not_bring_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        let mut seen = entry("t");
        put(&wallet, &seen).unwrap();
        seen.seen_block = Some(3);
        learn(&wallet, &seen).unwrap();
        assert_eq!(read(&wallet).unwrap(), [seen.clone()]);
        forget(&wallet, "t").unwrap();
        learn(&wallet, &seen).unwrap();
        assert_eq!(read(&wallet).unwrap(), []);
    }

    #[test]
    fn a_deposit_is_remembered_once_with_what_was_learnt_last() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = folder.path().join("wallet.json");
        assert_eq!(read(&wallet).unwrap(), []);
        let mut entry = entry("t");
        put(&wallet, &entry).unwrap();
        entry.seen_block = Some(3);
        put(&wallet, &entry).unwrap();
        assert_eq!(read(&wallet).unwrap(), [entry]);
        forget(&wallet, "another").unwrap();
        assert_eq!(read(&wallet).unwrap().len(), 1);
        forget(&wallet, "t").unwrap();
        assert_eq!(read(&wallet).unwrap(), []);
        fs::write(path(&wallet), "{}").unwrap();
        assert_eq!(read(&wallet).unwrap_err().exit, Exit::Unexpected);
    }
}
