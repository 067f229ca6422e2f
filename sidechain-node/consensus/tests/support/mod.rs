//! A small chain to order bytes for, kept in files, and clusters of engines on loopback.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use nupeer_consensus::{
    Application, ApplicationError, Block, Config, ConsensusError, Evidence, Keys, Proposal,
    Timeouts, Undecided, Verdict, run,
};
use nupeer_primitives::cbor;
use nupeer_primitives::consensus::{Certificate, Validator, ValidatorId, ValidatorSet};
use nupeer_primitives::{Hash, Hash28, Height, blake2b_256};
use tokio::net::TcpSocket;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{Instrument, error_span};
use tracing_subscriber::EnvFilter;

pub(crate) const NETWORK: Hash = Hash([9; 32]);
/// Nothing on loopback takes this long, however busy the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How a validator of a test misbehaves, or what is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// Proposes blocks that no other accepts.
    pub(crate) builds_invalid: bool,
    /// Cannot judge anything for now.
    pub(crate) judges_nothing: bool,
    /// Fails to store a decided block from this height on.
    pub(crate) fails_at: Option<u64>,
    /// Bytes of payload in each block.
    pub(crate) payload_bytes: usize,
}

type Decided = BTreeMap<u64, (Vec<u8>, Certificate)>;

/// The application: a chain of blocks `height ‖ builder ‖ parent ‖ valid ‖ salt ‖ payload`.
pub(crate) struct Chain {
    folder: PathBuf,
    id: ValidatorId,
    set: ValidatorSet,
    salt: u64,
    pub(crate) behaviour: watch::Sender<Behaviour>,
    decided: Mutex<Decided>,
    /// Held while an undecided block is written: the same one may come twice at a time.
    writing: Mutex<()>,
    tip: watch::Sender<u64>,
    /// How often it was asked to judge.
    asked: watch::Sender<u64>,
    /// How often it was asked to build.
    builds: watch::Sender<u64>,
    evidence: watch::Sender<Vec<Evidence>>,
    listening: watch::Sender<Option<String>>,
    halted: watch::Sender<Option<String>>,
    /// How its engine ended.
    ended: watch::Sender<Option<String>>,
}

const HEADER: usize = 8 + 28 + 32 + 1 + 8;

fn header(bytes: &[u8]) -> Option<(Height, ValidatorId, Hash, bool)> {
    if bytes.len() < HEADER {
        return None;
    }
    let height = u64::from_be_bytes(bytes[..8].try_into().ok()?);
    let builder = Hash28(bytes[8..36].try_into().ok()?);
    let parent = Hash(bytes[36..68].try_into().ok()?);
    Some((Height(height), builder, parent, bytes[68] == 1))
}

/// A file is either there whole and for good, or not there.
fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("part");
    let mut file = fs::File::create(&temporary)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(path.parent().unwrap())?.sync_all()
}

fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let whole = entries.filter(|path| path.extension().is_none());
    whole.map(|path| fs::read(path).unwrap()).collect()
}

type StoredUndecided = (u64, u32, Option<u32>, ValidatorId, minicbor::bytes::ByteVec);

impl Chain {
    pub(crate) fn open(folder: &Path, id: ValidatorId, set: ValidatorSet, salt: u64) -> Self {
        for part in ["decided", "undecided"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let mut decided = Decided::new();
        for bytes in read_all(&folder.join("decided")) {
            let (block, certificate): (minicbor::bytes::ByteVec, Certificate) =
                cbor::decode(&bytes).unwrap();
            decided.insert(certificate.height.0, (block.into(), certificate));
        }
        let tip = decided.keys().next_back().copied().unwrap_or(0);
        Chain {
            folder: folder.to_owned(),
            id,
            set,
            salt,
            behaviour: watch::Sender::new(Behaviour::default()),
            decided: Mutex::new(decided),
            writing: Mutex::new(()),
            tip: watch::Sender::new(tip),
            asked: watch::Sender::new(0),
            builds: watch::Sender::new(0),
            evidence: watch::Sender::new(Vec::new()),
            listening: watch::Sender::new(None),
            halted: watch::Sender::new(None),
            ended: watch::Sender::new(None),
        }
    }

    pub(crate) fn tip(&self) -> u64 {
        *self.tip.borrow()
    }

    pub(crate) fn blocks(&self) -> Decided {
        self.decided.lock().unwrap().clone()
    }

    /// Who built the block at `height`.
    pub(crate) fn builder(&self, height: u64) -> ValidatorId {
        header(&self.decided.lock().unwrap()[&height].0).unwrap().1
    }

    /// Waits for a height, or for the end of the engine.
    pub(crate) async fn reaches(&self, height: u64) {
        let mut ended = self.ended.subscribe();
        tokio::select! {
            _ = eventually(&self.tip, "the height", |tip| *tip >= height) => {}
            Ok(error) = ended.wait_for(Option::is_some) => panic!("the engine ended: {error:?}"),
        }
    }

    /// Waits until it was asked to judge so many times more.
    pub(crate) async fn is_asked(&self, times: u64) {
        let until = *self.asked.borrow() + times;
        eventually(&self.asked, "the question", |asked| *asked >= until).await;
    }

    /// Waits until it is asked to build.
    pub(crate) async fn builds(&self) {
        eventually(&self.builds, "its turn", |builds| *builds > 0).await;
    }

    /// What it saw of validators that signed twice.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        self.evidence.borrow().clone()
    }

    pub(crate) async fn sees_evidence(&self) -> Evidence {
        eventually(&self.evidence, "evidence", |all| !all.is_empty()).await[0].clone()
    }

    pub(crate) async fn listens(&self) -> String {
        eventually(&self.listening, "the address", Option::is_some)
            .await
            .unwrap()
    }

    pub(crate) async fn halts(&self) -> String {
        eventually(&self.halted, "the halt", Option::is_some)
            .await
            .unwrap()
    }

    fn parent(&self, height: Height) -> Hash {
        let decided = self.decided.lock().unwrap();
        decided
            .get(&(height.0 - 1))
            .map_or(Hash::ZERO, |(bytes, _)| blake2b_256(&[bytes]))
    }
}

/// Waits for an event, and fails the test rather than hang.
async fn eventually<T: Clone>(
    sender: &watch::Sender<T>,
    what: &str,
    holds: impl FnMut(&T) -> bool,
) -> T {
    let mut receiver = sender.subscribe();
    let waiting = tokio::time::timeout(PATIENCE, receiver.wait_for(holds));
    let seen = waiting
        .await
        .unwrap_or_else(|_| panic!("{what} did not come"));
    seen.unwrap().clone()
}

#[async_trait]
impl Application for Chain {
    async fn next_height(&self) -> Result<Height, ApplicationError> {
        Ok(Height(self.tip() + 1))
    }

    async fn validator_set(&self, _: Height) -> Result<ValidatorSet, ApplicationError> {
        Ok(self.set.clone())
    }

    async fn recent_builders(
        &self,
        height: Height,
        count: usize,
    ) -> Result<Vec<ValidatorId>, ApplicationError> {
        let first = height.0.saturating_sub(count as u64).max(1);
        Ok((first..height.0)
            .map(|height| self.builder(height))
            .collect())
    }

    fn block_id(&self, bytes: &[u8]) -> Option<Hash> {
        header(bytes).map(|_| blake2b_256(&[bytes]))
    }

    async fn build(
        &self,
        height: Height,
        _: u32,
        _: Instant,
    ) -> Result<Option<Block>, ApplicationError> {
        self.builds.send_modify(|builds| *builds += 1);
        let behaviour = *self.behaviour.borrow();
        let mut bytes = height.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.parent(height).0);
        bytes.push(u8::from(!behaviour.builds_invalid));
        bytes.extend_from_slice(&self.salt.to_be_bytes());
        bytes.resize(bytes.len() + behaviour.payload_bytes, height.0 as u8);
        Ok(Some(Block {
            id: blake2b_256(&[&bytes]),
            bytes: bytes.into(),
        }))
    }

    async fn judge(&self, proposal: &Proposal) -> Result<Verdict, ApplicationError> {
        self.asked.send_modify(|asked| *asked += 1);
        if self.behaviour.borrow().judges_nothing {
            return Ok(Verdict::NotYet);
        }
        let (height, builder, parent, valid) = header(&proposal.block.bytes).unwrap();
        Ok(if height != proposal.height {
            Verdict::Invalid(format!("height {height}"))
        } else if !proposal.builders.contains(&builder) {
            Verdict::Invalid(format!("built by {builder}"))
        } else if parent != self.parent(height) {
            Verdict::Invalid(format!("parent {parent}"))
        } else if !valid {
            Verdict::Invalid("it says so itself".into())
        } else {
            Verdict::Valid
        })
    }

    async fn put_undecided(&self, undecided: Undecided) -> Result<(), ApplicationError> {
        let Undecided {
            height,
            round,
            valid_round,
            proposer,
            block,
        } = undecided;
        let bytes = minicbor::bytes::ByteVec::from(block.bytes.to_vec());
        let stored: StoredUndecided = (height.0, round, valid_round, proposer, bytes);
        let path = self.folder.join("undecided").join(block.id.to_string());
        let _alone = self.writing.lock().unwrap();
        Ok(write_durably(&path, &cbor::encode(&stored))?)
    }

    async fn undecided(&self, at: Height) -> Result<Vec<Undecided>, ApplicationError> {
        let stored = read_all(&self.folder.join("undecided"));
        let read = |bytes: &Vec<u8>| {
            let (height, round, valid_round, proposer, bytes): StoredUndecided =
                cbor::decode(bytes).unwrap();
            let bytes = Bytes::from(Vec::from(bytes));
            let block = Block {
                id: blake2b_256(&[&bytes]),
                bytes,
            };
            Undecided {
                height: Height(height),
                round,
                valid_round,
                proposer,
                block,
            }
        };
        Ok(stored
            .iter()
            .map(read)
            .filter(|undecided| undecided.height == at)
            .collect())
    }

    async fn decided(
        &self,
        block: Block,
        certificate: Certificate,
    ) -> Result<(), ApplicationError> {
        let height = certificate.height.0;
        assert_eq!(height, self.tip() + 1, "heights come in order");
        assert_eq!(certificate.block, block.id);
        certificate.verify(&NETWORK, &self.set)?;
        let fails_at = self.behaviour.borrow().fails_at;
        if fails_at.is_some_and(|at| height >= at) {
            return Err("the disk is full".into());
        }
        let bytes = block.bytes.to_vec();
        let stored = (
            minicbor::bytes::ByteVec::from(bytes.clone()),
            certificate.clone(),
        );
        let path = self.folder.join("decided").join(height.to_string());
        write_durably(&path, &cbor::encode(&stored))?;
        self.decided
            .lock()
            .unwrap()
            .insert(height, (bytes, certificate));
        self.tip.send_replace(height);
        Ok(())
    }

    async fn decided_range(
        &self,
        from: Height,
        to: Height,
    ) -> Result<Vec<(Bytes, Certificate)>, ApplicationError> {
        let decided = self.decided.lock().unwrap();
        let range = decided.range(from.0..=to.0.max(from.0));
        Ok(range
            .map(|(_, (bytes, c))| (Bytes::from(bytes.clone()), c.clone()))
            .collect())
    }

    async fn history_min_height(&self) -> Result<Height, ApplicationError> {
        Ok(Height(1))
    }

    async fn evidence(&self, evidence: Evidence) -> Result<(), ApplicationError> {
        self.evidence.send_modify(|all| all.push(evidence));
        Ok(())
    }

    fn listening(&self, address: &str) {
        self.listening.send_replace(Some(address.to_owned()));
    }

    fn halted(&self, reason: &str) {
        self.halted.send_replace(Some(reason.to_owned()));
    }
}

/// An engine that runs.
pub(crate) struct Running {
    pub(crate) chain: Arc<Chain>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ConsensusError>>,
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) -> Result<(), ConsensusError> {
        let _ = self.stop.send(());
        joined(self.task).await
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ends(self) -> Result<(), ConsensusError> {
        joined(self.task).await
    }
}

async fn joined(task: JoinHandle<Result<(), ConsensusError>>) -> Result<(), ConsensusError> {
    tokio::time::timeout(PATIENCE, task)
        .await
        .expect("the engine did not end")
        .unwrap()
}

/// Validators on loopback, each with a folder and a port of its own.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    /// Bound and not listening: an engine can listen there, and nobody else is given the port.
    _reserved: Vec<TcpSocket>,
    validators: u8,
}

impl Cluster {
    /// `validators` validators, and room for `others` more engines.
    pub(crate) fn new(validators: u8, others: u8) -> Self {
        let count = usize::from(validators) + usize::from(others);
        let reserved: Vec<TcpSocket> = (0..count).map(|_| reserve()).collect();
        let ports = reserved
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        // Wanted when a test is to be understood: RUST_LOG says how much.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        Cluster {
            folder: tempfile::tempdir().unwrap(),
            ports,
            _reserved: reserved,
            validators,
        }
    }

    pub(crate) fn keys(&self, validator: usize) -> Keys {
        static BOOTS: AtomicU64 = AtomicU64::new(0);
        let boot = BOOTS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Keys {
            consensus: SigningKey::from_bytes(&[validator as u8 + 1; 32]),
            network_seed: blake2b_256(&[&boot, &std::process::id().to_be_bytes()]).0,
        }
    }

    pub(crate) fn id(&self, validator: usize) -> ValidatorId {
        self.keys(validator).validator_id()
    }

    pub(crate) fn set(&self) -> ValidatorSet {
        let keys = (0..usize::from(self.validators)).map(|at| self.keys(at));
        let validator = |keys: Keys| Validator {
            public_key: keys.public_key(),
            power: 1,
        };
        ValidatorSet::new(keys.map(validator)).unwrap()
    }

    pub(crate) fn home(&self, place: usize) -> PathBuf {
        self.folder.path().join(place.to_string())
    }

    /// Where the validator of that place keeps what it signed last: not with its other data.
    pub(crate) fn last_signed(&self, place: usize) -> PathBuf {
        self.folder.path().join(format!("last-signed-{place}"))
    }

    pub(crate) fn address(&self, place: usize) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.ports[place])
    }

    pub(crate) fn config(&self, place: usize) -> Config {
        let others = (0..self.ports.len()).filter(|other| *other != place);
        Config {
            listen: self.address(place),
            peers: others.map(|other| self.address(other)).collect(),
            moniker: format!("place-{place}"),
            block_target: Duration::from_millis(50),
            timeouts: Timeouts {
                propose: Duration::from_millis(1000),
                prevote: Duration::from_millis(300),
                precommit: Duration::from_millis(300),
                delta: Duration::from_millis(200),
                max: Duration::from_secs(5),
            },
            status_interval: Duration::from_millis(200),
            last_signed: self.last_signed(place),
            ..Config::new(NETWORK, self.home(place))
        }
    }

    /// Starts the validator of that place, with what its folder holds.
    pub(crate) fn start(&self, place: usize) -> Running {
        self.start_as(place, place)
    }

    /// Starts an engine in a place with the key of a validator.
    pub(crate) fn start_as(&self, place: usize, validator: usize) -> Running {
        self.start_salted(place, validator, place as u64)
    }

    /// As [`Cluster::start_as`]; with another salt it builds other blocks.
    pub(crate) fn start_salted(&self, place: usize, validator: usize, salt: u64) -> Running {
        let keys = self.keys(validator);
        let home = self.home(place);
        let chain = Chain::open(&home, keys.validator_id(), self.set(), salt);
        self.start_with(self.config(place), keys, chain)
    }

    pub(crate) fn start_with(&self, config: Config, keys: Keys, chain: Chain) -> Running {
        let chain = Arc::new(chain);
        let (stop, stopped) = oneshot::channel::<()>();
        let app = chain.clone();
        let (span, ended) = (error_span!("", at = config.moniker), chain.clone());
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let outcome = run(config, keys, app, shutdown).instrument(span).await;
            ended.ended.send_replace(Some(format!("{outcome:?}")));
            outcome
        });
        Running { chain, stop, task }
    }

    pub(crate) fn start_all(&self) -> Vec<Running> {
        (0..self.ports.len())
            .map(|place| self.start(place))
            .collect()
    }
}

fn reserve() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// Waits until all have reached a height.
pub(crate) async fn all_reach(running: &[Running], height: u64) {
    for one in running {
        one.chain.reaches(height).await;
    }
}

/// All have the same blocks up to `height`, each with a certificate that a stranger accepts.
pub(crate) fn agree(running: &[Running], height: u64, set: &ValidatorSet) {
    let chains: Vec<Decided> = running.iter().map(|one| one.chain.blocks()).collect();
    for at in 1..=height {
        let (bytes, certificate) = &chains[0][&at];
        assert_eq!(certificate.block, blake2b_256(&[bytes]), "height {at}");
        for chain in &chains {
            assert_eq!(&chain[&at].0, bytes, "height {at}");
            assert_eq!(chain[&at].1.verify(&NETWORK, set), Ok(()), "height {at}");
        }
    }
}
