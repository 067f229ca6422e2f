//! Malachite's actors: made, watched and ended here.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use malachitebft_app::config::{
    ConsensusConfig, DiscoveryConfig, P2pConfig, ProtocolNames, PubSubProtocol, ValuePayload,
    ValueSyncConfig,
};
use malachitebft_app::engine::consensus::ConsensusRef;
use malachitebft_app::engine::host::{HostMsg, HostRef};
use malachitebft_app::engine::network::{NetworkIdentity, NetworkMsg, NetworkRef};
use malachitebft_app::engine::node::NodeRef;
use malachitebft_app::engine::sync::SyncRef;
use malachitebft_app::engine::util::events::TxEvent;
use malachitebft_app::engine::util::output_port::{OutputPort, OutputPortSubscriberTrait};
use malachitebft_app::engine::wal::WalRef;
use malachitebft_app::metrics::{Metrics, SharedRegistry};
use malachitebft_app::net::Multiaddr;
use malachitebft_app::spawn;
use malachitebft_app::types::Keypair;
use malachitebft_app::types::codec::Codec;
use ractor::{Actor, ActorProcessingErr, ActorRef, async_trait};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::codec::{MESSAGE_BYTES_MAX, WireCodec};
use crate::context::{Address, Ctx};
use crate::height::HEIGHTS_AHEAD_MAX;
use crate::signing::{GuardedSigner, LocalSigner, StrictVerifier};
use crate::{Config, ConsensusError, Keys};

/// Decided blocks asked for at once by a node that fell behind.
pub(crate) const BLOCKS_PER_REQUEST_MAX: usize = 16;
/// Messages waiting for the engine's loop; Malachite waits when it is full.
const LOOP_QUEUE_MAX: usize = 64;
/// Votes and proposals kept for each of these heights.
const STATEMENTS_AHEAD_MAX: usize = 2000;
/// How long an actor may take to end before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Passes Malachite's questions on to the engine's loop. The answers go straight back through the reply ports, so a
/// slow one holds up nobody who waits for another.
struct Host {
    questions: mpsc::Sender<HostMsg<Ctx>>,
}

#[async_trait]
impl Actor for Host {
    type Msg = HostMsg<Ctx>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: HostRef<Ctx>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: HostRef<Ctx>,
        question: HostMsg<Ctx>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if self.questions.send(question).await.is_err() {
            // The loop has ended; so does everything else.
            myself.stop(None);
        }
        Ok(())
    }
}

/// The running parts of one engine.
pub(crate) struct Actors {
    node: NodeRef,
    /// Ends when the supervisor does.
    pub(crate) node_task: JoinHandle<()>,
    pub(crate) network: NetworkRef<Ctx>,
    pub(crate) consensus: ConsensusRef<Ctx>,
    wal: WalRef<Ctx>,
    host: HostRef<Ctx>,
    sync: Option<SyncRef<Ctx>>,
    stopped: bool,
}

/// Starts everything. The second part yields Malachite's questions.
pub(crate) async fn start(
    config: &Config,
    keys: &Keys,
    signer: GuardedSigner,
) -> Result<(Actors, mpsc::Receiver<HostMsg<Ctx>>), ConsensusError> {
    let settings = consensus_config(config)?;
    let sync_settings = sync_config(config);
    let wal_path = wal_path(config);
    let codec = WireCodec {
        response_bytes_max: response_bytes_max(config),
    };
    let identity = identity(config, keys, signer.unguarded(), &codec)?;

    let registry = SharedRegistry::global().with_moniker(&config.moniker);
    let metrics = Metrics::register(&registry);
    let (node, node_task) = spawn::spawn_node_actor(metrics.clone())
        .await
        .map_err(failed)?;
    // A supervisor without its children must not outlive a failed start.
    let guard = StopOnDrop(Some(node.clone()));

    let network = spawn::spawn_network_actor(&settings, &sync_settings, identity, &registry, codec)
        .await
        .map_err(failed)?;
    network.link(node.get_cell());
    refuse_if_deaf(&network, config).await?;

    let wal = spawn::spawn_wal_actor(&Ctx, codec, &wal_path, &registry, node.clone())
        .await
        .map_err(failed)?;
    wal.link(node.get_cell());

    let (questions, receiver) = mpsc::channel(LOOP_QUEUE_MAX);
    let (host, _) = Actor::spawn(None, Host { questions }, ())
        .await
        .map_err(failed)?;
    host.link(node.get_cell());

    let sync_port = Arc::new(OutputPort::new());
    let consensus = spawn::spawn_consensus_actor(
        Ctx,
        Address(keys.validator_id()),
        settings,
        Box::new(StrictVerifier::new(config.network)),
        Some(Box::new(signer)),
        network.clone(),
        host.clone(),
        wal.clone(),
        sync_port.clone(),
        metrics,
        TxEvent::new(),
        node.clone(),
    )
    .await
    .map_err(failed)?;
    consensus.link(node.get_cell());

    let sync = spawn::spawn_sync_actor(
        Ctx,
        network.clone(),
        host.clone(),
        consensus.clone(),
        codec,
        &sync_settings,
        &registry,
    )
    .await
    .map_err(failed)?;
    if let Some(sync) = &sync {
        sync.link(node.get_cell());
        sync.subscribe_to_port(&sync_port);
    }

    guard.keep();
    let actors = Actors {
        node,
        node_task,
        network,
        consensus,
        wal,
        host,
        sync,
        stopped: false,
    };
    Ok((actors, receiver))
}

impl Actors {
    /// Ends everything in an order in which nobody misses anybody, and waits until port, crash log and record of what was signed are free.
    pub(crate) async fn stop(mut self, config: &Config) {
        self.stopped = true;
        self.unlink();
        end(&self.consensus).await;
        if let Some(sync) = &self.sync {
            end(sync).await;
        }
        end(&self.host).await;
        end(&self.network).await;
        end(&self.wal).await;
        end(&self.node).await;
        wait_until_unlocked(config).await;
    }

    /// Without this the supervisor would take each orderly end for a failure.
    fn unlink(&self) {
        let node = || self.node.get_cell();
        self.consensus.unlink(node());
        self.host.unlink(node());
        self.network.unlink(node());
        self.wal.unlink(node());
        if let Some(sync) = &self.sync {
            sync.unlink(node());
        }
    }
}

impl Drop for Actors {
    /// Where the engine's future is dropped rather than asked to stop: the children go with their supervisor.
    fn drop(&mut self) {
        if !self.stopped {
            self.node.stop(None);
        }
    }
}

struct StopOnDrop(Option<NodeRef>);

impl StopOnDrop {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(node) = &self.0 {
            node.stop(None);
        }
    }
}

async fn end<M: ractor::Message>(actor: &ActorRef<M>) {
    if actor.stop_and_wait(None, Some(STOP_TIMEOUT)).await.is_err() {
        // Ended already, or stuck: an actor that halted for safety's sake never comes back to its mailbox.
        let _ = actor.kill_and_wait(Some(STOP_TIMEOUT)).await;
    }
}

fn failed(error: impl std::fmt::Display) -> ConsensusError {
    // With `{:#}` a report shows its causes too.
    ConsensusError::Start(format!("{error:#}"))
}

fn wal_path(config: &Config) -> PathBuf {
    config.home.join("consensus.wal")
}

/// The height that the crash log is of, 0 where it is new. Its head is a version (4 bytes) and the height (8 bytes, big-endian), which Malachite
/// syncs before anything is signed at that height.
pub(crate) fn logged_height(config: &Config) -> Result<u64, ConsensusError> {
    let (path, mut head) = (wal_path(config), Vec::new());
    let read = open(&path).and_then(|file| file.take(12).read_to_end(&mut head));
    read.map_err(|source| ConsensusError::Io { path, source })?;
    let height = head.get(4..12).and_then(|bytes| bytes.try_into().ok());
    Ok(height.map_or(0, u64::from_be_bytes))
}

/// The crash log is held under an advisory lock. Asking for it first gives the common mistake an error of its own.
pub(crate) fn refuse_if_locked(config: &Config) -> Result<(), ConsensusError> {
    let (home, wal_path) = (&config.home, &wal_path(config));
    let io = |source| ConsensusError::Io {
        path: home.clone(),
        source,
    };
    std::fs::create_dir_all(home).map_err(io)?;
    let file = open(wal_path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ConsensusError::Locked { home: home.clone() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// The crash log's thread lets go of the file a moment after its actor has ended, and so does whoever was noting a signature.
async fn wait_until_unlocked(config: &Config) {
    let paths = [wal_path(config), config.last_signed.clone()];
    let wait = tokio::task::spawn_blocking(move || {
        // Who never signed has no record.
        let there = paths.iter().filter_map(|path| File::open(path).ok());
        there.for_each(|file| drop(file.lock()));
    });
    let _ = tokio::time::timeout(STOP_TIMEOUT, wait).await;
}

/// The network's task ends at once, silently, where it cannot listen; then it answers nothing any more.
async fn refuse_if_deaf(network: &NetworkRef<Ctx>, config: &Config) -> Result<(), ConsensusError> {
    let deaf = || ConsensusError::Listen {
        address: config.listen.clone(),
    };
    match ractor::call!(network, NetworkMsg::DumpState) {
        Ok(Some(_)) => Ok(()),
        _ => Err(deaf()),
    }
}

fn identity(
    config: &Config,
    keys: &Keys,
    signer: &LocalSigner,
    codec: &WireCodec,
) -> Result<NetworkIdentity, ConsensusError> {
    let keypair = Keypair::ed25519_from_bytes(keys.network_seed).map_err(failed)?;
    let proof = signer.prove_peer(keypair.public().to_peer_id().to_bytes());
    let proof = codec.encode(&proof).map_err(failed)?;
    let address = keys.validator_id().to_string();
    Ok(NetworkIdentity::new_validator(
        config.moniker.clone(),
        keypair,
        address,
        proof,
    ))
}

/// Room for two blocks and their certificates.
fn response_bytes_max(config: &Config) -> usize {
    config
        .block_bytes_max
        .saturating_mul(2)
        .saturating_add(1 << 20)
}

fn consensus_config(config: &Config) -> Result<ConsensusConfig, ConsensusError> {
    let peers = config.peers.iter().map(|peer| multiaddr("peers", peer));
    let network = config.network;
    let mut p2p = P2pConfig {
        listen_addr: multiaddr("listen", &config.listen)?,
        persistent_peers: peers.collect::<Result<_, _>>()?,
        discovery: DiscoveryConfig {
            enabled: false,
            max_connections_per_ip: config.connections_per_ip_max,
            ..DiscoveryConfig::default()
        },
        // Sets are small and fully connected: gossip would only add hops.
        protocol: PubSubProtocol::Broadcast,
        protocol_names: ProtocolNames {
            consensus: format!("/nupeer/consensus/1/{network}"),
            sync: format!("/nupeer/sync/1/{network}"),
            validator_proof: format!("/nupeer/validator-proof/1/{network}"),
            ..ProtocolNames::default()
        },
        ..P2pConfig::default()
    };
    p2p.pubsub_max_size.0 = MESSAGE_BYTES_MAX as u64;
    p2p.rpc_max_size.0 = response_bytes_max(config) as u64;
    Ok(ConsensusConfig {
        enabled: true,
        p2p,
        value_payload: ValuePayload::ProposalAndParts,
        queue_capacity: HEIGHTS_AHEAD_MAX as usize,
        queue_per_height_capacity: STATEMENTS_AHEAD_MAX,
    })
}

fn sync_config(config: &Config) -> ValueSyncConfig {
    let mut sync = ValueSyncConfig {
        enabled: true,
        status_update_interval: config.status_interval,
        batch_size: BLOCKS_PER_REQUEST_MAX,
        ..ValueSyncConfig::default()
    };
    // The answer's frame has to fit as well.
    sync.max_response_size.0 = response_bytes_max(config).saturating_sub(64 << 10) as u64;
    sync
}

fn multiaddr(setting: &'static str, provided: &str) -> Result<Multiaddr, ConsensusError> {
    let refuse = |reason: String| {
        let provided = provided.to_owned();
        ConsensusError::Config {
            setting,
            provided,
            reason,
        }
    };
    let address: Multiaddr = provided
        .parse()
        .map_err(|e| refuse(format!("no multiaddr: {e}")))?;
    if address.protocol_stack().any(|protocol| protocol == "tcp") {
        Ok(address)
    } else {
        Err(refuse("only TCP is spoken".into()))
    }
}
