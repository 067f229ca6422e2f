//! Refusals as HTTP: `{"error": {"code", "message", "next"}}`.

use nupeer_lease::LeaseId;
use nupeer_lease::agent_request::AgentRequestError;
use nupeer_paas::ContainerError;
use nupeer_paas_drivers::DriverError;
use nupeer_paas_drivers::image::ImageError;
use nupeer_primitives::cbor::CborError;
use nupeer_primitives::{Code, Numbered};
use serde_json::json;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Reply, reject::Reject};

use crate::auth::AuthError;
use crate::records::RecordError;

/// Why a tenant does not get what was asked for. Numbers of its own are NP8040 to NP8049 and NP8082 to NP8087.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Who asks may not, or cannot be told.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Another body than the one signed for.
    #[error(transparent)]
    Body(#[from] AgentRequestError),
    /// Not what the lease is for.
    #[error(transparent)]
    Spec(#[from] ContainerError),
    /// The image was refused.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The workload cannot be asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The disk failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Not a usage note.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// No length was announced.
    #[error("the body's length must be announced (Content-Length)")]
    NoLength,
    /// More than is taken.
    #[error("the body has {provided} bytes, at most {maximum} are taken")]
    TooLarge {
        /// Announced or come so far.
        provided: u64,
        /// The most.
        maximum: u64,
    },
    /// It stood still, or came too slowly.
    #[error("the body stood still or came too slowly: {bytes} bytes came")]
    Slow {
        /// So many came.
        bytes: u64,
    },
    /// It ended early.
    #[error("the body ended after {provided} of {announced} bytes")]
    Cut {
        /// So many came.
        provided: u64,
        /// So many were announced.
        announced: u64,
    },
    /// As many uploads as are taken at a time are under way.
    #[error("{maximum} uploads are under way; come again in a moment")]
    Busy {
        /// So many.
        maximum: u32,
    },
    /// Another upload for the same lease is under way.
    #[error("an image of lease {lease} is being uploaded already; come again when that has ended")]
    LeaseBusy {
        /// Which.
        lease: LeaseId,
    },
    /// As many of one tenant's as are taken at a time are under way.
    #[error(
        "{maximum} images of this tenant are being uploaded; come again when one of them has ended"
    )]
    TenantBusy {
        /// So many.
        maximum: u32,
    },
    /// It came well, but took too long as a whole.
    #[error("the body took more than {maximum_ms} ms: {bytes} bytes came")]
    Long {
        /// So many came.
        bytes: u64,
        /// The most that a body may take.
        maximum_ms: u64,
    },
    /// The lease is over.
    #[error("lease {lease} is {state}")]
    Over {
        /// Which.
        lease: LeaseId,
        /// How far it is.
        state: &'static str,
    },
    /// Not a note of this agent's.
    #[error("the note is not one that this agent signed for this lease")]
    NotOurNote,
    /// Says no more than one that is signed already.
    #[error("the note says {provided_ms} ms, {signed_ms} ms are signed for already")]
    Backwards {
        /// In the note.
        provided_ms: u64,
        /// Before.
        signed_ms: u64,
    },
    /// The tenant's signature is not of this note.
    #[error("the tenant's signature does not verify over this note")]
    NotCounterSigned,
    /// A path that there is not.
    #[error("no such path; provider-agent/README.md lists all")]
    NoPath,
    /// A path that is asked with other methods.
    #[error("this path is not asked that way; provider-agent/README.md lists all")]
    Method,
    /// A header that does not read as what it is.
    #[error("a header is not understood")]
    Header,
    /// A place in the output that is no number.
    #[error("from={provided:?}: a number of bytes is expected")]
    From {
        /// As it came.
        provided: String,
    },
}

impl Reject for ApiError {}

impl Numbered for ApiError {
    fn code(&self) -> Code {
        Code(match self {
            ApiError::Auth(error) => return error.code(),
            ApiError::Body(error) => return error.code(),
            ApiError::Spec(error) => return error.code(),
            ApiError::Image(error) => return error.code(),
            ApiError::Driver(error) => return error.code(),
            ApiError::Record(error) => return error.code(),
            ApiError::Encoding(error) => return error.code(),
            ApiError::NoLength => 8040,
            ApiError::TooLarge { .. } => 8041,
            ApiError::Slow { .. } => 8042,
            ApiError::Cut { .. } => 8043,
            ApiError::Busy { .. } => 8044,
            ApiError::Over { .. } => 8045,
            ApiError::NotOurNote => 8046,
            ApiError::Backwards { .. } => 8047,
            ApiError::NotCounterSigned => 8048,
            ApiError::From { .. } => 8049,
            ApiError::NoPath => 8082,
            ApiError::Method => 8083,
            ApiError::Header => 8084,
            ApiError::LeaseBusy { .. } => 8085,
            ApiError::TenantBusy { .. } => 8086,
            ApiError::Long { .. } => 8087,
        })
    }
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            ApiError::Auth(error) => auth_status(error),
            ApiError::NoPath => StatusCode::NOT_FOUND,
            ApiError::Method => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::NoLength => StatusCode::LENGTH_REQUIRED,
            ApiError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::Slow { .. } | ApiError::Long { .. } => StatusCode::REQUEST_TIMEOUT,
            ApiError::LeaseBusy { .. } | ApiError::TenantBusy { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            ApiError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Record(RecordError::Full { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            ApiError::Over { .. }
            | ApiError::Backwards { .. }
            | ApiError::Record(RecordError::SetAside { .. }) => StatusCode::CONFLICT,
            ApiError::Driver(DriverError::Unknown(_) | DriverError::NotRunning(_)) => {
                StatusCode::NOT_FOUND
            }
            ApiError::Image(ImageError::Io { .. }) | ApiError::Driver(_) | ApiError::Record(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ApiError::Spec(_) | ApiError::Image(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::Body(_)
            | ApiError::Encoding(_)
            | ApiError::Cut { .. }
            | ApiError::NotOurNote
            | ApiError::NotCounterSigned
            | ApiError::Header
            | ApiError::From { .. } => StatusCode::BAD_REQUEST,
        }
    }

    fn next(&self) -> Option<&'static str> {
        match self {
            ApiError::Auth(AuthError::Unsigned) => Some("nupeer lease signs what it asks"),
            ApiError::Auth(AuthError::Chain(_))
            | ApiError::Busy { .. }
            | ApiError::LeaseBusy { .. }
            | ApiError::TenantBusy { .. } => Some("try again in a moment"),
            ApiError::Slow { .. } | ApiError::Long { .. } => {
                Some("upload again over a faster link, or a smaller image")
            }
            ApiError::Auth(AuthError::NotTenant { .. }) => {
                Some("the tenant's wallet grants a key: nupeer tx grant --scope lease")
            }
            ApiError::Backwards { .. } => Some("ask for the newest note"),
            ApiError::Record(RecordError::Full { .. }) => {
                Some("upload a smaller image, or close the lease and order elsewhere")
            }
            _ => None,
        }
    }

    /// The answer.
    pub fn reply(&self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(error = %self, "a request could not be answered");
        }
        let (code, message) = (self.code().to_string(), self.to_string());
        let body = json!({ "error": { "code": code, "message": message, "next": self.next() } });
        warp::reply::with_status(warp::reply::json(&body), status).into_response()
    }
}

fn auth_status(error: &AuthError) -> StatusCode {
    match error {
        AuthError::Request(_) | AuthError::Unsigned => StatusCode::UNAUTHORIZED,
        AuthError::NotTenant { .. } => StatusCode::FORBIDDEN,
        AuthError::UnknownLease { .. } => StatusCode::NOT_FOUND,
        AuthError::Replayed => StatusCode::CONFLICT,
        AuthError::Chain(_) | AuthError::TooMany { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}
