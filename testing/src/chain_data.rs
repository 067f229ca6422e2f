//! Real chain data that others made: a folder beside the workspace, none of it our own.

use std::{
    env,
    path::{Path, PathBuf},
};

use minicbor::Decoder;

/// The variable that names the folder, relative to the workspace's root.
pub const VARIABLE: &str = "NUPEER_CHAIN_DATA";
const DEFAULT: &str = "../shared/chain-data";

/// A folder of the chain data.
///
/// # Panics
/// Where it is absent. Tests that need it stand in modules called `needs_chain_data`, which `scripts/test.sh` leaves out then, so that they count as skipped.
pub fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = env::var_os(VARIABLE).map_or_else(|| DEFAULT.into(), PathBuf::from);
    found(root.join(data).join(name))
}

/// The files of a folder that end so, in the order of their names.
///
/// # Panics
/// Where the folder cannot be read.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) => panic!("{}: {error}", folder.display()),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

/// The blocks of a real preprod node's immutable database, as far as there are chunks of it, one after another as they were made; each `[era, block]`.
///
/// # Panics
/// Where it is damaged or absent.
pub fn immutable_blocks() -> Vec<Vec<u8>> {
    let folder = folder("immutable");
    let mut blocks = Vec::new();
    for path in files(&folder, "chunk") {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let mut d = Decoder::new(&bytes);
        while d.position() < bytes.len() {
            let start = d.position();
            let skipped = d.skip();
            assert!(skipped.is_ok(), "{} at {start}", path.display());
            blocks.push(bytes[start..d.position()].to_vec());
        }
    }
    assert!(!blocks.is_empty(), "no chunk in {}", folder.display());
    blocks
}

fn found(path: PathBuf) -> PathBuf {
    assert!(
        path.is_dir(),
        "no chain data at {}; set {VARIABLE}, or leave needs_chain_data:: out as scripts/test.sh does",
        path.display()
    );
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "no chain data at /nonexistent; set NUPEER_CHAIN_DATA"]
    fn what_is_absent_fails_a_test_that_needs_it() {
        found("/nonexistent".into());
    }

    #[test]
    fn files_come_in_the_order_of_their_names() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let names: Vec<_> = files(&sources, "rs")
            .iter()
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        assert_eq!(
            names,
            [
                "chain_data",
                "child",
                "failpoints",
                "immutable",
                "lib",
                "npm",
                "plutus"
            ]
        );
        assert_eq!(files(&sources, "toml"), Vec::<PathBuf>::new());
    }
}
