//! Where the chain data of others is.

use std::path::PathBuf;

/// A folder of the chain data, which the environment variable `NUPEER_CHAIN_DATA` names (default: beside the workspace).
///
/// Nothing when it is absent, and then says so; under `CI=true` its absence is a failure.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("NUPEER_CHAIN_DATA")
        .map_or_else(|| PathBuf::from("../shared/chain-data"), PathBuf::from);
    let folder = workspace.join(named).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "{} is absent",
        folder.display()
    );
    eprintln!("skipped: {} is absent", folder.display());
    None
}
