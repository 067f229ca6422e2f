//! Asking nodes over HTTP.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nupeer_primitives::{Code, Hash};
use nupeer_runtime::{Chain, Genesis};
use serde_json::Value;

use crate::{error::ClientError, events::Blocks};

/// How long one question may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a node may take to accept a connection, before the next one is asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Nodes that serve one chain. They are asked in turn: whoever answered last is asked first, so that one that is down stops
/// nothing. May be shared between threads.
pub struct Client {
    urls: Vec<String>,
    preferred: AtomicUsize,
    agent: ureq::Agent,
    chain: OnceLock<(Genesis, Chain)>,
    expected: Option<Hash>,
}

impl Client {
    /// A client of the nodes at these addresses (`http://host:port`).
    pub fn new<S: Into<String>>(urls: impl IntoIterator<Item = S>) -> Self {
        let urls = urls.into_iter().map(Into::into);
        Client {
            urls: urls
                .map(|url: String| url.trim_end_matches('/').to_owned())
                .collect(),
            preferred: AtomicUsize::new(0),
            agent: http_agent(),
            chain: OnceLock::new(),
            expected: None,
        }
    }

    /// Refuses every chain but the one with this genesis id, if one is named.
    #[must_use]
    pub fn expecting(self, genesis: Option<Hash>) -> Self {
        Client {
            expected: genesis,
            ..self
        }
    }

    /// The genesis id of the chain that is meant, where that was said.
    pub fn expected(&self) -> Option<Hash> {
        self.expected
    }

    /// The addresses.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The answer to `GET path`.
    ///
    /// # Errors
    /// Nobody answers, or whoever does refuses or makes no sense.
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(|url| answer(url, path, self.agent.get(format!("{url}{path}")).call()))
    }

    /// The answer to `POST path` with a CBOR body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post_cbor(&self, path: &str, body: &[u8]) -> Result<Value, ClientError> {
        self.ask(|url| {
            let request = self.agent.post(format!("{url}{path}"));
            let request = request.header("content-type", "application/cbor");
            answer(url, path, request.send(body))
        })
    }

    /// The chain that the nodes serve, as its genesis describes it; asked once. Its id is computed here: a node can name another
    /// chain, but not another genesis for the same id.
    ///
    /// # Errors
    /// As [`Client::get`]; [`ClientError::OtherChain`].
    pub fn chain(&self) -> Result<&(Genesis, Chain), ClientError> {
        if let Some(known) = self.chain.get() {
            return Ok(known);
        }
        let mut named = self.named()?;
        // A node of another chain does not keep those of the right one from being asked.
        for _ in 1..self.urls.len() {
            if self.is_meant(&named.1) {
                break;
            }
            self.turn_away();
            named = self.named()?;
        }
        if let Some(expected) = self.expected.filter(|_| !self.is_meant(&named.1)) {
            let named = named.1.id;
            return Err(ClientError::OtherChain { expected, named });
        }
        Ok(self.chain.get_or_init(|| named))
    }

    fn is_meant(&self, chain: &Chain) -> bool {
        self.expected.is_none_or(|expected| expected == chain.id)
    }

    fn named(&self) -> Result<(Genesis, Chain), ClientError> {
        let text = self.get("/v1/genesis")?.to_string();
        let wrong = |why: String| ClientError::Malformed {
            url: "/v1/genesis".into(),
            expected: format!("a genesis: {why}"),
        };
        let genesis = Genesis::from_json(&text).map_err(|error| wrong(error.to_string()))?;
        let chain = genesis.chain().map_err(|error| wrong(error.to_string()))?;
        Ok((genesis, chain))
    }

    /// Decided blocks from height `from` on, or from the next one.
    pub fn blocks(&self, from: Option<u64>) -> Blocks<'_> {
        Blocks::new(self, from)
    }

    /// Asks another node first from now on: what this one said does not hold.
    pub fn turn_away(&self) {
        let next = self.preferred.load(Ordering::Relaxed).saturating_add(1);
        let count = self.urls.len().max(1);
        self.preferred.store(next % count, Ordering::Relaxed);
    }

    /// Asks the preferred node, then the others, until one answers; what it answers is the answer.
    pub(crate) fn ask<T>(
        &self,
        question: impl Fn(&str) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = ClientError::NoNode;
        for step in 0..self.urls.len() {
            let index = (first + step) % self.urls.len();
            match question(&self.urls[index]) {
                Err(error @ ClientError::Unreachable { .. }) => last = error,
                answered => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last)
    }
}

pub(crate) fn http_agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into()
}

/// What an answer says, or the refusal in it: `{"error": {"code", "message", "next"}}`.
pub(crate) fn answer(
    url: &str,
    path: &str,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, ClientError> {
    let mut response = response.map_err(|error| unreachable(url, &error))?;
    let status = response.status().as_u16();
    match response.body_mut().read_json() {
        Ok(body) if status < 400 => Ok(body),
        Ok(body) => Err(refusal(status, &body)),
        Err(ureq::Error::Json(_)) if status < 400 => Err(ClientError::Malformed {
            url: format!("{url}{path}"),
            expected: "JSON".into(),
        }),
        Err(ureq::Error::Json(_)) => Err(refusal(status, &Value::Null)),
        Err(error) => Err(unreachable(url, &error)),
    }
}

pub(crate) fn refusal(status: u16, body: &Value) -> ClientError {
    let error = &body["error"];
    let text = |name: &str| error[name].as_str().map(str::to_owned);
    ClientError::Refused {
        status,
        code: code(&error["code"]),
        message: text("message").unwrap_or_else(|| format!("refused with HTTP status {status}")),
        next: text("next"),
    }
}

/// The number in `NP4107`.
pub(crate) fn code(value: &Value) -> Option<Code> {
    let digits = value.as_str()?.strip_prefix("NP")?;
    digits.parse().ok().map(Code)
}

pub(crate) fn unreachable(url: &str, error: &ureq::Error) -> ClientError {
    ClientError::Unreachable {
        url: url.to_owned(),
        reason: error.to_string(),
    }
}
