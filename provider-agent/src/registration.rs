//! A machine's registration on its way: kept on disk before a node has it, so that an agent which is killed meanwhile sends the same transaction
//! again. A second one would register the machine twice, with two bonds.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use nupeer_primitives::Hash;

use crate::chain::SignedAction;
use crate::error::AgentError;
use crate::records::write;

/// The file of the data folder.
const FILE: &str = "registration";
const ID_BYTES: usize = 32;

/// What was signed before, if it is still kept.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn kept(folder: &Path) -> Result<Option<SignedAction>, AgentError> {
    match fs::read(folder.join(FILE)) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AgentError::io("reading the registration on its way")(error)),
    }
}

/// The transaction's id ‖ the transaction. It is written whole or not at all, so anything else is not ours.
fn parse(bytes: &[u8]) -> Option<SignedAction> {
    let (id, cbor) = bytes.split_at_checked(ID_BYTES)?;
    let id = Hash(id.try_into().ok()?);
    Some(SignedAction {
        id,
        cbor: cbor.to_vec(),
    })
}

/// Keeps what was signed.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(folder: &Path, signed: &SignedAction) -> Result<(), AgentError> {
    let bytes = [&signed.id.0[..], &signed.cbor].concat();
    Ok(write(folder, FILE, &bytes)?)
}

/// Forgets it: the chain shows the machine, or took the transaction for no good.
///
/// # Errors
/// The file cannot be removed.
pub(crate) fn forget(folder: &Path) -> Result<(), AgentError> {
    match fs::remove_file(folder.join(FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(AgentError::io("forgetting a registration")(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let signed = SignedAction {
            id: Hash([7; 32]),
            cbor: vec![1, 2, 3],
        };
        assert_eq!(kept(folder.path()).unwrap(), None);
        keep(folder.path(), &signed).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), Some(signed));
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), None);
    }

    #[test]
    fn what_is_too_short_for_an_id_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), [0; 31]).unwrap();
        assert_eq!(kept(folder.path()).unwrap(), None);
    }
}
