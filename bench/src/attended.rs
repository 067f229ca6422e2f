//! An agent that attends one lease as `nupeer agent` does, its reconciler, records, engine and proxies included. The chain that it asks is this
//! program, which knows when it was told.

use std::{
    io::{Cursor, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nupeer_agent::{
    Agent, AgentConfig, OperatorKey, Site,
    chain::{
        Certified, Chain, ChainError, Fate, Machines, ProvenLease, ProvenMachine, SignedAction,
    },
    desired::Desired,
    played,
    run::{Registered, site},
};
use nupeer_lease::{Action, Lease, LeaseId, LeaseState, MachineId, SignedOffer};
use nupeer_ledger::Grant;
use nupeer_paas::ContainerSpec;
use nupeer_paas_drivers::{
    container::{ContainerConfig, ContainerDriver},
    image::make::{MadeImage, web_server},
};
use nupeer_primitives::{AccountId, Hash, Hash28, Height, TimeMs};
use tokio::runtime::Runtime;

use crate::process::sibling;

const LEASE: LeaseId = LeaseId(Hash([7; 32]));
const MACHINE: MachineId = MachineId(Hash([9; 32]));
/// The port that the workload listens at.
const PORT: u16 = 8080;
/// Longest for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent with nothing to do yet.
pub(crate) struct Attended {
    chain: Arc<Told>,
    site: Arc<Site>,
    made: MadeImage,
    // Dropped in this order: the agent, then what its workloads lie in.
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Attended {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = AgentConfig {
            data_folder: folder.path().join("agent"),
            name: format!("nupeer-bench-agent-{}", std::process::id()),
            stop_grace_ms: 10,
            ..AgentConfig::default()
        };
        let shim = vec![sibling("nupeer-container-shim")?.into()];
        let workloads = config.data_folder.join("workloads");
        let mut containers = ContainerConfig::new(workloads, config.name.clone(), shim);
        containers.with_agent = true;
        let chain = Arc::new(Told::default());
        let runtime = Runtime::new()?;
        let site = {
            let _inside = runtime.enter();
            let registered = Registered {
                chain: chain.clone(),
                chain_id: Hash([0xcc; 32]),
                owner: AccountId::of_key(Hash28([2; 28])),
                machine: MACHINE,
            };
            let operator = OperatorKey::from_bytes(&[2; 32]);
            let driver = Arc::new(ContainerDriver::open(containers)?);
            Arc::new(site(config, registered, operator, driver)?)
        };
        runtime.spawn(Agent::new(site.clone()).run());
        Ok(Attended {
            chain,
            site,
            made: web_server(Path::new("/bin/busybox"), "first byte")?,
            _runtime: runtime,
            _folder: folder,
        })
    }

    /// From the agent's seeing that the lease is to be brought up, its image and its manifest uploaded before, to the first byte through its proxy.
    pub(crate) fn first_byte(&self) -> Result<Duration> {
        let until = TimeMs(u64::MAX);
        self.chain
            .say(Some(self.lease(LeaseState::Reserved { until })));
        self.upload()?;
        self.chain
            .say(Some(self.lease(LeaseState::Provisioning { until })));
        let address = wait_for(|| self.site.doors.address(&LEASE))?;
        read_byte(address)?;
        let answered = Instant::now();
        let seen = self.chain.seen().context("the agent was not told")?;
        self.chain.say(None);
        wait_for(|| self.is_gone().then_some(()))?;
        Ok(answered.duration_since(seen))
    }

    /// What a tenant's two requests do.
    fn upload(&self) -> Result<()> {
        // Held as the agent's own interface holds it: images that no record names are removed otherwise.
        let _kept = self
            .site
            .images
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut archive = Cursor::new(&self.made.archive);
        self.site
            .engine
            .images()
            .import(&mut archive, &self.made.digest)?;
        let record = self.site.records.of(&LEASE)?;
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        record.set_manifest(self.spec())?;
        record.set_image(self.made.digest)?;
        Ok(())
    }

    fn is_gone(&self) -> bool {
        let listed = self.site.engine.list();
        listed.is_ok_and(|workloads| workloads.is_empty()) && self.site.records.ids().is_empty()
    }

    fn spec(&self) -> ContainerSpec {
        ContainerSpec {
            cpu_milli: 1_000,
            ..played::spec(Hash(self.made.digest.0), Some(PORT))
        }
    }

    fn lease(&self, state: LeaseState) -> Lease {
        played::lease(&self.spec(), MACHINE, state)
    }
}

/// A chain of one lease, which notes when the agent heard that it is to be brought up.
#[derive(Default)]
struct Told(Mutex<Telling>);

#[derive(Default)]
struct Telling {
    height: u64,
    lease: Option<Lease>,
    /// When the lease was first given out as it is now.
    seen: Option<Instant>,
}

impl Told {
    /// From the next block on.
    fn say(&self, lease: Option<Lease>) {
        let mut telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        telling.height += 1;
        (telling.lease, telling.seen) = (lease, None);
    }

    fn seen(&self) -> Option<Instant> {
        let telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        telling.seen
    }

    fn nothing<T>(&self) -> Result<T, ChainError> {
        Err(ChainError::Refused("this chain has one lease".into()))
    }
}

impl Chain for Told {
    fn machines_of(&self, _: &AccountId) -> Result<Machines, ChainError> {
        self.nothing()
    }

    fn leases_on(&self, _: &MachineId) -> Result<Desired, ChainError> {
        let mut telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let desired = Desired {
            height: Height(telling.height),
            time: TimeMs(telling.height),
            leases: telling
                .lease
                .iter()
                .map(|lease| (LEASE, lease.clone()))
                .collect(),
        };
        telling.seen.get_or_insert_with(Instant::now);
        Ok(desired)
    }

    fn certified(&self) -> Result<Certified, ChainError> {
        let telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Certified {
            height: Height(telling.height),
            time: TimeMs(telling.height),
        })
    }

    fn lease(&self, _: &LeaseId) -> Result<ProvenLease, ChainError> {
        let at = self.certified()?;
        let telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = telling.lease.clone();
        Ok(ProvenLease { at, lease })
    }

    fn machine(&self, _: &MachineId) -> Result<ProvenMachine, ChainError> {
        self.nothing()
    }

    fn doubt(&self) {}

    fn grant(&self, _: &AccountId, _: &Hash28) -> Result<Option<Grant>, ChainError> {
        self.nothing()
    }

    fn submit(&self, _: Action) -> Result<Hash, ChainError> {
        Ok(Hash::ZERO)
    }

    fn sign(&self, _: Action) -> Result<SignedAction, ChainError> {
        self.nothing()
    }

    fn submit_signed(&self, _: &SignedAction) -> Result<(), ChainError> {
        self.nothing()
    }

    fn transaction(&self, _: &Hash) -> Result<Fate, ChainError> {
        Ok(Fate::Pending)
    }

    fn publish(&self, _: &SignedOffer) -> Result<(), ChainError> {
        self.nothing()
    }
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(Instant::now() < until, "not within {PATIENCE:?}");
        sleep(Duration::from_micros(200));
    }
}

/// Asks for the page until something answers; returns when the first byte is there.
fn read_byte(address: SocketAddr) -> Result<()> {
    wait_for(|| match TcpStream::connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => None,
        Err(error) => Some(Err(error)),
        Ok(mut stream) => Some(
            stream
                .write_all(b"GET / HTTP/1.0\r\n\r\n")
                .and_then(|()| stream.read_exact(&mut [0u8; 1])),
        ),
    })?
    .map_err(Into::into)
}
