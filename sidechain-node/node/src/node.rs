//! Putting a node together, running it, and stopping it.

use std::{
    future::Future,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nupeer_cardano_client::{Network, Node as CardanoNode};
use nupeer_consensus::{Config as ConsensusConfig, ConsensusError, Keys as ConsensusKeys};
use nupeer_contracts::{BridgeScripts, Validator};
use nupeer_observe::Observation;
use nupeer_primitives::{CardanoPoint, Hash};
use nupeer_runtime::{Chain, Genesis, genesis::CardanoSettings};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use crate::{
    anchor_signer,
    app::{App, AppError, Executor, executor::Parts},
    cardano::{CardanoView, FollowedCardano, NoCardano, Observe, RolledBack, WatchedCardano},
    clock::Clock,
    config::NodeConfig,
    error::NodeError,
    gossip::{Gossip, GossipConfig},
    handle::NodeHandle,
    intake::Intake,
    keys::NodeKeys,
    mempool::{Limits, Mempool},
    store::{Store, StoreConfig},
    verified::VerifiedCache,
};

/// Times from block to block that a node is run with, in ms: below, nothing else would get its turn; above, who waits for a block takes the chain for dead.
pub const BLOCK_TARGET_MS: RangeInclusive<u64> = 10..=60_000;

/// Runs a node until `shutdown` completes or a part of it fails.
pub async fn run(
    config: NodeConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), NodeError> {
    let mut node = Node::start(config, None).await?;
    tokio::select! {
        () = shutdown => node.stop().await,
        ended = node.ended() => ended,
    }
}

/// Takes a rollback of Cardano deeper than k off the record of a node that does not run: its operator has looked into it. Tells which it was;
/// `None` where none is on record, or the chain follows no Cardano.
///
/// # Errors
/// Settings or genesis are wrong, the follower's store fails, or a node has it open.
pub fn acknowledge_rollback(config: &NodeConfig) -> Result<Option<RolledBack>, NodeError> {
    let genesis = read_genesis(config)?;
    let chain = genesis.chain()?;
    let (_, followed) = view_of(config, &genesis, &chain, None)?;
    match followed {
        Some(followed) => Ok(followed.acknowledge_rollback()?),
        None => Ok(None),
    }
}

/// A node that runs in this process.
pub struct Node {
    handle: NodeHandle,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), NodeError>>,
    executor: Arc<Executor>,
    /// The first failure of a part.
    outcome: Result<(), NodeError>,
}

impl Node {
    /// Starts a node. On a chain that follows Cardano it sees Cardano through `cardano`, or if that is not given, through
    /// the socket that the settings name.
    pub async fn start(
        config: NodeConfig,
        cardano: Option<Arc<dyn CardanoView>>,
    ) -> Result<Node, NodeError> {
        let opening = tokio::task::spawn_blocking(move || Opened::open(config, cardano));
        let Opened {
            config,
            keys,
            genesis,
            executor,
            followed,
        } = opening.await.map_err(panicked)??;
        let boot = boot();
        let gossip = gossip_config(&config, &keys, executor.chain(), boot);
        let intake = executor.intake().clone();
        let (gossip, outbox) = Gossip::bind(&gossip, intake, Clock::system())?;
        let app = Arc::new(App::new(executor.clone())?);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let handle = NodeHandle::new(
            genesis,
            app.clone(),
            executor.clone(),
            outbox,
            gossip.status(),
        );
        if let Some(followed) = followed {
            tasks.spawn(follow(followed, stopped.clone()));
        }
        if handle.genesis().bridge.is_some() {
            tasks.spawn(anchor_signer::run(
                handle.clone(),
                keys.bridge.clone(),
                stopped.clone(),
            ));
        }
        tasks.spawn(consensus(config, keys, boot, app, stopped.clone()));
        tasks.spawn(async move {
            gossip.run(asked(stopped)).await;
            Ok(())
        });
        Ok(Node {
            handle,
            stop,
            tasks,
            executor,
            outcome: Ok(()),
        })
    }

    /// The running node, for whoever wants to ask or submit.
    pub fn handle(&self) -> NodeHandle {
        self.handle.clone()
    }

    /// Asks all parts to stop and waits until they have.
    pub async fn stop(mut self) -> Result<(), NodeError> {
        self.finish().await
    }

    /// Waits until a part ends by itself, then stops the others. Cancelling loses nothing.
    pub async fn ended(&mut self) -> Result<(), NodeError> {
        if let Some(first) = self.tasks.join_next().await {
            self.note(first);
        }
        self.finish().await
    }

    async fn finish(&mut self) -> Result<(), NodeError> {
        self.stop.send_replace(true);
        self.executor.stop();
        while let Some(ended) = self.tasks.join_next().await {
            self.note(ended);
        }
        std::mem::replace(&mut self.outcome, Ok(()))
    }

    fn note(&mut self, ended: Result<Result<(), NodeError>, JoinError>) {
        let ended = ended.map_err(panicked).and_then(|outcome| outcome);
        let asked = *self.stop.borrow() && ended.as_ref().is_err_and(is_stopping);
        if self.outcome.is_ok() && !asked {
            self.outcome = ended;
        }
    }
}

/// Whether a part failed only because it was waiting when the node was asked to stop.
fn is_stopping(error: &NodeError) -> bool {
    let NodeError::Consensus(ConsensusError::Application { source, .. }) = error else {
        return false;
    };
    matches!(source.downcast_ref(), Some(AppError::Stopping))
}

/// A node whose files are read and whose store is open.
struct Opened {
    config: NodeConfig,
    keys: NodeKeys,
    genesis: Genesis,
    executor: Arc<Executor>,
    /// The node's own follower, to be run.
    followed: Option<FollowedCardano>,
}

impl Opened {
    fn open(
        config: NodeConfig,
        cardano: Option<Arc<dyn CardanoView>>,
    ) -> Result<Opened, NodeError> {
        check_block_target(config.block_target_ms)?;
        let keys = NodeKeys::read(&config)?;
        let genesis = read_genesis(&config)?;
        let chain = genesis.chain()?;
        check_bridge_key(&genesis, &keys)?;
        check_scripts(&genesis)?;
        let (cardano, followed) = view_of(&config, &genesis, &chain, cardano)?;
        let store = Store::open(&store_config(&config), &genesis)?;
        let (verified, clock) = (Arc::new(VerifiedCache::new(chain.clone())), Clock::system());
        let mempool = Mempool::new(Limits::default());
        let intake = Intake::new(store.clone(), verified.clone(), mempool, clock.clone());
        let id = keys.consensus_public().hash();
        if chain.validators.get(&id).is_none() {
            tracing::warn!(%id, "this key is no validator's: the node follows without voting");
        }
        let intake = Arc::new(intake);
        let parts = Parts {
            chain,
            id,
            store,
            verified,
            intake,
            cardano,
            clock,
        };
        Ok(Opened {
            config,
            keys,
            genesis,
            executor: Arc::new(Executor::new(parts)),
            followed,
        })
    }
}

fn check_block_target(provided: u64) -> Result<(), NodeError> {
    if BLOCK_TARGET_MS.contains(&provided) {
        return Ok(());
    }
    let (minimum, maximum) = BLOCK_TARGET_MS.into_inner();
    Err(NodeError::BlockTarget {
        provided,
        minimum,
        maximum,
    })
}

fn read_genesis(config: &NodeConfig) -> Result<Genesis, NodeError> {
    let path = config.genesis.clone();
    let text = std::fs::read_to_string(&path).map_err(|e| NodeError::GenesisFile {
        path,
        reason: e.to_string(),
    })?;
    Ok(Genesis::from_json(&text)?)
}

fn check_bridge_key(genesis: &Genesis, keys: &NodeKeys) -> Result<(), NodeError> {
    let (own, provided) = (keys.consensus_public(), keys.bridge_public());
    match genesis
        .validators
        .iter()
        .find(|validator| validator.consensus_key == own)
    {
        Some(validator) if validator.bridge_key != provided => Err(NodeError::BridgeKey {
            provided,
            expected: validator.bridge_key,
        }),
        _ => Ok(()),
    }
}

/// What a genesis says of its bridge's scripts follows from the seed; whoever wrote it need not be believed.
fn check_scripts(genesis: &Genesis) -> Result<(), NodeError> {
    let Some(bridge) = &genesis.bridge else {
        return Ok(());
    };
    let scripts = BridgeScripts::derive(bridge.network_magic, bridge.seed)?;
    let scope = bridge.scope;
    for (what, provided, validator) in [
        ("genesis policy", scope.genesis, Validator::Genesis),
        ("committee", bridge.committee, Validator::Committee),
        ("anchor", scope.anchor, Validator::Anchor),
        ("deposit", scope.deposit, Validator::Deposit),
        ("head", scope.head, Validator::Head),
        ("vault", scope.vault, Validator::Vault),
    ] {
        let expected = scripts.hash(validator);
        if provided != expected {
            return Err(NodeError::BridgeScripts {
                what,
                provided,
                expected,
            });
        }
    }
    Ok(())
}

/// The view of Cardano, and the follower to run where it is this node's own.
fn view_of(
    config: &NodeConfig,
    genesis: &Genesis,
    chain: &Chain,
    given: Option<Arc<dyn CardanoView>>,
) -> Result<(Arc<dyn CardanoView>, Option<FollowedCardano>), NodeError> {
    let from = point_to_follow_from(config)?;
    let Some(settings) = chain.follows else {
        return watched(config, from);
    };
    if let Some(view) = given {
        return Ok((view, None));
    }
    let (magic, expected) = (settings.magic, settings.from);
    if let Some(provided) = from.filter(|provided| *provided != expected) {
        return Err(NodeError::OtherPoint { provided, expected });
    }
    if config.cardano_socket.as_os_str().is_empty() {
        return Err(NodeError::CardanoMissing { magic });
    }
    let network = network(config)?;
    if network.magic != u64::from(magic) {
        let (provided, expected) = (network.magic, magic);
        return Err(NodeError::OtherCardano { provided, expected });
    }
    let (folder, node) = (
        Store::cardano_folder(&config.data_folder),
        CardanoNode::new(&config.cardano_socket, network),
    );
    let followed = FollowedCardano::open(&folder, node, settings, observe(genesis))?;
    Ok((Arc::new(followed.clone()), Some(followed)))
}

/// Cardano beside a chain that follows none, where the settings say after which block.
fn watched(
    config: &NodeConfig,
    from: Option<CardanoPoint>,
) -> Result<(Arc<dyn CardanoView>, Option<FollowedCardano>), NodeError> {
    let Some(from) = from else {
        return Ok((Arc::new(NoCardano), None));
    };
    if config.cardano_socket.as_os_str().is_empty() {
        let missing = "cardano_socket names no Cardano node to follow from there";
        return Err(NodeError::CardanoFrom(missing.into()));
    }
    let network = network(config)?;
    let figure = |figure: u64| {
        u32::try_from(figure).map_err(|error| NodeError::CardanoNetwork(error.to_string()))
    };
    let settings = CardanoSettings {
        magic: figure(network.magic)?,
        security_parameter: figure(network.security_parameter_blocks)?,
        from,
    };
    let folder = Store::cardano_folder(&config.data_folder);
    let node = CardanoNode::new(&config.cardano_socket, network);
    let followed = FollowedCardano::watch(&folder, node, settings)?;
    Ok((Arc::new(WatchedCardano(followed.clone())), Some(followed)))
}

fn network(config: &NodeConfig) -> Result<Network, NodeError> {
    let network = Network::named_or_file(&config.cardano_network.to_string_lossy());
    network.map_err(|error| NodeError::CardanoNetwork(error.to_string()))
}

fn point_to_follow_from(config: &NodeConfig) -> Result<Option<CardanoPoint>, NodeError> {
    let named = Some(&config.cardano_from).filter(|text| !text.is_empty());
    let point = named.map(|text| text.parse::<CardanoPoint>()).transpose();
    point.map_err(|error| NodeError::CardanoFrom(error.to_string()))
}

/// What this chain observes of a Cardano block: what concerns its bridge.
fn observe(genesis: &Genesis) -> Arc<Observe> {
    match &genesis.bridge {
        None => Arc::new(|_| Ok(Vec::new())),
        Some(settings) => {
            let scope = settings.scope;
            Arc::new(move |block| {
                let seen = nupeer_observe::observe(&scope, block);
                let seen = seen.map_err(|error| error.to_string())?;
                Ok(seen.iter().map(Observation::to_bytes).collect())
            })
        }
    }
}

/// Follows Cardano until the node stops. A follower that cannot go on does not end the node: the chain goes on without
/// bridge actions, and the status says why.
async fn follow(
    followed: FollowedCardano,
    stopped: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let ended = tokio::select! {
        ended = followed.follower().run(asked(stopped.clone())) => ended,
        () = followed.tell_of_rollbacks() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::error!(%error, "this node no longer follows Cardano; it needs its operator");
        followed.halt(error.to_string());
        asked(stopped).await;
    }
    Ok(())
}

fn store_config(config: &NodeConfig) -> StoreConfig {
    let node_cache_bytes = config.state_cache_mib.saturating_mul(1 << 20);
    StoreConfig {
        node_cache_bytes,
        ..StoreConfig::new(&config.data_folder)
    }
}

fn gossip_config(config: &NodeConfig, keys: &NodeKeys, chain: &Chain, boot: u64) -> GossipConfig {
    GossipConfig {
        chain: chain.id,
        transaction_bytes_max: chain.limits.transaction_bytes_max as usize,
        listen: config.gossip_listen.clone(),
        peers: config.gossip_peers.clone(),
        seed: keys.network_seed,
        boot,
    }
}

async fn consensus(
    config: NodeConfig,
    keys: NodeKeys,
    boot: u64,
    app: Arc<App>,
    stopped: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let chain = app.chain();
    let settings = ConsensusConfig {
        listen: config.consensus_listen,
        peers: config.consensus_peers,
        moniker: config.moniker,
        block_target: Duration::from_millis(config.block_target_ms),
        block_bytes_max: chain.limits.block_bytes_max as usize,
        last_signed: last_signed(&config.consensus_key, &chain.id),
        ..ConsensusConfig::new(chain.id, Store::consensus_folder(&config.data_folder))
    };
    let network_seed = keys.consensus_network_seed(boot);
    let keys = ConsensusKeys {
        consensus: keys.consensus,
        network_seed,
    };
    Ok(nupeer_consensus::run(settings, keys, app, asked(stopped)).await?)
}

/// The record of what a key signed last on a chain: beside the key, since it must outlive the data folder and move when the key does.
fn last_signed(key: &Path, chain: &Hash) -> PathBuf {
    let name = key.file_name().unwrap_or_default().to_string_lossy();
    let chain = hex::encode(&chain.0[..8]);
    key.with_file_name(format!("{name}.last-signed.{chain}"))
}

/// Completes when the node is asked to stop, or nobody is left to ask.
async fn asked(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn panicked(error: JoinError) -> NodeError {
    NodeError::Panicked(error.to_string())
}

/// A number that no earlier boot of this node had.
fn boot() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
