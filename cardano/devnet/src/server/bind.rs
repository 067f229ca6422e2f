//! Unix sockets: refusing to disturb a running server, replacing what a dead one left.

use std::{
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::{UnixListener, UnixStream};

use super::{Listen, error::BindError};

/// How long nothing is accepted when the system gives no connection: it is out of descriptors, which connections that end cure.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket whose file goes away with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`. A file there is replaced only if it is a socket at which nobody answers.
    pub(crate) fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |error| BindError::Io {
            path: path.to_owned(),
            error,
        };
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NotASocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) => remove_stale(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "cannot accept a client");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Listen for Socket {
    type Stream = UnixStream;

    async fn next(&self) -> UnixStream {
        self.accept().await
    }
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |error| BindError::Io {
        path: path.to_owned(),
        error,
    };
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(BindError::AlreadyRunning {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nothing is lost if the file stays: the next server finds it stale.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.socket");
        let first = Socket::bind(&path).expect("binds");
        let error = Socket::bind(&path).expect_err("is refused");
        assert!(matches!(error, BindError::AlreadyRunning { .. }), "{error}");
        drop(first);
        // What a killed process leaves: a socket file without a listener.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
        assert!(path.exists());
        Socket::bind(&path).expect("replaces");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.socket");
        std::fs::write(&path, "precious").expect("writes");
        let error = Socket::bind(&path).expect_err("is refused");
        assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "precious");
    }
}
