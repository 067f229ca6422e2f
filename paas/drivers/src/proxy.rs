//! The agent's TCP proxy: a port of this machine for a workload's published port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nupeer_primitives::{Code, Numbered};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use crate::ingress::Ingress;

/// Bytes in flight per direction of a connection.
const BUFFER_BYTES: usize = 16 << 10;
/// Pauses between attempts to reach a workload that does not listen yet.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How much a proxy takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The address to listen at.
    pub listen: IpAddr,
    /// The port to listen at if it is free; otherwise, and where it is 0, the kernel chooses one.
    pub port: u16,
    /// Connections at a time. Further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a connection may carry nothing in either direction.
    pub idle_timeout: Duration,
    /// How long a workload that does not listen yet is tried again: it may just have been started.
    pub connect_patience: Duration,
}

impl ProxyConfig {
    /// Listens at `listen` with usual bounds.
    pub fn new(listen: IpAddr) -> Self {
        ProxyConfig {
            listen,
            port: 0,
            connections_max: 128,
            idle_timeout: Duration::from_secs(300),
            connect_patience: Duration::from_millis(500),
        }
    }
}

/// Why a proxy did not start. The numbers are NP8080 and NP8081.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address cannot be listened at.
    #[error("listening at {listen}: {source}")]
    Listen {
        /// The address.
        listen: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The workload's end cannot be watched.
    #[error("watching the workload: {0}")]
    Watch(io::Error),
}

impl Numbered for ProxyError {
    fn code(&self) -> Code {
        match self {
            ProxyError::Listen { .. } => Code(8080),
            ProxyError::Watch(_) => Code(8081),
        }
    }
}

/// A running proxy. It ends with the workload or when this is dropped, and cuts its connections then.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    task: JoinHandle<()>,
    traffic: Arc<Traffic>,
}

/// What went through a proxy.
#[derive(Debug, Default)]
struct Traffic {
    to_workload_bytes: AtomicU64,
    from_workload_bytes: AtomicU64,
}

impl Proxy {
    /// Starts a proxy to `ingress`. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub async fn start(ingress: Ingress, config: ProxyConfig) -> Result<Self, ProxyError> {
        let failed = |source| ProxyError::Listen {
            listen: config.listen,
            source,
        };
        let listener = listener(&config).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let process = ingress
            .process()
            .try_clone_to_owned()
            .map_err(ProxyError::Watch)?;
        let ended = watched(process).map_err(ProxyError::Watch)?;
        let traffic = Arc::new(Traffic::default());
        let serving = serve(listener, Arc::new(ingress), config, traffic.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = serving => {}
                _ = ended.readable() => {}
            }
        });
        Ok(Proxy {
            address,
            task,
            traffic,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes carried so far, to the workload and from it.
    pub fn traffic_bytes(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (
            load(&self.traffic.to_workload_bytes),
            load(&self.traffic.from_workload_bytes),
        )
    }

    /// Waits until the workload has ended and its connections are cut.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The port that was asked for, else any.
async fn listener(config: &ProxyConfig) -> io::Result<TcpListener> {
    match TcpListener::bind((config.listen, config.port)).await {
        Err(_) if config.port != 0 => TcpListener::bind((config.listen, 0)).await,
        done => done,
    }
}

/// Waits until the workload takes a connection on its published port, for as long as `patience`.
///
/// # Errors
/// It did not; what the last attempt met.
pub async fn reach(ingress: &Ingress, patience: Duration) -> io::Result<()> {
    connect(ingress, patience).await.map(drop)
}

/// A process handle as tokio watches it.
#[allow(unsafe_code)]
fn watched(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open descriptor for as long as it lives, which is as long as it is watched.
    unsafe { AsyncFd::register(process) }.map_err(io::Error::from)
}

/// Accepts for ever. Dropping it cuts all connections: they live in its set.
async fn serve(
    listener: TcpListener,
    ingress: Arc<Ingress>,
    config: ProxyConfig,
    traffic: Arc<Traffic>,
) {
    let slots = Arc::new(Semaphore::new(config.connections_max.max(1)));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed; were it, serving no more would be right.
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let outside = match listener.accept().await {
            Ok((outside, _)) => outside,
            Err(error) => {
                // The client has gone, or this process is out of descriptors, which closing connections cures.
                tracing::debug!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let (ingress, config, traffic) = (ingress.clone(), config.clone(), traffic.clone());
        connections.spawn(async move {
            let _slot = slot;
            match connect(&ingress, config.connect_patience).await {
                Ok(inside) => carry(outside, inside, config.idle_timeout, &traffic).await,
                Err(error) => tracing::debug!(%error, "the workload does not listen"),
            }
        });
    }
}

async fn connect(ingress: &Ingress, patience: Duration) -> io::Result<TcpStream> {
    let start = Instant::now();
    loop {
        match socket(ingress).await?.connect(ingress.address()).await {
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused
                    && start.elapsed() < patience => {}
            done => return done,
        }
        // Nobody tells when a port begins to be listened at: a quarter of the time waited so far is lost at most.
        sleep((start.elapsed() / 4).clamp(PAUSE_MIN, PAUSE_MAX)).await;
    }
}

/// A socket in the workload's namespace.
async fn socket(ingress: &Ingress) -> io::Result<TcpSocket> {
    let (send, receive) = oneshot::channel();
    ingress.socket(move |made| drop(send.send(made)))?;
    let made = receive
        .await
        .map_err(|_| io::Error::other("the thread that enters the namespace died"))??;
    Ok(TcpSocket::from_std_stream(made.into()))
}

/// Carries both directions until both have ended, one has failed, or nothing has moved for `idle`. Each direction ends by
/// itself: a client that has sent its request and closed its half still gets the answer.
async fn carry(outside: TcpStream, inside: TcpStream, idle: Duration, traffic: &Traffic) {
    let _ = outside.set_nodelay(true);
    let _ = inside.set_nodelay(true);
    let (outside_read, outside_write) = outside.into_split();
    let (inside_read, inside_write) = inside.into_split();
    let moved = LastMove::new();
    let both = async {
        tokio::try_join!(
            one_way(
                outside_read,
                inside_write,
                &moved,
                &traffic.to_workload_bytes
            ),
            one_way(
                inside_read,
                outside_write,
                &moved,
                &traffic.from_workload_bytes
            ),
        )
    };
    tokio::pin!(both);
    loop {
        match timeout_at(moved.at() + idle, &mut both).await {
            Ok(_) => return,
            Err(_) if moved.at() + idle > Instant::now() => {}
            Err(_) => return,
        }
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    moved: &LastMove,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0u8; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        moved.now();
        to.write_all(&buffer[..count]).await?;
        moved.now();
        bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// When a connection last carried anything.
struct LastMove {
    origin: Instant,
    millis: AtomicU64,
}

impl LastMove {
    fn new() -> Self {
        LastMove {
            origin: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    fn now(&self) {
        let millis = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.origin + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}
