//! What a tenant keeps of a lease: what is to run in it, which the chain knows by digest alone, and the last usage note that was
//! signed, so that none that says less is ever signed after it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nupeer_client::ClientError;
use nupeer_lease::{LeaseId, SignedUsage};
use nupeer_paas::ContainerSpec;
use nupeer_primitives::Hash;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Exit, Outcome, file_error},
    kept::replace,
};

const SCHEMA: u32 = 2;

/// The file's format.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    lease: String,
    /// Genesis id of the lease's chain.
    genesis: String,
    /// Canonical CBOR in hexadecimal.
    #[serde(default)]
    manifest_cbor: Option<String>,
    /// Canonical CBOR in hexadecimal.
    #[serde(default)]
    signed_cbor: Option<String>,
}

/// What is kept of one lease.
pub(crate) struct LeaseFile {
    path: PathBuf,
    lease: LeaseId,
    chain: Hash,
    pub(crate) manifest: Option<ContainerSpec>,
    pub(crate) signed: Option<SignedUsage>,
    /// For how much of that this process has told the agent, in ms.
    pub(crate) told_ms: u64,
}

impl LeaseFile {
    /// What is kept of `lease` in `folder`; nothing, if there is no file. One of another chain than `chain` is refused.
    pub(crate) fn open(folder: &Path, lease: LeaseId, chain: Hash) -> Outcome<Self> {
        let path = folder.join(format!("{lease}.json"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(LeaseFile {
                    path,
                    lease,
                    chain,
                    manifest: None,
                    signed: None,
                    told_ms: 0,
                });
            }
            Err(error) => return Err(file_error(&path, &error)),
        };
        let (expected, manifest, signed) = parse(&text, &lease).ok_or_else(|| {
            let what = format!("{} is no lease's file of this version", path.display());
            CliError::new(Exit::Unexpected, what)
                .next("--leases DIR   names another folder")
                .next("move it away otherwise: lease attend and close go on without it, with the agent's next note;")
                .next("               lease upload needs what was ordered, which stands nowhere else")
        })?;
        if expected != chain {
            let named = chain;
            let error = CliError::from(ClientError::OtherChain { expected, named });
            // It is of that chain for ever: no word of the user's makes it another's.
            return Err(CliError {
                next: vec![
                    format!("--api-url URL   asks a node of the chain {expected}"),
                    "--leases DIR    names the folder of this chain's leases".to_owned(),
                ],
                ..error
            });
        }
        Ok(LeaseFile {
            path,
            lease,
            chain,
            manifest,
            signed,
            told_ms: 0,
        })
    }

    /// What was signed for, in ms.
    pub(crate) fn signed_ms(&self) -> u64 {
        self.signed.as_ref().map_or(0, |note| note.usage.metered_ms)
    }

    /// Writes it to disk: whole, or as it was before.
    pub(crate) fn save(&self) -> Outcome<()> {
        let content = File {
            schema: SCHEMA,
            lease: self.lease.to_string(),
            genesis: self.chain.to_string(),
            manifest_cbor: self.manifest.as_ref().map(|m| hex::encode(m.to_bytes())),
            signed_cbor: self.signed.as_ref().map(|s| hex::encode(s.to_bytes())),
        };
        let text = serde_json::to_string_pretty(&content).map_err(|error| {
            CliError::new(Exit::Unexpected, format!("the lease's file: {error}"))
        })?;
        let written = replace(&self.path, text.as_bytes());
        written.map_err(|error| file_error(&self.path, &error))
    }
}

type Kept = (Hash, Option<ContainerSpec>, Option<SignedUsage>);

fn parse(text: &str, lease: &LeaseId) -> Option<Kept> {
    let file: File = serde_json::from_str(text).ok()?;
    (file.schema == SCHEMA && file.lease == lease.to_string()).then_some(())?;
    let bytes = |text: Option<String>| text.map(hex::decode).transpose().ok();
    let manifest = bytes(file.manifest_cbor)?;
    let manifest = manifest.map(|bytes| ContainerSpec::from_bytes(&bytes));
    let signed = bytes(file.signed_cbor)?;
    let signed = signed.map(|bytes| SignedUsage::from_bytes(&bytes));
    Some((
        file.genesis.parse().ok()?,
        manifest.transpose().ok()?,
        signed.transpose().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use nupeer_lease::Usage;
    use nupeer_primitives::{PublicKey, Signature};

    use super::*;

    const CHAIN: Hash = Hash([5; 32]);

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, lease) = (folder.path().join("leases"), LeaseId(Hash([7; 32])));
        let mut file = LeaseFile::open(&folder, lease, CHAIN).unwrap();
        assert!(file.manifest.is_none() && file.signed_ms() == 0);
        let usage = Usage {
            lease,
            metered_ms: 5,
            evidence: Hash::ZERO,
        };
        file.signed = Some(SignedUsage {
            usage,
            operator: PublicKey([1; 32]),
            operator_signature: Signature([2; 64]),
            tenant_key: PublicKey([3; 32]),
            tenant_signature: Signature([4; 64]),
        });
        file.manifest = Some(ContainerSpec {
            image: Hash([1; 32]),
            argv: vec!["/bin/true".into()],
            env: vec![],
            cpu_milli: 200,
            memory_bytes: 64 << 20,
            pids: 32,
            port: None,
        });
        file.save().unwrap();
        let again = LeaseFile::open(&folder, lease, CHAIN).unwrap();
        assert_eq!((again.manifest, again.signed), (file.manifest, file.signed));
    }

    #[test]
    fn a_note_is_kept_or_the_one_before_wherever_saving_ends() {
        use crate::kept::tests::{POINTS, dies_at};
        let note = |metered_ms| SignedUsage {
            usage: Usage {
                lease: LeaseId(Hash([7; 32])),
                metered_ms,
                evidence: Hash::ZERO,
            },
            operator: PublicKey([1; 32]),
            operator_signature: Signature([2; 64]),
            tenant_key: PublicKey([3; 32]),
            tenant_signature: Signature([4; 64]),
        };
        for point in POINTS {
            let (folder, lease) = (tempfile::tempdir().unwrap(), LeaseId(Hash([7; 32])));
            let open = || LeaseFile::open(folder.path(), lease, CHAIN).unwrap();
            let mut file = open();
            file.signed = Some(note(5));
            file.save().unwrap();
            file.signed = Some(note(9));
            let died = dies_at(point, || file.save().unwrap());
            let signed_ms = open().signed_ms();
            let is_new = !died || point == "kept-renamed";
            assert_eq!(signed_ms, if is_new { 9 } else { 5 }, "{point}");
        }
    }

    #[test]
    fn a_file_of_another_chain_is_refused() {
        let (folder, lease) = (tempfile::tempdir().unwrap(), LeaseId(Hash([7; 32])));
        let open = |chain| LeaseFile::open(folder.path(), lease, chain);
        open(CHAIN).unwrap().save().unwrap();
        assert!(open(CHAIN).is_ok());
        let refused = open(Hash([6; 32])).err().unwrap();
        assert_eq!(refused.code.as_deref(), Some("NP6208"));
        let going_over = |step: &String| step.contains("--genesis-id");
        assert!(!refused.next.iter().any(going_over), "{:?}", refused.next);
    }

    #[test]
    fn another_leases_file_is_refused() {
        let (lease, other) = (LeaseId(Hash([7; 32])), LeaseId(Hash([8; 32])));
        let folder = tempfile::tempdir().unwrap();
        LeaseFile::open(folder.path(), lease, CHAIN)
            .unwrap()
            .save()
            .unwrap();
        let name = |lease: LeaseId| folder.path().join(format!("{lease}.json"));
        fs::copy(name(lease), name(other)).unwrap();
        assert!(LeaseFile::open(folder.path(), other, CHAIN).is_err());
    }
}
