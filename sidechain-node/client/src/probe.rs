//! Whether a published port is answered.

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::error::ClientError;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How long a connection must be kept where nothing comes over it: an agent's proxy takes every connection, and lets go of it when the
/// workload does not take one in turn, which it tries for half of this time.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Makes sure that something takes connections at `address` (`host:port`). Nothing is sent.
///
/// # Errors
/// [`ClientError::Silent`].
pub fn probe(address: &str) -> Result<(), ClientError> {
    let silent = |reason: String| ClientError::Silent {
        address: address.to_owned(),
        reason,
    };
    let targets = address.to_socket_addrs();
    let targets = targets.map_err(|error| silent(error.to_string()))?;
    let mut last = "no such address".to_owned();
    for target in targets {
        match answers(&target) {
            Ok(()) => return Ok(()),
            Err(reason) => last = reason,
        }
    }
    Err(silent(last))
}

fn answers(target: &SocketAddr) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(target, CONNECT_WITHIN).map_err(told)?;
    stream.set_read_timeout(Some(KEPT_FOR)).map_err(told)?;
    match stream.read(&mut [0]) {
        Ok(0) => Err("the connection is closed at once".to_owned()),
        Ok(_) => Ok(()),
        // Whoever waits to be asked something answers.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(told(error)),
    }
}
