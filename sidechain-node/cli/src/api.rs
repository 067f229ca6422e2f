//! Asking a node over HTTP: the client that programs use, with errors as people meet them.

use std::time::{Duration, Instant};

use nupeer_client::{Client, ClientError};
use nupeer_primitives::{Hash, Numbered};
use serde_json::Value;

use crate::{
    error::{CliError, Exit, Outcome},
    printable::line,
};

/// How often a node that is away is asked again.
const AWAY_POLL: Duration = Duration::from_millis(250);

/// A node's API.
pub(crate) struct Api {
    client: Client,
}

impl Api {
    /// One of these nodes, separated by commas: the first that answers.
    pub(crate) fn new(urls: &str) -> Self {
        Api {
            client: Client::new(urls.split(',').map(str::trim)),
        }
    }

    /// As [`Api::new`], refusing every chain but the one with this genesis id, if one is named.
    pub(crate) fn expecting(urls: &str, genesis: Option<Hash>) -> Self {
        let Api { client } = Api::new(urls);
        Api {
            client: client.expecting(genesis),
        }
    }

    /// The client itself, for typed answers.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The answer to `GET path`.
    pub(crate) fn get(&self, path: &str) -> Outcome<Value> {
        Ok(self.client.get(path)?)
    }

    /// The answer to `GET path` for who waits anyway: a node that is away is waited for until `end`.
    pub(crate) fn get_by(&self, path: &str, end: Instant) -> Outcome<Value> {
        loop {
            match self.client.get(path) {
                Err(error) if error.is_temporary() && Instant::now() < end => {
                    std::thread::sleep(AWAY_POLL);
                }
                answer => return Ok(answer?),
            }
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        // In one line: what the other side wrote must not read as a step of ours.
        let what = CliError::new(exit(&error), line(&error.to_string()));
        match error {
            ClientError::Refused { code, next, .. } => CliError {
                code: code.map(|code| code.to_string()),
                next: next.map(|next| suggested(&next)).into_iter().collect(),
                ..what
            },
            ClientError::TransactionRefused { code, message, .. } => CliError {
                code: code.map(|code| code.to_string()),
                what: line(&message),
                ..what
            },
            ClientError::Unreachable { .. } => what
                .next("nupeer up          starts a cluster here")
                .next("--api-url URL      asks another node (or NUPEER_API_URL)"),
            ClientError::NotFinal { id, .. } => {
                what.next(format!("nupeer tx wait {id}   goes on waiting"))
            }
            ClientError::Unanswered { id, .. } => {
                what.next(format!("nupeer tx wait {id}   tells what became of it"))
            }
            other => {
                let code = Some(other.code().to_string());
                steps(&other)
                    .into_iter()
                    .fold(CliError { code, ..what }, CliError::next)
            }
        }
    }
}

/// A step that a node or an agent suggests, as its word and not as ours.
fn suggested(next: &str) -> String {
    format!("the other side says: {}", line(next))
}

/// What to do about an error that has no words of the other side's.
fn steps(error: &ClientError) -> Vec<String> {
    match error {
        ClientError::OtherChain { expected, named } => vec![
            format!("--api-url URL   asks another node, if you mean {expected}"),
            format!("--genesis-id {named}   goes over to that chain, if you mean it:"),
            "                compare the id with what you trust, never with this node's word"
                .to_owned(),
        ],
        ClientError::Unproven { .. } => {
            vec!["do not trust this node; ask another with --api-url".to_owned()]
        }
        ClientError::Silent { .. } => vec![
            "nupeer lease logs ID   shows what it wrote".to_owned(),
            "nupeer lease attend --no-probe   goes by the clocks alone".to_owned(),
        ],
        _ => Vec::new(),
    }
}

fn exit(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } => Exit::Unreachable,
        ClientError::Refused { status, .. } => match status {
            404 => Exit::NotFound,
            429 | 503 => Exit::Unreachable,
            _ => Exit::Refused,
        },
        ClientError::TransactionRefused { .. } => Exit::Refused,
        ClientError::NotFinal { .. } | ClientError::Unanswered { .. } => Exit::Waited,
        ClientError::NoMatch { .. } => Exit::NoMatch,
        ClientError::File { .. } => Exit::NotFound,
        ClientError::NoNode => Exit::Usage,
        ClientError::Malformed { .. } => Exit::Unexpected,
        ClientError::OtherChain { .. } => Exit::Key,
        ClientError::Unproven { .. } | ClientError::Silent { .. } => Exit::CheckFailed,
    }
}
