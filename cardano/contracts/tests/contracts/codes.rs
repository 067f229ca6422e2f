//! Every rule has a code of its own, and a test that dies of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{anchor, birth, misuse, pay, shard, sweep};

/// Codes that no transaction can reach, and why they stand there.
const UNREACHABLE: [(&str, &str); 1] = [(
    "X02",
    "the ledger runs a spending script with its own input present",
)];

/// The Aiken sources, by path.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["lib/nupeer", "validators/bridge"].map(|folder| root.join(folder));
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ak"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a source")))
        .collect()
}

/// Codes with what they say.
fn rules() -> BTreeMap<String, BTreeSet<String>> {
    let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, text) in sources() {
        for part in text.split("fail @\"").skip(1) {
            let (message, _) = part.split_once('"').expect("a closed text");
            let (code, says) = message.split_once(' ').expect("a code and words");
            rules
                .entry(code.to_owned())
                .or_default()
                .insert(says.to_owned());
        }
    }
    rules
}

fn attacked() -> BTreeSet<String> {
    let tables = [
        anchor::ATTACKS,
        birth::ATTACKS,
        misuse::ATTACKS,
        pay::ATTACKS,
        shard::ATTACKS,
        sweep::ATTACKS,
    ];
    let attacks = tables.into_iter().flatten();
    attacks
        .flat_map(|attack| attack.codes.iter().map(|code| (*code).to_owned()))
        .collect()
}

#[test]
fn every_rule_has_an_attack_that_dies_of_it() {
    let unreachable = UNREACHABLE.iter().map(|(code, _)| (*code).to_owned());
    let covered: BTreeSet<String> = attacked().into_iter().chain(unreachable).collect();
    let stated: BTreeSet<String> = rules().into_keys().collect();
    assert_eq!(stated, covered);
}

#[test]
fn a_code_means_one_thing() {
    let double: Vec<_> = rules()
        .into_iter()
        .filter(|(_, says)| says.len() != 1)
        .collect();
    assert_eq!(double, vec![]);
}

#[test]
fn every_failure_has_a_code() {
    let bare: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("fail\n") || text.contains("fail }"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(bare, Vec::<PathBuf>::new());
}
