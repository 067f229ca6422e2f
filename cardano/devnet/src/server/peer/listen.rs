//! The TCP socket that peers connect to. It is on loopback alone: every key of a devnet derives from a seed that anybody may know.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::server::{Listen, bind::ACCEPT_PAUSE, error::BindError};

/// What the system keeps of each connection on its way in and out, in bytes; unasked it keeps megabytes for who does not read.
const BUFFER_BYTES: u32 = 256 << 10;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// A listening socket for peers.
#[derive(Debug)]
pub(crate) struct PeerSocket {
    listener: TcpListener,
    address: SocketAddr,
}

impl PeerSocket {
    /// Listens at `address`, with a port of the system's choice if its port is 0. An address that others could reach is refused.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |error| BindError::Address { address, error };
        if !address.ip().is_loopback() {
            let reason = "not a loopback address: a devnet's keys are anybody's";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Or a restart would have to wait for what the system remembers of ended connections.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(BUFFER_BYTES)?;
    socket.set_recv_buffer_size(BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listen for PeerSocket {
    type Stream = TcpStream;

    async fn next(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Without it small answers wait for one another; a socket that refuses it works all the same.
                    let _ = stream.set_nodelay(true);
                    return stream;
                }
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept a peer");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_reach_is_refused() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let address = address.parse().expect("an address");
            let error = PeerSocket::bind(address).expect_err("is refused");
            assert!(
                matches!(&error, BindError::Address { error, .. } if error.kind() == io::ErrorKind::InvalidInput),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn an_address_has_one_listener() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let first = PeerSocket::bind(any).expect("binds");
        let error = PeerSocket::bind(first.address());
        let error = error.expect_err("is refused");
        assert!(
            matches!(&error, BindError::Address { error, .. } if error.kind() == io::ErrorKind::AddrInUse),
            "{error}"
        );
    }
}
