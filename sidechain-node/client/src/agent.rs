//! Asking a provider's agent. Each request is signed for one lease (`nupeer_lease::agent_request`).

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
    time::Duration,
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use nupeer_lease::{
    AgentRequest, LeaseId, ProviderNote, SignedAgentRequest, SignedUsage, agent_request::HEADER,
};
use nupeer_primitives::{Hash, TimeMs, blake2b_256};

use serde_json::Value;

use crate::{
    answers::Answer,
    client::{refusal, unreachable},
    error::ClientError,
    signer::Signer,
    submit::now_unix_ms,
};

/// How long a signed request holds.
const LIFE_MS: u64 = 60_000;

/// How long an agent may take: it may have a large image to unpack.
const TIMEOUT: Duration = Duration::from_secs(240);

/// An answer is shorter than this, in bytes: a part of a log has 64 KiB at most, states and notes have far less.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Header of the place in the output at which an answer begins: later than asked for where older output is gone.
const LOG_FROM: &str = "nupeer-log-from";

/// Header of the place in the output after what an answer holds.
const LOG_NEXT: &str = "nupeer-log-next";

/// A lease as its agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLease {
    /// How far the lease is, as the agent last learnt.
    pub state: String,
    /// How the workload is: `prepared`, `changing`, `running`, `paused`, `exited`, `broken`; none where there is none.
    pub workload: Option<String>,
    /// Whether the agent knows what to run.
    pub manifest: bool,
    /// Whether it has the image.
    pub image: bool,
    /// Where the published port is, `host:port`.
    pub address: Option<String>,
    /// What goes wrong.
    pub problem: Option<String>,
    /// Running time that may be signed for, in ms.
    pub metered_ms: u64,
    /// What the tenant signed for, in ms.
    pub signed_ms: u64,
    /// What runs the workload, in a word.
    pub driver: Option<String>,
    /// What the kernel holds the workload to; none while nothing runs.
    pub limits: Option<AgentLimits>,
}

/// The limits of a running workload, as the kernel says them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentLimits {
    /// Thousandths of one CPU.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids_max: u64,
}

fn limits(value: &Value) -> Option<AgentLimits> {
    Some(AgentLimits {
        cpu_milli: value["cpu_milli"].as_u64()?,
        memory_bytes: value["memory_bytes"].as_u64()?,
        pids_max: value["pids_max"].as_u64()?,
    })
}

/// A part of a workload's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// The output.
    pub bytes: Vec<u8>,
    /// Where the rest begins.
    pub next: u64,
}

/// Which part of the output an answer says that it holds.
#[derive(Clone, Copy, Default)]
struct Told {
    from: Option<u64>,
    next: Option<u64>,
}

/// An agent, asked in the name of one lease.
pub struct AgentClient<'s> {
    url: String,
    chain: Hash,
    lease: LeaseId,
    signer: &'s Signer,
    agent: ureq::Agent,
}

impl<'s> AgentClient<'s> {
    /// The agent at `url` (or `host:port`), asked about `lease` on the chain with this genesis id, signed by `signer`.
    pub fn new(url: &str, chain: Hash, lease: LeaseId, signer: &'s Signer) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false);
        let url = url.trim_end_matches('/');
        let url = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        AgentClient {
            url,
            chain,
            lease,
            signer,
            agent: config.build().into(),
        }
    }

    /// The answer's bytes to `GET path`; the path with its query is what is signed.
    ///
    /// # Errors
    /// The agent does not answer, or refuses.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.read(path).map(|(bytes, _)| bytes)
    }

    fn read(&self, path: &str) -> Result<(Vec<u8>, Told), ClientError> {
        let header = self.header("GET", path, blake2b_256(&[]));
        let request = self.agent.get(format!("{}{path}", self.url));
        self.answer(request.header(HEADER, header).call())
    }

    /// How the lease is at the agent.
    ///
    /// # Errors
    /// As [`AgentClient::get`].
    pub fn state(&self) -> Result<AgentLease, ClientError> {
        let path = format!("/v1/leases/{}", self.lease);
        let value: Value = serde_json::from_slice(&self.get(&path)?).unwrap_or_default();
        let answer = Answer::new(&path, &value);
        let optional = |name: &str| value[name].as_str().map(str::to_owned);
        Ok(AgentLease {
            state: answer.text("state")?.to_owned(),
            workload: optional("workload"),
            manifest: value["manifest"].as_bool().unwrap_or_default(),
            image: value["image"].as_bool().unwrap_or_default(),
            address: optional("address"),
            problem: optional("problem"),
            metered_ms: value["metered_ms"].as_u64().unwrap_or_default(),
            signed_ms: value["signed_ms"].as_u64().unwrap_or_default(),
            driver: optional("driver"),
            limits: limits(&value["limits"]),
        })
    }

    /// What the workload wrote, from a place in its output on.
    ///
    /// # Errors
    /// As [`AgentClient::get`]; the answer does not hold as much as it says.
    pub fn logs(&self, from: u64) -> Result<Logs, ClientError> {
        let path = format!("/v1/leases/{}/logs?from={from}", self.lease);
        let (bytes, told) = self.read(&path)?;
        let (from, length) = (told.from.unwrap_or(from), bytes.len() as u64);
        match from.checked_add(length) {
            Some(next) if told.next.is_none_or(|told| told == next) => Ok(Logs { bytes, next }),
            _ => Err(ClientError::Malformed {
                url: format!("{}{path}", self.url),
                expected: format!(
                    "output from byte {from} on: {length} bytes do not end where it says"
                ),
            }),
        }
    }

    /// Tells the agent what to run: the canonical bytes of the kind's specification, whose digest is in the lease.
    ///
    /// # Errors
    /// As [`AgentClient::get`].
    pub fn put_manifest(&self, manifest: &[u8]) -> Result<(), ClientError> {
        let path = format!("/v1/leases/{}/manifest", self.lease);
        let header = self.header("PUT", &path, blake2b_256(&[manifest]));
        let request = self.agent.put(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/cbor");
        self.answer(request.header(HEADER, header).send(manifest))?;
        Ok(())
    }

    /// Gives the agent the image archive in the file `archive`, whose digest is in the lease.
    ///
    /// # Errors
    /// The file cannot be read; else as [`AgentClient::get`].
    pub fn put_image(&self, archive: &Path) -> Result<(), ClientError> {
        let failed = |error: std::io::Error| ClientError::File {
            what: archive.display().to_string(),
            reason: error.to_string(),
        };
        let mut file = File::open(archive).map_err(failed)?;
        let (hash, length) = hash(&mut file).map_err(failed)?;
        let path = format!("/v1/leases/{}/image", self.lease);
        let request = self.agent.put(format!("{}{path}", self.url));
        let request = request
            .header("content-type", "application/x-tar")
            .header("content-length", length.to_string())
            .header(HEADER, self.header("PUT", &path, hash));
        self.answer(request.send(&file))?;
        Ok(())
    }

    /// The provider's latest usage note of the lease; `None` where there is none to sign.
    ///
    /// # Errors
    /// As [`AgentClient::get`].
    pub fn usage(&self) -> Result<Option<ProviderNote>, ClientError> {
        let path = format!("/v1/leases/{}/usage", self.lease);
        let bytes = match self.get(&path) {
            Ok(bytes) if bytes.is_empty() => return Ok(None),
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let malformed = |error: nupeer_primitives::cbor::CborError| ClientError::Malformed {
            url: format!("{}{path}", self.url),
            expected: format!("a usage note: {error}"),
        };
        ProviderNote::from_bytes(&bytes)
            .map(Some)
            .map_err(malformed)
    }

    /// Gives the agent a note that both sides have signed.
    ///
    /// # Errors
    /// As [`AgentClient::get`].
    pub fn acknowledge(&self, note: &SignedUsage) -> Result<(), ClientError> {
        let path = format!("/v1/leases/{}/usage", self.lease);
        let body = note.to_bytes();
        let header = self.header("POST", &path, blake2b_256(&[&body]));
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/cbor");
        self.answer(request.header(HEADER, header).send(&body[..]))?;
        Ok(())
    }

    /// Signs a provider's note as the tenant. Check it first ([`ProviderNote::check`]).
    pub fn countersign(&self, note: &ProviderNote) -> SignedUsage {
        let hash = note.usage.signing_hash(&self.chain);
        let signature = self.signer.sign_message(&hash.0);
        note.countersigned(self.signer.public_key(), signature)
    }

    fn header(&self, method: &str, path: &str, body: Hash) -> String {
        let request = AgentRequest {
            lease: self.lease,
            method: method.to_owned(),
            path: path.to_owned(),
            body,
            expires: TimeMs(now_unix_ms().saturating_add(LIFE_MS)),
        };
        let hash = request.signing_hash(&self.chain);
        let signed = SignedAgentRequest {
            signature: self.signer.sign_message(&hash.0),
            key: self.signer.public_key(),
            request,
        };
        signed.to_header()
    }

    fn answer(
        &self,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(Vec<u8>, Told), ClientError> {
        let mut response = response.map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status().as_u16();
        let place = |name: &str| -> Option<u64> {
            let value = response.headers().get(name)?;
            value.to_str().ok()?.parse().ok()
        };
        let (from, next) = (place(LOG_FROM), place(LOG_NEXT));
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => ClientError::Malformed {
                url: self.url.clone(),
                expected: format!("less than {ANSWER_BYTES_MAX} bytes"),
            },
            error => unreachable(&self.url, &error),
        })?;
        if status < 400 {
            return Ok((bytes, Told { from, next }));
        }
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(refusal(status, &body))
    }
}

/// Blake2b-256 and length of a file, which is then read from its start again.
fn hash(file: &mut File) -> std::io::Result<(Hash, u64)> {
    let (mut hasher, mut length) = (Blake2b::<U32>::new(), 0u64);
    let mut part = vec![0; 64 << 10];
    loop {
        match file.read(&mut part)? {
            0 => break,
            count => {
                hasher.update(part.get(..count).unwrap_or_default());
                length = length.saturating_add(count as u64);
            }
        }
    }
    file.rewind()?;
    Ok((Hash(hasher.finalize().into()), length))
}
