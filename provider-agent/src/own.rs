//! The machine that this agent speaks for, and where it told the chain that it answers: kept on disk, so that the word of another agent with the
//! same operator key is told from its own. Two that take turns would run every lease twice and send tenants from one to the other.

use std::path::Path;

use nupeer_lease::MachineId;
use nupeer_primitives::{Height, PublicKey};

use crate::chain::ChainError;
use crate::error::AgentError;
use crate::files;
use crate::records::{RecordError, write};

/// The file of the data folder: operator key and machine in hexadecimal, the height, then the addresses, a line each.
const FILE: &str = "machine";

/// What the agent told the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// Of which machine.
    pub(crate) machine: MachineId,
    /// At which height the chain showed it: a state before that knows less.
    pub(crate) height: Height,
    /// Where it answers: as the chain has it by this agent's word, and as it is being told, if that is another address. The last is the newest.
    pub(crate) endpoints: Vec<String>,
}

/// What was told by the operator key `operator`; `None` before it told anything.
///
/// # Errors
/// The file cannot be read, or is not what was written: whoever takes it for nothing takes the machine from another agent.
pub(crate) fn kept(folder: &Path, operator: &PublicKey) -> Result<Option<Own>, RecordError> {
    let path = folder.join(FILE);
    let read = files::read(&path);
    let Some(bytes) = read.map_err(|source| RecordError::Io {
        path: path.clone(),
        source,
    })?
    else {
        return Ok(None);
    };
    let Some((key, own)) = parse(&bytes) else {
        let reason = "a key, a machine, a height and addresses are expected, a line each".into();
        return Err(RecordError::Damaged { path, reason });
    };
    // Another key's machine is another machine.
    Ok((key == operator.to_string()).then_some(own))
}

fn parse(bytes: &[u8]) -> Option<(String, Own)> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let key = lines.next()?.to_owned();
    let own = Own {
        machine: MachineId(lines.next()?.parse().ok()?),
        height: Height(lines.next()?.parse().ok()?),
        endpoints: lines.map(str::to_owned).collect(),
    };
    (!own.endpoints.is_empty()).then_some((key, own))
}

/// Keeps what is told by the operator key `operator`.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(folder: &Path, operator: &PublicKey, own: &Own) -> Result<(), RecordError> {
    let (machine, height) = (&own.machine, own.height);
    let endpoints = own.endpoints.join("\n");
    let text = format!("{operator}\n{machine}\n{height}\n{endpoints}\n");
    write(folder, FILE, text.as_bytes())
}

impl Own {
    /// Makes sure that what was shown of the machine is not from before this agent knew it.
    ///
    /// # Errors
    /// [`ChainError::Behind`].
    pub(crate) fn not_behind(&self, provided: Height) -> Result<(), ChainError> {
        let seen = self.height;
        match provided < seen {
            true => Err(ChainError::Behind { provided, seen }),
            false => Ok(()),
        }
    }

    /// Makes sure that the address which the chain has of the machine is this agent's word.
    ///
    /// # Errors
    /// [`AgentError::OtherAgent`].
    pub(crate) fn is_ours(&self, endpoint: &str) -> Result<(), AgentError> {
        if self.endpoints.iter().any(|own| own == endpoint) {
            return Ok(());
        }
        Err(AgentError::OtherAgent {
            machine: self.machine,
            endpoint: endpoint.to_owned(),
            own: self.endpoints.last().cloned().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nupeer_primitives::{Hash, Numbered};

    use super::*;

    const OPERATOR: PublicKey = PublicKey([5; 32]);

    fn own() -> Own {
        Own {
            machine: MachineId(Hash([7; 32])),
            height: Height(42),
            endpoints: vec!["http://here:1".into(), "http://there".into()],
        }
    }

    #[test]
    fn what_is_kept_is_read_back_by_the_same_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |operator| kept(folder.path(), &operator).unwrap();
        assert_eq!(kept(OPERATOR), None);
        keep(folder.path(), &OPERATOR, &own()).unwrap();
        assert_eq!(kept(OPERATOR), Some(own()));
        assert_eq!(kept(PublicKey([6; 32])), None);
    }

    #[test]
    fn the_file_is_pinned() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), &OPERATOR, &own()).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        let (key, machine) = ("05".repeat(32), "07".repeat(32));
        let expected = format!("{key}\n{machine}\n42\nhttp://here:1\nhttp://there\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_was_never_written_there_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (key, machine) = ("05".repeat(32), "07".repeat(32));
        for damaged in [
            String::new(),
            key.clone(),
            format!("{key}\n{machine}\n42\n"),
            format!("{key}\n{machine}\nhttp://here\n"),
            format!("{key}\n{}\n42\nhttp://here\n", &machine[..60]),
            "\u{fffd}".to_owned(),
        ] {
            fs::write(folder.path().join(FILE), &damaged).unwrap();
            let refused = kept(folder.path(), &OPERATOR).unwrap_err();
            assert_eq!(refused.code().to_string(), "NP8063", "{damaged:?}");
        }
    }
}
