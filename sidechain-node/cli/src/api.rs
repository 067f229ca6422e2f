//! Asking a node over HTTP.

use std::time::Duration;

use serde_json::Value;

use crate::error::{CliError, Exit, Outcome};

/// A node's API.
pub(crate) struct Api {
    url: String,
    agent: ureq::Agent,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        let agent = config.http_status_as_error(false).build().into();
        Api {
            url: url.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    /// The answer to `GET path`.
    pub(crate) fn get(&self, path: &str) -> Outcome<Value> {
        self.answer(self.agent.get(format!("{}{path}", self.url)).call())
    }

    /// The answer to `POST path` with a CBOR body.
    pub(crate) fn post_cbor(&self, path: &str, body: &[u8]) -> Outcome<Value> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/cbor");
        self.answer(request.send(body))
    }

    fn answer(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Outcome<Value> {
        let mut response = answer.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let body: Value = response
            .body_mut()
            .read_json()
            .map_err(|error| self.unreachable(&error))?;
        if status < 400 {
            Ok(body)
        } else {
            Err(refused(status, &body))
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> CliError {
        CliError::new(
            Exit::Unreachable,
            format!("no answer from {}: {error}", self.url),
        )
        .next("nupeer up          starts a cluster here")
        .next("--api-url URL      asks another node (or NUPEER_API_URL)")
    }
}

/// The API's error body is `{"error": {"code", "message", "next"}}`.
fn refused(status: u16, body: &Value) -> CliError {
    let error = &body["error"];
    let message = error["message"]
        .as_str()
        .unwrap_or("the node refuses without a reason");
    let exit = match status {
        404 => Exit::NotFound,
        429 | 503 => Exit::Unreachable,
        _ => Exit::Refused,
    };
    let next = error["next"]
        .as_str()
        .map(str::to_owned)
        .into_iter()
        .collect();
    CliError {
        exit,
        code: error["code"].as_str().map(str::to_owned),
        what: message.to_owned(),
        next,
    }
}
