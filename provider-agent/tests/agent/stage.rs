//! A chain and an engine that a test plays, and a tenant who asks over HTTP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use nupeer_agent::chain::{
    Certified, Chain, ChainError, Fate, Machines, ProvenLease, ProvenMachine, SignedAction,
};
use nupeer_agent::desired::Desired;
use nupeer_agent::played;
use nupeer_agent::run::{Registered, site};
use nupeer_agent::site::{Engine, Site};
use nupeer_agent::{AgentConfig, OperatorKey, api};
use nupeer_lease::agent_request::{AgentRequest, HEADER, SignedAgentRequest};
use nupeer_lease::{Action, Lease, LeaseId, LeaseState, Machine, MachineId, SignedOffer};
use nupeer_ledger::Grant;
use nupeer_paas::ContainerSpec;
use nupeer_paas_drivers::image::make::{Files, MadeImage, Recipe, from_files};
use nupeer_paas_drivers::image::{ImageStore, Limits, Ownership};
use nupeer_paas_drivers::{
    Driver, DriverError, Ingress, LogChunk, ResourceLimits, Usage, Workload, WorkloadId,
    WorkloadSpec, WorkloadState,
};
use nupeer_primitives::{
    AccountId, Hash, Hash28, Height, PublicKey, Signature, TimeMs, blake2b_256,
};

pub(crate) const CHAIN: Hash = Hash([0xcc; 32]);
pub(crate) const MACHINE: MachineId = MachineId(Hash([9; 32]));
pub(crate) const LEASE: LeaseId = LeaseId(Hash([7; 32]));

/// The chain that a test plays.
#[derive(Default)]
pub(crate) struct PlayedChain {
    /// What it says of the machine; none: nobody answers.
    pub(crate) desired: Mutex<Option<Desired>>,
    /// The lease that its listing lacks and that it shows all the same.
    pub(crate) hidden: Mutex<Option<Lease>>,
    pub(crate) grants: Mutex<BTreeMap<Hash28, Grant>>,
    pub(crate) submitted: Mutex<Vec<Action>>,
    /// The machine.
    pub(crate) machine: Mutex<Option<Machine>>,
    pub(crate) published: Mutex<Vec<SignedOffer>>,
    /// How often it was not believed.
    pub(crate) doubts: Mutex<u32>,
}

impl PlayedChain {
    fn answer(&self) -> Result<Desired, ChainError> {
        let desired = self.desired.lock().unwrap().clone();
        desired.ok_or_else(|| ChainError::Unreachable("nobody plays".into()))
    }

    /// Lets the chain say something else, a block later.
    pub(crate) fn say(&self, leases: impl IntoIterator<Item = (LeaseId, Lease)>) {
        let mut desired = self.desired.lock().unwrap();
        let height = desired.as_ref().map_or(1, |desired| desired.height.0 + 1);
        *desired = Some(Desired {
            height: Height(height),
            time: TimeMs(1_000_000 + height * 1_000),
            leases: leases.into_iter().collect(),
        });
    }
}

impl Chain for PlayedChain {
    fn machines_of(&self, _: &AccountId) -> Result<Machines, ChainError> {
        let Desired { height, time, .. } = self.answer()?;
        Ok(Machines {
            height,
            time,
            machines: vec![],
        })
    }

    fn leases_on(&self, machine: &MachineId) -> Result<Desired, ChainError> {
        assert_eq!(*machine, MACHINE);
        self.answer()
    }

    fn certified(&self) -> Result<Certified, ChainError> {
        let Desired { height, time, .. } = self.answer()?;
        Ok(Certified { height, time })
    }

    fn lease(&self, id: &LeaseId) -> Result<ProvenLease, ChainError> {
        let (at, leases) = (self.certified()?, self.answer()?.leases);
        let hidden = self.hidden.lock().unwrap().clone();
        let lease = leases.get(id).cloned().or(hidden);
        Ok(ProvenLease { at, lease })
    }

    fn machine(&self, id: &MachineId) -> Result<ProvenMachine, ChainError> {
        assert_eq!(*id, MACHINE);
        let (at, machine) = (self.certified()?, self.machine.lock().unwrap().clone());
        Ok(ProvenMachine { at, machine })
    }

    fn doubt(&self) {
        *self.doubts.lock().unwrap() += 1;
    }

    fn grant(&self, _: &AccountId, key: &Hash28) -> Result<Option<Grant>, ChainError> {
        self.answer()?;
        Ok(self.grants.lock().unwrap().get(key).cloned())
    }

    fn submit(&self, action: Action) -> Result<Hash, ChainError> {
        self.answer()?;
        let mut submitted = self.submitted.lock().unwrap();
        submitted.push(action);
        Ok(blake2b_256(&[&submitted.len().to_be_bytes()]))
    }

    fn sign(&self, _: Action) -> Result<SignedAction, ChainError> {
        Err(ChainError::Unreachable("the machine stands".into()))
    }

    fn submit_signed(&self, _: &SignedAction) -> Result<(), ChainError> {
        Err(ChainError::Unreachable("the machine stands".into()))
    }

    fn transaction(&self, _: &Hash) -> Result<Fate, ChainError> {
        Ok(Fate::Pending)
    }

    fn publish(&self, offer: &SignedOffer) -> Result<(), ChainError> {
        self.answer()?;
        self.published.lock().unwrap().push(offer.clone());
        Ok(())
    }
}

/// The engine that a test plays: workloads without processes.
pub(crate) struct PlayedEngine {
    images: ImageStore,
    pub(crate) workloads: Mutex<BTreeMap<WorkloadId, Workload>>,
    /// Whether it can be asked.
    pub(crate) broken: Mutex<bool>,
}

impl PlayedEngine {
    fn set(&self, id: &WorkloadId, state: WorkloadState) -> Result<(), DriverError> {
        let mut workloads = self.workloads.lock().unwrap();
        let unknown = || DriverError::Unknown(id.clone());
        workloads.get_mut(id).ok_or_else(unknown)?.state = state;
        Ok(())
    }

    /// Puts a workload there.
    pub(crate) fn put(&self, id: &str, state: WorkloadState) {
        let id: WorkloadId = id.parse().unwrap();
        let workload = Workload {
            id: id.clone(),
            state,
            spec: None,
            run: Some(1),
        };
        self.workloads.lock().unwrap().insert(id, workload);
    }

    /// How a workload is.
    pub(crate) fn state(&self, id: &LeaseId) -> Option<WorkloadState> {
        let id: WorkloadId = id.to_string().parse().unwrap();
        let workloads = self.workloads.lock().unwrap();
        workloads.get(&id).map(|workload| workload.state)
    }
}

impl Driver for PlayedEngine {
    fn name(&self) -> &'static str {
        "played"
    }

    fn prepare(&self, spec: &WorkloadSpec) -> Result<(), DriverError> {
        let workload = Workload {
            id: spec.id.clone(),
            state: WorkloadState::Prepared,
            spec: Some(spec.clone()),
            run: None,
        };
        self.workloads
            .lock()
            .unwrap()
            .insert(spec.id.clone(), workload);
        Ok(())
    }

    fn start(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.set(id, WorkloadState::Running)?;
        let mut workloads = self.workloads.lock().unwrap();
        if let Some(workload) = workloads.get_mut(id) {
            workload.run = Some(workload.run.unwrap_or(0) + 1);
        }
        Ok(())
    }

    fn pause(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.set(id, WorkloadState::Paused)
    }

    fn resume(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.set(id, WorkloadState::Running)
    }

    fn stop(&self, _: &WorkloadId, _: Duration) -> Result<(), DriverError> {
        Ok(())
    }

    fn remove(&self, id: &WorkloadId) -> Result<(), DriverError> {
        self.workloads.lock().unwrap().remove(id);
        Ok(())
    }

    fn list(&self) -> Result<Vec<Workload>, DriverError> {
        if *self.broken.lock().unwrap() {
            return Err(DriverError::Machine("it cannot be asked".into()));
        }
        Ok(self.workloads.lock().unwrap().values().cloned().collect())
    }

    fn logs(&self, _: &WorkloadId, from: u64) -> Result<LogChunk, DriverError> {
        Ok(LogChunk {
            from,
            bytes: b"what it wrote".to_vec(),
            next: from + 13,
        })
    }

    fn usage(&self, _: &WorkloadId) -> Result<Usage, DriverError> {
        Ok(Usage::default())
    }

    fn limits(&self, id: &WorkloadId) -> Result<ResourceLimits, DriverError> {
        let workloads = self.workloads.lock().unwrap();
        let spec = workloads.get(id).and_then(|known| known.spec.clone());
        spec.map(|spec| spec.limits)
            .ok_or_else(|| DriverError::NotRunning(id.clone()))
    }

    fn ingress(&self, id: &WorkloadId) -> Result<Ingress, DriverError> {
        Err(DriverError::NoPort(id.clone()))
    }
}

impl Engine for PlayedEngine {
    fn images(&self) -> &ImageStore {
        &self.images
    }
}

/// An agent on a stage, serving HTTP.
pub(crate) struct Stage {
    pub(crate) site: Arc<Site>,
    pub(crate) chain: Arc<PlayedChain>,
    pub(crate) engine: Arc<PlayedEngine>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let played = Arc::new(PlayedChain::default());
        Self::on(played.clone(), played, CHAIN, change)
    }

    /// An agent on another chain than the one that is played.
    pub(crate) fn on(
        chain: Arc<dyn Chain>,
        played: Arc<PlayedChain>,
        chain_id: Hash,
        change: impl FnOnce(&mut AgentConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = AgentConfig {
            data_folder: folder.path().join("data"),
            upload_idle_ms_max: 300,
            unsigned_ms_max: 30_000,
            // However full the disk is that the tests run on.
            disk_reserve_bytes: 0,
            disk_reserve_files: 0,
            ..AgentConfig::default()
        };
        change(&mut config);
        let images = folder.path().join("images");
        let images = ImageStore::open(&images, Limits::default(), Ownership::Unpacker).unwrap();
        let engine = Arc::new(PlayedEngine {
            images,
            workloads: Mutex::default(),
            broken: Mutex::default(),
        });
        Self::start(chain, played, chain_id, engine, config, folder)
    }

    /// The agent started anew, with what it has on disk; what runs runs on.
    pub(crate) fn restart(self) -> Self {
        let (asked, chain_id) = (self.site.chain.clone(), self.site.chain_id);
        let config = self.site.config.clone();
        let (chain, engine, folder) = (self.chain, self.engine, self.folder);
        drop(self.runtime);
        Self::start(asked, chain, chain_id, engine, config, folder)
    }

    fn start(
        chain: Arc<dyn Chain>,
        played: Arc<PlayedChain>,
        chain_id: Hash,
        engine: Arc<PlayedEngine>,
        config: AgentConfig,
        folder: tempfile::TempDir,
    ) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let site = {
            let _inside = runtime.enter();
            let registered = Registered {
                chain,
                chain_id,
                owner: AccountId::of_key(Hash28([2; 28])),
                machine: MACHINE,
            };
            Arc::new(site(config, registered, operator(), engine.clone()).unwrap())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(listener).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(api::serve(site.clone(), listener, std::future::pending()));
        Stage {
            site,
            chain: played,
            engine,
            address,
            folder,
            runtime,
        }
    }

    /// One round, and what it began.
    pub(crate) fn round(&self) -> Result<(), nupeer_agent::AgentError> {
        let _inside = self.runtime.enter();
        let done = nupeer_agent::agent::round(&self.site);
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while self
            .site
            .live
            .lock()
            .unwrap()
            .values()
            .any(|live| live.busy)
        {
            assert!(std::time::Instant::now() < until, "a step does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        done
    }

    /// Lets the chain have `lease`, and the agent know it.
    pub(crate) fn lease(&self, lease: Lease) {
        self.chain.say([(LEASE, lease)]);
        self.round().unwrap();
    }

    /// Sends exactly these bytes, and what `body` writes; returns status and body of the answer.
    pub(crate) fn send(
        &self,
        head: &str,
        body: impl FnOnce(&mut TcpStream) -> std::io::Result<()>,
    ) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // The agent may have said no before all was written.
        let _ = body(&mut stream);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer[end + 4..].to_vec())
    }

    /// A signed request with its body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let signed = signed(&tenant(), method, path, body, |_| {});
        self.ask_as(&signed.to_header(), method, path, body)
    }

    /// A signed request about a lease.
    pub(crate) fn ask_about(
        &self,
        lease: LeaseId,
        method: &str,
        what: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let path = format!("/v1/leases/{lease}{what}");
        let signed = signed(&tenant(), method, &path, body, |request| {
            request.lease = lease;
        });
        self.ask_as(&signed.to_header(), method, &path, body)
    }

    /// A request with this header.
    pub(crate) fn ask_as(
        &self,
        header: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let head = head(method, path, header, Some(body.len()));
        self.send(&head, |stream| stream.write_all(body))
    }

    /// The number of the error in an answer, and its status.
    pub(crate) fn refusal((status, body): (u16, Vec<u8>)) -> (u16, String) {
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = value["error"]["code"].as_str().unwrap_or_default();
        (status, code.to_owned())
    }

    /// Files of uploads that did not end.
    pub(crate) fn scratch_files(&self) -> usize {
        let uploads = self.folder.path().join("data/uploads");
        std::fs::read_dir(uploads).unwrap().count()
    }
}

pub(crate) fn head(method: &str, path: &str, header: &str, length: Option<usize>) -> String {
    let length = length.map_or(String::new(), |n| format!("content-length: {n}\r\n"));
    format!(
        "{method} {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n{HEADER}: {header}\r\n{length}\r\n"
    )
}

pub(crate) fn path(what: &str) -> String {
    format!("/v1/leases/{LEASE}{what}")
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn tenant() -> SigningKey {
    key(1)
}

pub(crate) fn operator() -> OperatorKey {
    OperatorKey::from_bytes(&[2; 32])
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

pub(crate) fn sign(key: &SigningKey, hash: &Hash) -> Signature {
    Signature(key.sign(&hash.0).to_bytes())
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}

/// A request about the lease, changed before it is signed.
pub(crate) fn signed(
    by: &SigningKey,
    method: &str,
    path: &str,
    body: &[u8],
    change: impl FnOnce(&mut AgentRequest),
) -> SignedAgentRequest {
    let mut request = AgentRequest {
        lease: LEASE,
        method: method.into(),
        path: path.into(),
        body: blake2b_256(&[body]),
        expires: TimeMs(now_ms() + 60_000),
    };
    change(&mut request);
    SignedAgentRequest {
        signature: sign(by, &request.signing_hash(&CHAIN)),
        key: public(by),
        request,
    }
}

/// A small image of two files.
pub(crate) fn image() -> MadeImage {
    let mut files = Files::new();
    let file = |bytes: &[u8]| nupeer_paas_drivers::image::make::Node::File {
        bytes: bytes.to_vec(),
        executable: true,
    };
    files.insert(
        "bin".into(),
        nupeer_paas_drivers::image::make::Node::Directory,
    );
    files.insert("bin/run".into(), file(b"#!/bin/true"));
    let recipe = Recipe {
        argv: vec!["/bin/run".into()],
        ..Recipe::default()
    };
    from_files(&files, &recipe).unwrap()
}

/// What the tenant wants to run.
pub(crate) fn spec() -> ContainerSpec {
    played::spec(Hash(image().digest.0), None)
}

/// The tenant's lease of that.
pub(crate) fn lease(state: LeaseState) -> Lease {
    Lease {
        tenant: AccountId::of_key(public(&tenant()).hash()),
        ..played::lease(&spec(), MACHINE, state)
    }
}

pub(crate) fn provisioning() -> Lease {
    lease(LeaseState::Provisioning {
        until: TimeMs(u64::MAX),
    })
}

pub(crate) fn active() -> Lease {
    lease(LeaseState::Active { since: TimeMs(0) })
}
