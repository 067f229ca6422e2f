//! What makes no container.

use nupeer_lease::{Kind, Resources};
use nupeer_primitives::{Code, Hash, Numbered, cbor::CborError};

/// Why a specification or a digest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// Truncated, re-encoded or too long.
    #[error(transparent)]
    Encoding(#[from] CborError),
    /// Not a digest as OCI writes it.
    #[error(
        "{provided:?} is no image digest; one reads sha256: and 64 lowercase hexadecimal digits"
    )]
    Digest {
        /// What was given, at most 80 characters of it.
        provided: String,
    },
    /// Less or more of something than a container may have.
    #[error("{what} {provided}; {minimum} to {maximum} are possible")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How much.
        provided: u64,
        /// The least.
        minimum: u64,
        /// The most.
        maximum: u64,
    },
    /// A zero byte, which no argument or variable can hold.
    #[error("a zero byte in {what} {index}")]
    ZeroByte {
        /// In what.
        what: &'static str,
        /// In which one, counted from zero.
        index: usize,
    },
    /// A variable that is not `NAME=value`.
    #[error("variable {index} is not NAME=value with a name of A-Z, a-z, 0-9 and underscores")]
    Variable {
        /// Which one, counted from zero.
        index: usize,
    },
    /// A variable that is set twice.
    #[error("variable {name} is set twice")]
    VariableTwice {
        /// Its name.
        name: String,
    },
    /// The lease is for another image.
    #[error("image {provided}, the lease is for {expected}")]
    WrongImage {
        /// In the specification.
        provided: Hash,
        /// In the lease.
        expected: Hash,
    },
    /// The lease is for other resources.
    #[error("resources {provided:?}, the lease is for {expected:?}")]
    WrongResources {
        /// In the specification.
        provided: Resources,
        /// In the lease.
        expected: Resources,
    },
    /// The lease is for another command, environment or port.
    #[error("specification {provided}, the lease is for {expected}")]
    WrongManifest {
        /// Digest of the specification.
        provided: Hash,
        /// In the lease.
        expected: Hash,
    },
    /// The lease is no container's.
    #[error("a lease of the kind {provided}")]
    WrongKind {
        /// The lease's kind.
        provided: Kind,
    },
}

impl Numbered for ContainerError {
    fn code(&self) -> Code {
        Code(match self {
            ContainerError::Encoding(error) => return error.code(),
            ContainerError::Digest { .. } => 4101,
            ContainerError::Limit { .. } => 4102,
            ContainerError::ZeroByte { .. } => 4103,
            ContainerError::Variable { .. } => 4104,
            ContainerError::VariableTwice { .. } => 4105,
            ContainerError::WrongImage { .. } => 4106,
            ContainerError::WrongResources { .. } => 4107,
            ContainerError::WrongManifest { .. } => 4108,
            ContainerError::WrongKind { .. } => 4109,
        })
    }
}
