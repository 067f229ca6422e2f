//! Refusals as HTTP: `{"error": {"code", "message", "next"}}`, with a number where a rule has one.

use nupeer_primitives::{Code, Numbered};
use serde_json::json;
use warp::{Reply, http::StatusCode, reject::Reject};

/// A refusal.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Option<Code>,
    message: String,
    next: Option<String>,
}

impl Reject for ApiError {}

impl ApiError {
    /// A refusal without a number.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        ApiError {
            status,
            code: None,
            message: message.into(),
            next: None,
        }
    }

    /// What a rule refuses.
    pub fn numbered(status: StatusCode, error: &dyn Numbered) -> Self {
        ApiError {
            code: Some(error.code()),
            ..ApiError::new(status, error.to_string())
        }
    }

    /// What to do next.
    pub fn next(self, step: impl Into<String>) -> Self {
        ApiError {
            next: Some(step.into()),
            ..self
        }
    }

    /// The answer.
    pub fn reply(&self) -> warp::reply::Response {
        let code = self.code.map(|code| code.to_string());
        let body = json!({ "error": { "code": code, "message": self.message, "next": self.next } });
        warp::reply::with_status(warp::reply::json(&body), self.status).into_response()
    }
}

/// What the store or a thread could not do: this node's fault, not the asker's.
pub fn internal(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "a query failed");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "this node cannot read its store; ask another one",
    )
}
