//! A devnet as a whole: folder, chain, sockets and the making of blocks.

use std::{
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use nupeer_primitives::{Code, Numbered};
use thiserror::Error;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    chain::{Chain, ChainError},
    clock::{Clock, now_ms},
    control,
    genesis::{DEFAULT_MAGIC, Genesis, GenesisError},
    owner::{Owner, Stopped},
    profile::{Profile, SLOT_LENGTH_MS},
    server::{self, BindError, PeerSocket, Served, Socket},
    view::ChainView,
};

/// What a devnet is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the chain, the genesis and, unless said otherwise, the sockets are.
    pub folder: PathBuf,
    /// The node's socket; `node.socket` in the folder if none.
    pub socket: Option<PathBuf>,
    /// Where to listen for other nodes, on loopback; nowhere if none. Port 0 is one of the system's choice.
    pub n2n_listen: Option<SocketAddr>,
    /// The network's magic number.
    pub network_magic: u64,
    /// The consensus figures.
    pub profile: Profile,
    /// What all keys derive from.
    pub seed: u64,
    /// When slot 0 begins, in milliseconds since 1970; now if none. A folder that holds a chain keeps its own.
    pub system_start_ms: Option<u64>,
    /// Time between blocks in milliseconds; none to make them on demand alone, in slots that follow one another whatever
    /// the time is.
    pub block_interval_ms: Option<u64>,
    /// Funds beside the default accounts: address (bech32 or hexadecimal) and lovelace.
    pub funds_lovelace: Vec<(String, u64)>,
}

impl Config {
    /// The default devnet in `folder`: seed 42, magic 42, profile `fast`, a block each second.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_owned(),
            socket: None,
            n2n_listen: None,
            network_magic: DEFAULT_MAGIC,
            profile: Profile::default(),
            seed: 42,
            system_start_ms: None,
            block_interval_ms: Some(SLOT_LENGTH_MS),
            funds_lovelace: Vec::new(),
        }
    }

    fn socket_path(&self) -> PathBuf {
        self.socket
            .clone()
            .unwrap_or_else(|| self.folder.join("node.socket"))
    }

    fn control_path(&self) -> PathBuf {
        self.folder.join("control.socket")
    }
}

/// Why a devnet does not start, or ends.
#[derive(Debug, Error)]
pub enum DevnetError {
    /// The folder.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder or a file in it.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Another process has the folder.
    #[error("already running: another devnet has {}", path.display())]
    AlreadyRunning {
        /// The folder.
        path: PathBuf,
    },
    /// The genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The chain's thread ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// An interval of no time.
    #[error("an interval of {provided} ms between blocks, at least {minimum}")]
    Interval {
        /// What was asked for.
        provided: u64,
        /// The least.
        minimum: u64,
    },
}

impl Numbered for DevnetError {
    fn code(&self) -> Code {
        match self {
            Self::Folder { .. } => Code(7182),
            Self::AlreadyRunning { .. } => Code(7183),
            Self::Genesis(error) => error.code(),
            Self::Chain(error) => error.code(),
            Self::Bind(error) => error.code(),
            Self::Stopped(_) => Code(7184),
            Self::Interval { .. } => Code(7185),
        }
    }
}

/// A running devnet. Dropping it ends it, too, but does not wait.
#[derive(Debug)]
pub struct Devnet {
    genesis: Genesis,
    socket: PathBuf,
    control: PathBuf,
    n2n_address: Option<SocketAddr>,
    view: ChainView,
    owner: Owner,
    servers: JoinSet<()>,
    producer: Option<JoinHandle<DevnetError>>,
}

impl Devnet {
    /// Starts a devnet: new, or where its folder's chain ended. A first block exists when this returns, unless blocks are
    /// made on demand.
    pub async fn start(config: Config) -> Result<Self, DevnetError> {
        if let Some(provided) = config.block_interval_ms.filter(|interval| *interval == 0) {
            return Err(DevnetError::Interval {
                provided,
                minimum: 1,
            });
        }
        let lock = lock(&config.folder)?;
        let genesis = genesis(&config)?;
        let node = Socket::bind(&config.socket_path())?;
        let commands = Socket::bind(&config.control_path())?;
        let peers = config.n2n_listen.map(PeerSocket::bind).transpose()?;
        let chain = open(genesis.clone(), config.folder.join("chain")).await?;
        let clock = match config.block_interval_ms {
            Some(_) => Clock::Wall {
                system_start_ms: genesis.system_start_ms,
            },
            None => Clock::Manual,
        };
        let view = chain.view();
        let failed = |error| DevnetError::Folder {
            path: config.folder.clone(),
            error,
        };
        let owner = Owner::spawn(chain, clock, lock).map_err(failed)?;
        let mut devnet = Self {
            socket: config.socket_path(),
            control: config.control_path(),
            n2n_address: peers.as_ref().map(PeerSocket::address),
            genesis,
            view,
            owner,
            servers: JoinSet::new(),
            producer: None,
        };
        if let Some(interval_ms) = config.block_interval_ms {
            devnet.owner.tick().await??;
            devnet.producer = Some(tokio::spawn(produce(
                devnet.owner.clone(),
                clock,
                interval_ms,
            )));
        }
        devnet.serve(node, commands, peers);
        Ok(devnet)
    }

    fn serve(&mut self, node: Socket, commands: Socket, peers: Option<PeerSocket>) {
        let served = Served {
            network_magic: self.genesis.network_magic,
            security_parameter: self.genesis.profile.security_parameter(),
            view: self.view.clone(),
            owner: self.owner.clone(),
        };
        if let Some(peers) = peers {
            let served = served.clone();
            self.servers
                .spawn(async move { server::accept_peers(&peers, served).await });
        }
        let owner = self.owner.clone();
        self.servers
            .spawn(async move { server::accept(&node, served).await });
        self.servers
            .spawn(async move { control::accept(&commands, owner).await });
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The node's socket.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// The socket of the devnet's commands.
    pub fn control_path(&self) -> &Path {
        &self.control
    }

    /// Where it listens for other nodes, if it does.
    pub fn n2n_address(&self) -> Option<SocketAddr> {
        self.n2n_address
    }

    /// The chain as followers see it.
    pub fn view(&self) -> &ChainView {
        &self.view
    }

    /// The way to the chain itself.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Waits until the devnet fails: for ever, if nothing does.
    pub async fn failed(&mut self) -> DevnetError {
        match &mut self.producer {
            Some(producer) => producer.await.unwrap_or(DevnetError::Stopped(Stopped)),
            None => std::future::pending().await,
        }
    }

    /// Ends the devnet: connections, sockets, then the chain. What was committed is on disk.
    pub async fn stop(mut self) {
        if let Some(producer) = self.producer.take() {
            producer.abort();
        }
        self.servers.shutdown().await;
        self.owner.stop().await;
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer.abort();
        }
    }
}

/// Runs a devnet until `shutdown` or until it fails.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), DevnetError> {
    let mut devnet = Devnet::start(config).await?;
    let failed = tokio::select! {
        () = shutdown => None,
        error = devnet.failed() => Some(error),
    };
    devnet.stop().await;
    failed.map_or(Ok(()), Err)
}

/// Takes the folder for this process. The lock goes with the file handle, and so with the process, however it ends.
fn lock(folder: &Path) -> Result<File, DevnetError> {
    let failed = |path: &Path, error| DevnetError::Folder {
        path: path.to_owned(),
        error,
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| failed(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DevnetError::AlreadyRunning {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(&path, error)),
    }
}

/// Replaying a long chain takes a while, in which the caller's other tasks go on.
async fn open(genesis: Genesis, path: PathBuf) -> Result<Chain, DevnetError> {
    let opened = tokio::task::spawn_blocking(move || Chain::open(genesis, &path)).await;
    Ok(opened.map_err(|_| Stopped)??)
}

fn genesis(config: &Config) -> Result<Genesis, DevnetError> {
    let genesis = Genesis::new(
        config.network_magic,
        config.profile,
        config.seed,
        config.system_start_ms.unwrap_or_else(now_ms),
        &config.funds_lovelace,
    )?;
    Ok(genesis.load_or_create(&config.folder.join("genesis.json"))?)
}

/// Makes blocks at the interval until that fails. Where it is a slot's length, blocks come at the slots' beginnings.
async fn produce(owner: Owner, clock: Clock, interval_ms: u64) -> DevnetError {
    let first_ms = match clock {
        Clock::Wall { system_start_ms } if interval_ms == SLOT_LENGTH_MS => {
            SLOT_LENGTH_MS - now_ms().saturating_sub(system_start_ms) % SLOT_LENGTH_MS
        }
        _ => interval_ms,
    };
    let first = Instant::now() + Duration::from_millis(first_ms);
    let mut ticks = interval_at(first, Duration::from_millis(interval_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        match owner.tick().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(stopped) => return stopped.into(),
        }
    }
}
