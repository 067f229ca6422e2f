//! The chain that a data folder belongs to: the settings name it, or the first node did. A node may name any genesis; whoever listens to one that
//! names another chain runs what that chain says, and signs for it.

use std::path::Path;

use nupeer_primitives::Hash;

use crate::chain::ChainError;
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::files;
use crate::records::{RecordError, write};

/// The file of the data folder: the genesis id in hexadecimal.
const FILE: &str = "chain";

/// The chain that is meant; `None` before the first node named one.
///
/// # Errors
/// The file is not what was written, or the settings name another chain than the one that the folder belongs to.
pub(crate) fn meant(config: &AgentConfig) -> Result<Option<Hash>, AgentError> {
    // Of any other form it was refused with the settings.
    let told = config.genesis_id.parse().ok();
    match (kept(&config.data_folder)?, told) {
        (Some(expected), Some(named)) if expected != named => {
            Err(ChainError::OtherChain { expected, named }.into())
        }
        (kept, told) => Ok(kept.or(told)),
    }
}

/// Remembers the chain; a folder that belongs to another one is refused.
///
/// # Errors
/// As [`meant`]; the disk failed.
pub(crate) fn remember(folder: &Path, named: Hash) -> Result<(), AgentError> {
    match kept(folder)? {
        Some(expected) if expected != named => {
            Err(ChainError::OtherChain { expected, named }.into())
        }
        Some(_) => Ok(()),
        None => Ok(write(folder, FILE, named.to_string().as_bytes())?),
    }
}

fn kept(folder: &Path) -> Result<Option<Hash>, RecordError> {
    let path = folder.join(FILE);
    let Some(bytes) = files::read(&path).map_err(|source| RecordError::Io {
        path: path.clone(),
        source,
    })?
    else {
        return Ok(None);
    };
    let id = String::from_utf8(bytes).ok();
    let id = id.and_then(|digits| digits.parse().ok());
    id.map(Some).ok_or_else(|| RecordError::Damaged {
        path,
        reason: "64 hexadecimal digits are expected".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nupeer_primitives::Numbered;

    use super::*;

    const MINE: Hash = Hash([1; 32]);
    const OTHER: Hash = Hash([2; 32]);

    #[test]
    fn a_folder_belongs_to_the_first_chain_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let config = |genesis_id: String| AgentConfig {
            data_folder: folder.path().into(),
            genesis_id,
            ..AgentConfig::default()
        };
        let code = |refused: AgentError| refused.code().to_string();
        assert_eq!(meant(&config(String::new())).unwrap(), None);
        assert_eq!(meant(&config(MINE.to_string())).unwrap(), Some(MINE));
        remember(folder.path(), MINE).unwrap();
        remember(folder.path(), MINE).unwrap();
        assert_eq!(meant(&config(String::new())).unwrap(), Some(MINE));
        assert_eq!(code(remember(folder.path(), OTHER).unwrap_err()), "NP8075");
        assert_eq!(
            code(meant(&config(OTHER.to_string())).unwrap_err()),
            "NP8075"
        );
        for damaged in [&b"mine"[..], b"\xff", b""] {
            fs::write(folder.path().join(FILE), damaged).unwrap();
            assert_eq!(code(meant(&config(String::new())).unwrap_err()), "NP8063");
        }
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::create_dir(folder.path().join(FILE)).unwrap();
        assert_eq!(code(meant(&config(String::new())).unwrap_err()), "NP8062");
    }
}
