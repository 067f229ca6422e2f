//! The way into a workload's network namespace from outside.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// A workload's published port, and handles on its network namespace and its first process. While the handles are
/// held the kernel keeps the namespace, so whoever holds them lets go when [`Ingress::process`] ends.
#[derive(Debug)]
pub struct Ingress {
    namespace: File,
    process: OwnedFd,
    port: u16,
}

impl Ingress {
    pub(crate) fn new(namespace: File, process: OwnedFd, port: u16) -> Self {
        Ingress {
            namespace,
            process,
            port,
        }
    }

    /// Where the workload listens, as seen inside its namespace.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A handle that becomes readable when the workload's first process has ended, and with it the workload.
    pub fn process(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Makes a TCP socket that lives in the workload's namespace and hands it to `done`: whatever this process connects
    /// it to is in there.
    ///
    /// A socket belongs to the namespace of the thread that makes it, so a thread of its own enters the namespace,
    /// makes the socket, calls `done` and ends. No other thread ever leaves the host's network.
    ///
    /// # Errors
    /// No thread could be started. `done` is told when the namespace could not be entered (the caller is not root).
    pub fn socket(
        &self,
        done: impl FnOnce(io::Result<OwnedFd>) + Send + 'static,
    ) -> io::Result<()> {
        let namespace = self.namespace.try_clone()?;
        let inside = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            Ok(socket(AddressFamily::Inet, SockType::Stream, flags, None)?)
        };
        thread::Builder::new()
            .name("into-netns".to_owned())
            .stack_size(64 << 10)
            .spawn(move || done(inside()))
            .map(drop)
    }
}
