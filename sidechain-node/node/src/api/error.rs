//! Refusals as HTTP: `{"error": {"code", "message", "next"}}`, each with the number of the rule that refuses, or of [`AskError`].

use nupeer_lease::view::PAGE_MAX;
use nupeer_primitives::{Code, Hash, Height, Numbered};
use serde_json::json;
use warp::{Reply, http::StatusCode, reject::Reject};

/// What is wrong with a question, by its form alone, or why this node has no answer. NP6110 to NP6199.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// A path that there is not.
    #[error("no such path; GET /openapi.json lists all")]
    NoPath,
    /// A path that is asked with other methods.
    #[error("this path is not asked that way; GET /openapi.json lists all")]
    Method,
    /// A body whose length is not announced.
    #[error("the body's length must be announced")]
    NoLength,
    /// A body that is longer than any that is taken.
    #[error("the body is over {maximum} bytes")]
    TooLong {
        /// The most.
        maximum: u64,
    },
    /// A parameter that the path does not have, or that does not read as what it is.
    #[error("the query has a parameter that is not understood")]
    Query,
    /// A header `Last-Event-ID` that is no height.
    #[error("Last-Event-ID is a height")]
    LastEventId,
    /// A part of the path, or a parameter, that does not read as what it is.
    #[error("{expected}")]
    Malformed {
        /// What it is.
        expected: String,
    },
    /// A page of no entry, or of more than are listed at a time.
    #[error("limit: 1 to {PAGE_MAX} entries a page")]
    Limit,
    /// More questions from an address than are answered.
    #[error("too many requests from this address")]
    TooOften,
    /// As many streams as one address may have.
    #[error("this address follows {maximum} streams, which is its share")]
    StreamsOfAddress {
        /// So many.
        maximum: usize,
    },
    /// As many streams as a node has.
    #[error("{maximum} streams are open; this node serves no more")]
    Streams {
        /// So many.
        maximum: usize,
    },
    /// No block of that height.
    #[error("no block at height {provided}; the first is 1, the last {last}")]
    NoBlock {
        /// Asked for.
        provided: Height,
        /// The last one.
        last: Height,
    },
    /// No transaction of that id, as far as this node remembers.
    #[error("no such transaction is pending, final, or lately refused here")]
    NoTransaction,
    /// No machine, request or lease of that id.
    #[error("no {what} {id} here; what is over is forgotten after a while")]
    NoRecord {
        /// Of what.
        what: &'static str,
        /// Asked for.
        id: Hash,
    },
    /// No withdrawal of that id.
    #[error("no withdrawal {id} here")]
    NoWithdrawal {
        /// Asked for.
        id: Hash,
    },
    /// No anchor of that number, as far as anchors are kept.
    #[error("anchor {seq} is neither certified nor on Cardano, or more than {kept} came after it")]
    NoAnchor {
        /// Asked for.
        seq: u64,
        /// So many are kept.
        kept: u64,
    },
    /// No block yet under which anything stands.
    #[error("no block is decided yet that could prove anything")]
    NothingProven,
    /// The node's own fault: its disk, or a thread.
    #[error("this node cannot read its store; ask another one")]
    Unreadable,
}

impl Numbered for AskError {
    fn code(&self) -> Code {
        Code(match self {
            AskError::NoPath => 6110,
            AskError::Method => 6111,
            AskError::NoLength => 6112,
            AskError::TooLong { .. } => 6113,
            AskError::Query => 6114,
            AskError::LastEventId => 6115,
            AskError::Malformed { .. } => 6116,
            AskError::Limit => 6117,
            AskError::TooOften => 6118,
            AskError::StreamsOfAddress { .. } => 6119,
            AskError::Streams { .. } => 6120,
            AskError::NoBlock { .. } => 6121,
            AskError::NoTransaction => 6122,
            AskError::NoRecord { .. } => 6123,
            AskError::NoWithdrawal { .. } => 6124,
            AskError::NoAnchor { .. } => 6125,
            AskError::NothingProven => 6126,
            AskError::Unreadable => 6127,
        })
    }
}

impl AskError {
    fn status(&self) -> StatusCode {
        match self {
            AskError::Query
            | AskError::LastEventId
            | AskError::Malformed { .. }
            | AskError::Limit => StatusCode::BAD_REQUEST,
            AskError::NoPath
            | AskError::NoBlock { .. }
            | AskError::NoTransaction
            | AskError::NoRecord { .. }
            | AskError::NoWithdrawal { .. }
            | AskError::NoAnchor { .. } => StatusCode::NOT_FOUND,
            AskError::Method => StatusCode::METHOD_NOT_ALLOWED,
            AskError::NoLength => StatusCode::LENGTH_REQUIRED,
            AskError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            AskError::TooOften | AskError::StreamsOfAddress { .. } => StatusCode::TOO_MANY_REQUESTS,
            AskError::Streams { .. } | AskError::NothingProven => StatusCode::SERVICE_UNAVAILABLE,
            AskError::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn next(&self) -> Option<&'static str> {
        match self {
            AskError::NoTransaction => Some("submit it again; that does no harm"),
            AskError::StreamsOfAddress { .. } => Some("close one: each tells everything"),
            AskError::Streams { .. } => Some("ask another node"),
            _ => None,
        }
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Code,
    message: String,
    next: Option<String>,
}

impl Reject for ApiError {}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        ApiError {
            next: error.next().map(str::to_owned),
            ..ApiError::numbered(error.status(), &error)
        }
    }
}

impl ApiError {
    /// What a rule refuses.
    pub fn numbered(status: StatusCode, error: &dyn Numbered) -> Self {
        ApiError {
            status,
            code: error.code(),
            message: error.to_string(),
            next: None,
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
        let code = self.code.to_string();
        let body = json!({ "error": { "code": code, "message": self.message, "next": self.next } });
        warp::reply::with_status(warp::reply::json(&body), self.status).into_response()
    }
}

/// What the store or a thread could not do: this node's fault, not the asker's.
pub fn internal(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "a query failed");
    AskError::Unreadable.into()
}
