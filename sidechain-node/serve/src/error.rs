//! What the server itself answers, before the routes are asked or in their place.

use nupeer_primitives::{Code, Numbered};
use serde_json::{Value, json};

/// Why somebody is not served. NP6100 to NP6109; what the routes refuse, they number themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// An address that has its share of connections.
    #[error("this address has as many connections as it may")]
    Connections,
    /// A body that has not come as a whole for as long as it is waited for.
    #[error("the body did not come in time")]
    Late,
}

impl Numbered for ServeError {
    fn code(&self) -> Code {
        Code(match self {
            ServeError::Connections => 6100,
            ServeError::Late => 6101,
        })
    }
}

impl ServeError {
    /// As every refusal of node and agent reads.
    pub(crate) fn body(self) -> Value {
        let next = match self {
            ServeError::Connections => "close some, or wait",
            ServeError::Late => "send it again",
        };
        let (code, message) = (self.code().to_string(), self.to_string());
        json!({ "error": { "code": code, "message": message, "next": next } })
    }
}
