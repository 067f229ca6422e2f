//! Why a connection ends, and why the server cannot start.

use std::{io, net::SocketAddr, path::PathBuf};

use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

use crate::cbor::ScanError;

/// Why a connection to a client ended. None of these concerns any other connection.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The client went away, or the server is stopping.
    #[error("the connection is closed")]
    Closed,
    /// The operating system refused.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The client did not propose versions in time.
    #[error("no handshake within {timeout_ms} ms")]
    HandshakeTimeout {
        /// How long it had, in milliseconds.
        timeout_ms: u64,
    },
    /// The client does not read what it asked for.
    #[error("the client has read nothing for {timeout_ms} ms")]
    Stalled {
        /// How long it had, in milliseconds.
        timeout_ms: u64,
    },
    /// A segment of a mini-protocol that is not served.
    #[error("mini-protocol {protocol} is not served")]
    UnknownProtocol {
        /// Its number.
        protocol: u16,
    },
    /// More is waiting to be read than any message may have.
    #[error("mini-protocol {protocol}: more than {maximum} bytes are waiting")]
    Flooded {
        /// The mini-protocol.
        protocol: u16,
        /// The most that may wait, in bytes.
        maximum: usize,
    },
    /// Not a CBOR item, or one too large or too deep.
    #[error("mini-protocol {protocol}: {error}")]
    Garbage {
        /// The mini-protocol.
        protocol: u16,
        /// What is wrong.
        error: ScanError,
    },
    /// CBOR, but no message of the protocol.
    #[error("mini-protocol {protocol}: no message: {reason}")]
    Undecodable {
        /// The mini-protocol.
        protocol: u16,
        /// What the decoder said.
        reason: String,
    },
    /// A message that the protocol's state does not allow.
    #[error("mini-protocol {protocol}: {message} has no place here")]
    Unexpected {
        /// The mini-protocol.
        protocol: u16,
        /// The message.
        message: &'static str,
    },
    /// A message that the protocol wants within a time did not come.
    #[error("mini-protocol {protocol}: nothing for {timeout_ms} ms")]
    Overdue {
        /// The mini-protocol.
        protocol: u16,
        /// How long it had, in milliseconds.
        timeout_ms: u64,
    },
    /// A fork took away blocks that were being sent.
    #[error("the blocks being fetched were rolled back")]
    BlocksGone,
    /// A query that the devnet does not answer.
    #[error("the query {query} is not answered")]
    UnsupportedQuery {
        /// Its name.
        query: String,
    },
    /// The state that a client had acquired was rolled back.
    #[error("the acquired state was rolled back")]
    AcquiredStateGone,
    /// Another client came when all places were taken, and this one had the least use of its own.
    #[error(
        "all {places} places are taken, and this client stood still for {idle_ms} ms: it makes room for another"
    )]
    Displaced {
        /// How many clients are served at once.
        places: usize,
        /// For how long nothing had changed, in milliseconds.
        idle_ms: u64,
    },
}

impl Numbered for SessionError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Closed => 7140,
            Self::Io(_) => 7141,
            Self::HandshakeTimeout { .. } => 7142,
            Self::Stalled { .. } => 7143,
            Self::UnknownProtocol { .. } => 7144,
            Self::Flooded { .. } => 7145,
            Self::Garbage { .. } => 7146,
            Self::Undecodable { .. } => 7147,
            Self::Unexpected { .. } => 7148,
            Self::UnsupportedQuery { .. } => 7149,
            Self::AcquiredStateGone => 7150,
            Self::Displaced { .. } => 7151,
            Self::Overdue { .. } => 7187,
            Self::BlocksGone => 7188,
        })
    }
}

/// Why a socket cannot be served.
#[derive(Debug, Error)]
pub enum BindError {
    /// A process answers there already.
    #[error("already running: {} answers", path.display())]
    AlreadyRunning {
        /// The socket.
        path: PathBuf,
    },
    /// A file that is no socket lies there.
    #[error("{} is not a socket", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The address for peers is not one of this machine's loopback, or the operating system refused it.
    #[error("{address}: {error}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What is wrong with it.
        error: io::Error,
    },
}

impl Numbered for BindError {
    fn code(&self) -> Code {
        Code(match self {
            Self::AlreadyRunning { .. } => 7131,
            Self::NotASocket { .. } => 7132,
            Self::Io { .. } => 7133,
            Self::Address { .. } => 7189,
        })
    }
}
