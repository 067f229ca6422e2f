//! Everything of one machine in one place: what the loop, the steps and the API share.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use nupeer_lease::{Lease, LeaseId, LeaseState, MachineId, SignedOffer};
use nupeer_paas_drivers::container::ContainerDriver;
use nupeer_paas_drivers::image::ImageStore;
use nupeer_paas_drivers::{Driver, Exit, WorkloadState};
use nupeer_primitives::{AccountId, Hash, Numbered, TimeMs};
use tokio::sync::Notify;

use crate::actual::workload_of;
use crate::auth::Gate;
use crate::chain::{Chain, ProvenLease};
use crate::clock::MachineClock;
use crate::config::AgentConfig;
use crate::desired::Desired;
use crate::ingress::Doors;
use crate::key::OperatorKey;
use crate::metering::{Counters, Look};
use crate::outbox::Outbox;
use crate::reconcile::Policy;
use crate::records::{RecordError, Records, hold};
use crate::seen::Seen;

/// An engine and where its images are.
pub trait Engine: Driver {
    /// The images that workloads are made from.
    fn images(&self) -> &ImageStore;
}

impl Engine for ContainerDriver {
    fn images(&self) -> &ImageStore {
        ContainerDriver::images(self)
    }
}

/// The first pause before something that failed is tried again; it doubles with each failure.
const REST_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const REST_MAX: Duration = Duration::from_secs(30);

/// How long a workload runs until earlier failures count no more.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// What is known of a lease for as long as the agent runs; none of it matters after a restart.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Whether steps are being done for it.
    pub busy: bool,
    /// The workload as it was last listed.
    pub workload: Option<WorkloadState>,
    /// Its run.
    pub run: Option<u64>,
    /// The run that took a connection.
    pub answered: Option<u64>,
    /// Attempts that failed in a row.
    failures: u32,
    /// When the next one may be made.
    again_at: Option<Instant>,
    /// Since when this run is seen.
    since: Option<Instant>,
    /// What went wrong last, for the tenant to read.
    pub problem: Option<String>,
}

impl Live {
    /// Whether the next attempt may be made.
    pub fn is_rested(&self) -> bool {
        self.again_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Something went wrong.
    pub fn fail(&mut self, problem: String) {
        let doubled = REST_MIN.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.again_at = Some(Instant::now() + doubled.min(REST_MAX));
        self.problem = Some(problem);
    }

    /// Takes what was listed. An end that nobody asked for is a failure; running for a while makes up for earlier ones.
    pub fn list(&mut self, state: Option<WorkloadState>, run: Option<u64>) {
        match (self.workload, state) {
            (Some(WorkloadState::Running), Some(WorkloadState::Exited { exit })) => {
                self.fail(ended(&exit));
            }
            (_, Some(WorkloadState::Running)) if self.run == run => {
                if self.since.is_some_and(|since| since.elapsed() > WELL_AFTER) {
                    (self.failures, self.again_at) = (0, None);
                }
            }
            _ => self.since = Some(Instant::now()),
        }
        (self.workload, self.run) = (state, run);
    }
}

fn ended(exit: &Exit) -> String {
    let how = match (exit.code, exit.signal) {
        (Some(code), _) => format!("with code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "unseen".to_owned(),
    };
    match exit.oom_kills {
        0 => format!("the workload ended {how}"),
        kills => {
            format!("the workload ended {how}; {kills} processes were killed for their memory")
        }
    }
}

/// An error with its number, for people to look it up.
pub(crate) fn numbered<E: Numbered + Display>(error: &E) -> String {
    format!("{}: {error}", error.code())
}

/// One machine and its agent.
pub struct Site {
    /// The settings.
    pub config: AgentConfig,
    /// The machine's name on the chain.
    pub machine: MachineId,
    /// Whose it is.
    pub owner: AccountId,
    /// The genesis id, which all signatures are bound to.
    pub chain_id: Hash,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// What runs workloads.
    pub engine: Arc<dyn Engine>,
    /// The operator key.
    pub operator: OperatorKey,
    /// What is kept of each lease.
    pub records: Records,
    /// The machine's time.
    pub clock: MachineClock,
    /// The proxies.
    pub doors: Doors,
    /// Transactions on their way.
    pub outbox: Outbox,
    /// Who may ask.
    pub gate: Gate,
    /// The last complete answer of the chain.
    pub known: RwLock<Option<Arc<Desired>>>,
    /// Leases on this machine as state proofs showed them last.
    pub shown: Mutex<BTreeMap<LeaseId, ProvenLease>>,
    /// What is known of leases for now.
    pub live: Mutex<BTreeMap<LeaseId, Live>>,
    /// The highest height that the validators' signatures showed.
    pub seen: Mutex<Seen>,
    /// The offer that is published.
    pub offer: Mutex<Option<SignedOffer>>,
    /// What keeps the agent from its work, for people to read.
    pub problem: Mutex<Option<String>>,
    /// What keeps it from offering the machine.
    pub unoffered: Mutex<Option<String>>,
    /// What keeps it from writing down how far the chain is.
    pub unwritten: Mutex<Option<String>>,
    /// What keeps it from writing down how long workloads ran.
    pub unmetered: Mutex<Option<String>>,
    /// Held shared while an image is taken in, and whole while those that nobody needs are removed.
    pub images: RwLock<()>,
    /// Rung when something changed that the loop should look at.
    pub wake: Notify,
}

impl Site {
    /// The last complete answer of the chain.
    pub fn known(&self) -> Option<Arc<Desired>> {
        self.known
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// A lease, as the chain last told, and the block time then.
    pub fn lease(&self, id: &LeaseId) -> Option<(Lease, TimeMs)> {
        let known = self.known()?;
        Some((known.leases.get(id)?.clone(), known.time))
    }

    /// Everything that whoever runs the machine should know of, each with its number: what keeps the agent from its work, and what is set aside of
    /// leases that are not over.
    pub fn problems(&self) -> Option<String> {
        let of_all = [
            &self.problem,
            &self.unoffered,
            &self.unwritten,
            &self.unmetered,
        ];
        let of_all = of_all.map(|problem| hold(problem).clone());
        let is_open = |id: &LeaseId| {
            self.lease(id)
                .is_none_or(|(lease, _)| lease.state.is_open())
        };
        let of_leases = self.records.problems().into_iter();
        let of_leases = of_leases
            .filter(|(id, _)| is_open(id))
            .map(|(_, problem)| numbered(&problem));
        let all: Vec<String> = of_all.into_iter().flatten().chain(of_leases).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What the operator chose.
    pub fn policy(&self) -> Policy {
        Policy {
            unsigned_ms_max: self.config.unsigned_ms_max,
            submit_ms: self.config.submit_ms,
        }
    }

    /// Changes what is known of a lease for now.
    pub fn with_live<T>(&self, id: &LeaseId, change: impl FnOnce(&mut Live) -> T) -> T {
        change(hold(&self.live).entry(*id).or_default())
    }

    /// What the kernel and the proxy counted; what cannot be read counts as nothing.
    pub fn counters(&self, id: &LeaseId) -> Counters {
        let usage = workload_of(id)
            .and_then(|workload| self.engine.usage(&workload))
            .unwrap_or_default();
        let (ingress_bytes, egress_bytes) = self.doors.traffic_bytes(id);
        Counters {
            metered_ms: 0,
            cpu_ns: usage.cpu_ns,
            memory_peak_bytes: usage.memory_peak_bytes,
            throttled_ns: usage.throttled_ns,
            oom_kills: usage.oom_kills,
            ingress_bytes,
            egress_bytes,
        }
    }

    /// Looks at a workload for its meter: `run` is what ran at `at_ms`, which counts while the lease is active.
    ///
    /// # Errors
    /// The disk failed where the look had to be kept.
    pub fn look(
        &self,
        id: &LeaseId,
        lease: &Lease,
        at_ms: u64,
        run: Option<u64>,
    ) -> Result<(), RecordError> {
        let Some(record) = self.records.get(id) else {
            return Ok(());
        };
        let is_active = matches!(lease.state, LeaseState::Active { .. });
        let mut record = hold(&record);
        if !record.is_metered() {
            return match lease.state {
                LeaseState::Reserved { .. } | LeaseState::Provisioning { .. } => {
                    record.begin_meter()
                }
                _ => Ok(()),
            };
        }
        let must_keep = record.meter.observe(Look {
            boot: self.clock.boot().0,
            at_ms,
            run: run.filter(|_| is_active),
        });
        record.save_meter_if(must_keep)
    }
}
