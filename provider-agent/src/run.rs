//! The whole agent, from its settings to its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nupeer_lease::MachineId;
use nupeer_paas_drivers::{
    Driver as _,
    container::{ContainerConfig, ContainerDriver},
};
use nupeer_primitives::{AccountId, Hash, Numbered};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::agent::{Agent, tell};
use crate::api;
use crate::auth::Gate;
use crate::believed::not_behind;
use crate::chain::{Chain, ChainError};
use crate::clock::MachineClock;
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::ingress::Doors;
use crate::key::OperatorKey;
use crate::known_chain;
use crate::node::{ChainIdentity, NodeChain, identity};
use crate::outbox::Outbox;
use crate::own;
use crate::records::{RecordError, Records, hold, write};
use crate::register::{Registrar, Standing};
use crate::registration;
use crate::room::check_room;
use crate::seen::Seen;
use crate::site::{Engine, Site};
use crate::terms::{inventory, terms};

/// How often what is waited for is looked at.
const WAIT: Duration = Duration::from_secs(1);
/// How many refusals in a row a start takes before it believes them: a node that lags behind, or has just started, refuses what others take,
/// and a registration that an earlier start left on its way may have expired. Seconds later the chain shows what is true.
const REFUSALS: u32 = 20;
/// How long requests under way may take once the agent ends.
const END_WITHIN: Duration = Duration::from_secs(2);
/// How often the offer is published again: nodes that were away keep none.
const PUBLISH_EVERY: Duration = Duration::from_secs(30);
const LOCK: &str = "lock";
/// The file of the data folder that holds the port which the agent listens at.
pub const PORT: &str = "port";
const WORKLOADS: &str = "workloads";
const LEASES: &str = "leases";
const UPLOADS: &str = "uploads";

/// What an agent needs beside its settings.
pub struct Surroundings {
    /// What starts a container's shim: see `nupeer_paas_drivers::container::ContainerConfig::shim`.
    pub shim: Vec<OsString>,
    /// Tells the operator something worth reading, once.
    pub tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// Runs the agent until `stop` says so. What runs on the machine runs on.
///
/// # Errors
/// What keeps the agent from its work for good. What may pass (no node answers, no grant yet) is waited for.
pub async fn run(
    config: AgentConfig,
    surroundings: Surroundings,
    stop: watch::Receiver<bool>,
) -> Result<(), AgentError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(AgentError::NotRoot);
    }
    let _lock = claim(&config.data_folder)?;
    let operator = OperatorKey::read(&config.operator_key)?;
    let listener = listen(&config).await?;
    let endpoint = endpoint(&config, &listener)?;
    let tell = Arc::new(surroundings.tell);
    let (known, mut stopped) = (tell.clone(), stop.clone());
    let (of_config, of_operator) = (config.clone(), operator.clone());
    let starting = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || start(&of_config, &of_operator, endpoint, &*known, &stop)
    });
    let started = tokio::select! {
        started = starting => started.map_err(|error| AgentError::io("starting")(std::io::Error::other(error)))??,
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let Some(registered) = started else {
        return Ok(());
    };
    let driver = ContainerDriver::open(containers(&config, surroundings.shim))?;
    let site = Arc::new(site(config, registered, operator, Arc::new(driver))?);
    tell(&format!("machine {} is attended", site.machine));
    attend(site, listener, stop).await;
    Ok(())
}

/// Removes every workload of this agent from the machine, whatever the chain wants of it; how many there were. The agent must not run.
///
/// # Errors
/// The agent runs, or the kernel refuses: then what could be removed is.
pub fn clear(config: &AgentConfig, shim: Vec<OsString>) -> Result<usize, AgentError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(AgentError::NotRoot);
    }
    let _lock = claim(&config.data_folder)?;
    let driver = ContainerDriver::open(containers(config, shim))?;
    let workloads = driver.list()?;
    workloads
        .iter()
        .try_for_each(|workload| driver.remove(&workload.id))?;
    Ok(workloads.len())
}

/// A machine that stands on the chain.
pub struct Registered {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Which one.
    pub chain_id: Hash,
    /// Whose machine.
    pub owner: AccountId,
    /// Which machine.
    pub machine: MachineId,
}

/// Everything of one machine, with nothing known yet.
///
/// # Errors
/// The data folder cannot be read.
pub fn site(
    config: AgentConfig,
    registered: Registered,
    operator: OperatorKey,
    engine: Arc<dyn Engine>,
) -> Result<Site, AgentError> {
    let uploads = config.data_folder.join(UPLOADS);
    let _ = fs::remove_dir_all(&uploads);
    private_folder(&uploads)?;
    Ok(Site {
        machine: registered.machine,
        owner: registered.owner,
        chain_id: registered.chain_id,
        engine,
        operator,
        records: Records::open(&config.data_folder.join(LEASES))?,
        clock: MachineClock::open().map_err(AgentError::io("reading the machine's clock"))?,
        doors: Doors::new(config.ingress_listen, Handle::current()),
        outbox: Outbox::new(registered.chain.clone()),
        chain: registered.chain,
        gate: Gate::default(),
        known: RwLock::new(None),
        shown: Mutex::new(BTreeMap::new()),
        seen: Mutex::new(Seen::read(&config.data_folder, &registered.chain_id)?),
        live: Mutex::new(BTreeMap::new()),
        offer: Mutex::new(None),
        problem: Mutex::new(None),
        unoffered: Mutex::new(None),
        unwritten: Mutex::new(None),
        unmetered: Mutex::new(None),
        images: RwLock::new(()),
        wake: Notify::new(),
        config,
    })
}

/// Reconciles, offers and answers until `stop` says so.
pub async fn attend(site: Arc<Site>, listener: TcpListener, stop: watch::Receiver<bool>) {
    let reconciler = tokio::spawn(Agent::new(site.clone()).run());
    let offers = tokio::spawn(offers(site.clone()));
    let mut stopped = stop.clone();
    let until = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let answers = tokio::spawn(api::serve(site, listener, until));
    let mut stopped = stop;
    let _ = stopped.wait_for(|stop| *stop).await;
    reconciler.abort();
    offers.abort();
    let _ = tokio::time::timeout(END_WITHIN, answers).await;
}

/// Keeps an offer published.
async fn offers(site: Arc<Site>) {
    loop {
        let renewing = site.clone();
        let done = tokio::task::spawn_blocking(move || renew(&renewing)).await;
        let pause = match done {
            Ok(Ok(())) => PUBLISH_EVERY.min(Duration::from_millis(site.config.offer_life_ms / 4)),
            // It stays so for a while: until somebody starts one of both agents anew, or something on the disk goes.
            Ok(Err(error)) if takes_back(&error) => PUBLISH_EVERY,
            _ => WAIT,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether an error means that there is no offer of this agent's any more: nobody could be served on it.
fn takes_back(error: &AgentError) -> bool {
    matches!(
        error,
        AgentError::OtherAgent { .. } | AgentError::Record(RecordError::Full { .. })
    )
}

/// Publishes the machine's offer, if what the chain shows of the machine is this agent's word and an image finds room on it. What keeps it from
/// that is told.
///
/// # Errors
/// The chain does not answer, or refuses; [`AgentError::OtherAgent`] and [`RecordError::Full`]: then there is no offer of this agent's.
pub fn renew(site: &Site) -> Result<(), AgentError> {
    let done = publish(site);
    if let Err(AgentError::Chain(_)) = &done {
        site.chain.doubt();
    }
    if done.as_ref().is_err_and(takes_back) {
        *hold(&site.offer) = None;
    }
    tell(
        &site.unoffered,
        done.as_ref().err(),
        "no offer is published",
    );
    done
}

fn publish(site: &Site) -> Result<(), AgentError> {
    let registrar = Registrar {
        config: &site.config,
        chain: site.chain.as_ref(),
        owner: site.owner,
        operator: &site.operator,
    };
    let shown = site.chain.machine(&site.machine)?;
    not_behind(site, shown.at.height)?;
    let own = own::kept(&site.config.data_folder, &site.operator.public())?;
    if let Some(own) = own.filter(|own| own.machine == site.machine) {
        own.not_behind(shown.at.height)?;
        let endpoint = shown.machine.as_ref().map(|m| &m.terms.endpoint);
        endpoint.map_or(Ok(()), |endpoint| own.is_ours(endpoint))?;
    }
    check_room(&site.config)?;
    let current = hold(&site.offer).clone();
    let offer = registrar.offer(&site.chain_id, site.machine, &shown, current)?;
    *hold(&site.offer) = offer;
    Ok(())
}

/// The data folder, for one agent alone.
fn claim(folder: &Path) -> Result<Flock<File>, AgentError> {
    private_folder(folder)?;
    let file =
        File::create(folder.join(LOCK)).map_err(AgentError::io("opening the data folder"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| AgentError::AlreadyRunning {
        folder: folder.into(),
    })
}

fn private_folder(folder: &Path) -> Result<(), AgentError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(AgentError::io("making the data folder"))
}

/// Where tenants reach the agent. A port that the kernel chose is asked for again, so that tenants find it after a restart.
async fn listen(config: &AgentConfig) -> Result<TcpListener, AgentError> {
    let mut wanted = config.listen;
    let kept = fs::read_to_string(config.data_folder.join(PORT)).ok();
    if wanted.port() == 0 {
        let port = kept.and_then(|digits| digits.parse().ok());
        wanted.set_port(port.unwrap_or(0));
    }
    let bound = match TcpListener::bind(wanted).await {
        Err(_) if config.listen.port() == 0 => TcpListener::bind(config.listen).await,
        bound => bound,
    };
    let listener = bound.map_err(AgentError::io("listening for tenants"))?;
    let address = address(&listener)?;
    write(
        &config.data_folder,
        PORT,
        address.port().to_string().as_bytes(),
    )?;
    Ok(listener)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, AgentError> {
    listener
        .local_addr()
        .map_err(AgentError::io("listening for tenants"))
}

fn endpoint(config: &AgentConfig, listener: &TcpListener) -> Result<String, AgentError> {
    match config.endpoint.as_str() {
        "" => Ok(format!("http://{}", address(listener)?)),
        told => Ok(told.to_owned()),
    }
}

/// Finds the chain, the owner's grant and the machine, registering it if need be. None when the agent is to stop meanwhile.
fn start(
    config: &AgentConfig,
    operator: &OperatorKey,
    endpoint: String,
    tell: &(dyn Fn(&str) + Send + Sync),
    stop: &watch::Receiver<bool>,
) -> Result<Option<Registered>, AgentError> {
    let mut said = String::new();
    let say = |error: &AgentError| {
        let mut what = format!("waiting: {error}");
        if let AgentError::NotGranted { .. } = error {
            let command = crate::register::grant_command(config, &operator.public().hash());
            what.push_str(&format!("\nthe owner runs  {command}"));
        }
        if what != said {
            tell(&what);
            said = what;
        }
    };
    let mut urls = config.node_urls.clone();
    let next = || {
        let done = step(config, &urls, operator, &endpoint);
        if done.as_ref().is_err_and(another_may_know_better) {
            urls.rotate_left(1);
        }
        done
    };
    until_started(next, say, WAIT, stop)
}

/// Whether what keeps a start from its end is a node's word, or its silence.
fn another_may_know_better(error: &AgentError) -> bool {
    matches!(error, AgentError::Chain(_) | AgentError::NotGranted { .. })
}

/// Takes `step` again after `pause` while what keeps it from its end may pass: nobody answers, no grant yet, or, for some times, a refusal or an
/// answer that proves nothing. None when the agent is to stop meanwhile.
fn until_started<T>(
    mut step: impl FnMut() -> Result<T, AgentError>,
    mut say: impl FnMut(&AgentError),
    pause: Duration,
    stop: &watch::Receiver<bool>,
) -> Result<Option<T>, AgentError> {
    let mut refusals = 0;
    while !*stop.borrow() {
        let error = match step() {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        match &error {
            AgentError::Chain(ChainError::Unreachable(_) | ChainError::Behind { .. })
            | AgentError::NotGranted { .. } => refusals = 0,
            AgentError::Chain(ChainError::Refused(_) | ChainError::Malformed(_))
                if refusals < REFUSALS =>
            {
                refusals += 1;
            }
            _ => return Err(error),
        }
        say(&error);
        std::thread::sleep(pause);
    }
    Ok(None)
}

fn step(
    config: &AgentConfig,
    urls: &[String],
    operator: &OperatorKey,
    endpoint: &str,
) -> Result<Registered, AgentError> {
    let meant = known_chain::meant(config)?;
    let ChainIdentity { id, cardano } = identity(urls, meant)?;
    known_chain::remember(&config.data_folder, id)?;
    let owner = AccountId::parse(&config.owner, cardano).map_err(|error| AgentError::Owner {
        provided: config.owner.clone(),
        reason: error.to_string(),
    })?;
    let chain = NodeChain::new(urls, id, owner, operator);
    let registrar = Registrar {
        config,
        chain: &chain,
        owner,
        operator,
    };
    let machine = stand(&registrar, endpoint)?;
    Ok(Registered {
        chain: Arc::new(chain),
        chain_id: id,
        owner,
        machine,
    })
}

/// The machine as it stands on the chain, made so where it does not.
fn stand(registrar: &Registrar<'_>, endpoint: &str) -> Result<MachineId, AgentError> {
    let (time, found) = registrar.find()?;
    registrar.check_grant(time, found.is_some())?;
    let measured = inventory(&registrar.config.data_folder)?;
    let now = terms(
        registrar.config,
        &measured,
        registrar.operator,
        endpoint.to_owned(),
    )?;
    let Some(found) = found else {
        let Standing { id, .. } = registrar.register(&now)?;
        return Ok(id);
    };
    registration::forget(&registrar.config.data_folder)?;
    match registrar.bring_up_to_date(&found, &now) {
        Ok(()) => {}
        // What another agent may not be told apart by is to be looked at first.
        Err(error @ AgentError::Record(_)) => return Err(error),
        // Leases go on either way; the next start tries again.
        Err(error) => {
            let code = error.code();
            tracing::warn!(%code, %error, "the chain was not told what changed of the machine");
        }
    }
    Ok(found.id)
}

fn containers(config: &AgentConfig, shim: Vec<OsString>) -> ContainerConfig {
    let folder = config.data_folder.join(WORKLOADS);
    let mut containers = ContainerConfig::new(folder, config.name.clone(), shim);
    containers.with_agent = config.ends_with_agent;
    containers.log_bytes_max = config.log_bytes_max;
    containers.image_limits.archive_bytes_max = config.image_bytes_max;
    containers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> AgentError {
        ChainError::Refused("NP4711: this key speaks for a machine".into()).into()
    }

    /// What a start comes to whose first steps fail as `failure` says, by their count.
    fn started(
        failure: impl Fn(u32) -> Option<AgentError>,
    ) -> (Result<Option<u32>, AgentError>, u32) {
        let (stop, stopped) = watch::channel(false);
        let mut steps = 0;
        let step = || {
            steps += 1;
            failure(steps).map_or(Ok(steps), Err)
        };
        let mut said = 0;
        let say = |_: &AgentError| {
            said += 1;
            // Nobody waits for ever in a test.
            stop.send_replace(said > 1_000);
        };
        (until_started(step, say, Duration::ZERO, &stopped), said)
    }

    #[test]
    fn a_refusal_at_the_start_is_looked_at_again() {
        let (done, said) = started(|step| (step <= 3).then(refused));
        assert_eq!((done.unwrap(), said), (Some(4), 3));
    }

    #[test]
    fn a_refusal_or_a_lie_that_stays_ends_the_start() {
        let lie = || AgentError::Chain(ChainError::Malformed("NP6209".into()));
        for failure in [refused, lie] {
            let (done, said) = started(|_| Some(failure()));
            assert_eq!(done.unwrap_err().code(), failure().code());
            assert_eq!(said, REFUSALS);
        }
    }

    #[test]
    fn an_unreachable_chain_is_waited_for_and_its_refusals_are_counted_anew() {
        let away = || AgentError::Chain(ChainError::Unreachable("away".into()));
        let (done, said) = started(|_| Some(away()));
        assert_eq!((done.unwrap(), said), (None, 1_001));
        let (done, _) = started(|step| match step {
            20 => Some(away()),
            ..=39 => Some(refused()),
            _ => None,
        });
        assert_eq!(done.unwrap(), Some(40));
    }

    #[test]
    fn what_never_passes_ends_the_start_at_once() {
        let (done, said) = started(|_| Some(AgentError::NotRoot));
        assert!(matches!(done, Err(AgentError::NotRoot)));
        assert_eq!(said, 0);
    }
}
