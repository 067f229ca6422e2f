//! Asking a provider's agent. Each request is signed for one lease (`nupeer_lease::agent_request`).

use std::time::Duration;

use nupeer_lease::{
    AgentRequest, LeaseId, ProviderNote, SignedAgentRequest, SignedUsage, agent_request::HEADER,
};
use nupeer_primitives::{Hash, TimeMs, blake2b_256};

use crate::{
    client::{refusal, unreachable},
    error::ClientError,
    signer::Signer,
    submit::now_unix_ms,
};

/// How long a signed request holds.
const LIFE_MS: u64 = 60_000;

/// How long an agent may take: it may have a large image to unpack.
const TIMEOUT: Duration = Duration::from_secs(240);

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

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
        let header = self.header("GET", path, &[]);
        let request = self.agent.get(format!("{}{path}", self.url));
        self.answer(request.header(HEADER, header).call())
    }

    /// The answer's bytes to `POST path` with `body`.
    ///
    /// # Errors
    /// As [`AgentClient::get`].
    pub fn post(
        &self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let header = self.header("POST", path, body);
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("content-type", content_type);
        self.answer(request.header(HEADER, header).send(body))
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
        self.post(&path, "application/cbor", &body).map(|_| ())
    }

    /// Signs a provider's note as the tenant. Check it first ([`ProviderNote::check`]).
    pub fn countersign(&self, note: &ProviderNote) -> SignedUsage {
        let hash = note.usage.signing_hash(&self.chain);
        let signature = self.signer.sign_message(&hash.0);
        note.countersigned(self.signer.public_key(), signature)
    }

    fn header(&self, method: &str, path: &str, body: &[u8]) -> String {
        let request = AgentRequest {
            lease: self.lease,
            method: method.to_owned(),
            path: path.to_owned(),
            body: blake2b_256(&[body]),
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
    ) -> Result<Vec<u8>, ClientError> {
        let mut response = response.map_err(|error| unreachable(&self.url, &error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = body
            .read_to_vec()
            .map_err(|error| unreachable(&self.url, &error))?;
        if status < 400 {
            return Ok(bytes);
        }
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(refusal(status, &body))
    }
}
