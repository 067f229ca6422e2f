//! A machine's registration on its way: kept on disk before a node has it, so that an agent which is killed meanwhile sends the same transaction
//! again. A second one would register the machine twice, with two bonds.

use std::path::Path;

use nupeer_primitives::{Hash, PublicKey};

use crate::chain::SignedAction;
use crate::error::AgentError;
use crate::files;
use crate::records::write;

/// The file of the data folder.
const FILE: &str = "registration";
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 32;

/// What was signed before by the operator key `operator`, if it is still kept. Another key's registration is of another machine.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn kept(
    folder: &Path,
    operator: &PublicKey,
) -> Result<Option<SignedAction>, AgentError> {
    let read = files::read(&folder.join(FILE));
    let bytes = read.map_err(AgentError::io("reading the registration on its way"))?;
    Ok(bytes.and_then(|bytes| parse(&bytes, operator)))
}

/// The operator key ‖ the transaction's id ‖ the transaction. It is written whole or not at all, so anything else is not ours.
fn parse(bytes: &[u8], operator: &PublicKey) -> Option<SignedAction> {
    let (key, signed) = bytes.split_at_checked(KEY_BYTES)?;
    let (id, cbor) = signed.split_at_checked(ID_BYTES)?;
    if key != operator.0 {
        return None;
    }
    let id = Hash(id.try_into().ok()?);
    Some(SignedAction {
        id,
        cbor: cbor.to_vec(),
    })
}

/// Keeps what the operator key `operator` signed.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(
    folder: &Path,
    operator: &PublicKey,
    signed: &SignedAction,
) -> Result<(), AgentError> {
    let bytes = [&operator.0[..], &signed.id.0[..], &signed.cbor].concat();
    Ok(write(folder, FILE, &bytes)?)
}

/// Forgets it: the chain shows the machine, or took the transaction for no good.
///
/// # Errors
/// The file cannot be removed.
pub(crate) fn forget(folder: &Path) -> Result<(), AgentError> {
    files::remove(&folder.join(FILE)).map_err(AgentError::io("forgetting a registration"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nupeer_primitives::Numbered;

    use super::*;

    const OPERATOR: PublicKey = PublicKey([5; 32]);

    fn signed() -> SignedAction {
        SignedAction {
            id: Hash([7; 32]),
            cbor: vec![1, 2, 3],
        }
    }

    #[test]
    fn what_is_kept_is_read_back_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let kept = || kept(folder.path(), &OPERATOR).unwrap();
        assert_eq!(kept(), None);
        keep(folder.path(), &OPERATOR, &signed()).unwrap();
        assert_eq!(kept(), Some(signed()));
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(kept(), None);
    }

    #[test]
    fn the_file_is_pinned_and_another_keys_registration_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), &OPERATOR, &signed()).unwrap();
        let bytes = fs::read(folder.path().join(FILE)).unwrap();
        assert_eq!(bytes, [&[5; 32][..], &[7; 32], &[1, 2, 3]].concat());
        let other = PublicKey([6; 32]);
        assert_eq!(kept(folder.path(), &other).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_or_removed_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FILE)).unwrap();
        let codes = [
            kept(folder.path(), &OPERATOR).unwrap_err().code(),
            forget(folder.path()).unwrap_err().code(),
        ];
        assert_eq!(codes.map(|code| code.to_string()), ["NP8009", "NP8009"]);
    }

    #[test]
    fn what_is_too_short_for_a_key_and_an_id_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for length in [31, 63] {
            fs::write(folder.path().join(FILE), vec![5; length]).unwrap();
            assert_eq!(kept(folder.path(), &OPERATOR).unwrap(), None);
        }
    }
}
