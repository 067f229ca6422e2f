//! `nupeer up` and `nupeer down`: validators of one chain on this machine, each a process of its own with its own folder, keys and
//! ports. The first start makes the chain; later ones go on with it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use nupeer_node::NodeConfig;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    api::Api,
    args::{DownArgs, UpArgs},
    commands::genesis::{self, KEY_FILES},
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
};

/// Held by `nupeer up` while it runs; holds its process id.
const LOCK: &str = "cluster.lock";
/// How long a cluster may take until it decides blocks.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a validator may take to stop.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Ports of one validator.
#[derive(Clone, Copy)]
struct Ports {
    consensus: u16,
    gossip: u16,
    api: u16,
}

pub(super) fn up(args: &UpArgs, printer: &Printer) -> Outcome<()> {
    fs::create_dir_all(&args.data).map_err(|error| file_error(&args.data, &error))?;
    let _lock = lock(&args.data)?;
    let genesis = args.data.join("genesis.json");
    if !genesis.exists() {
        genesis::make(&args.data, "local", args.validators, &args.credit)?;
    } else if !args.credit.is_empty() {
        let what = format!(
            "{} exists: its first balances are what they are",
            genesis.display()
        );
        return Err(CliError::new(Exit::Refused, what).next("--data DIR   makes another cluster"));
    }
    let validators = genesis::read(&genesis)?.validators.len();
    let ports = free_ports(validators)?;
    let mut cluster = Cluster {
        children: Vec::new(),
    };
    for index in 0..validators {
        cluster.start(args, index, &ports)?;
    }
    cluster.wait_until_deciding(&ports, printer)?;
    let urls: Vec<String> = ports
        .iter()
        .map(|p| format!("http://127.0.0.1:{}", p.api))
        .collect();
    let mut lines = vec![format!(
        "{validators} validators decide blocks; data and logs in {}",
        args.data.display()
    )];
    lines.extend(urls.iter().map(|url| format!("  {url}")));
    if let Some(url) = urls.first() {
        lines.push(format!("try  nupeer status --api-url {url}"));
    }
    lines.push("Ctrl-C ends it; a later start goes on where it was.".into());
    printer.result(json!({ "data": args.data, "api_urls": urls }), &lines);
    cluster.run_until_asked()
}

/// Takes the cluster's lock, or says who has it.
fn lock(data: &Path) -> Outcome<Flock<fs::File>> {
    let path = data.join(LOCK);
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let file = file.map_err(|error| file_error(&path, &error))?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        let owner = fs::read_to_string(&path).unwrap_or_default();
        let what = format!("this cluster is running already (process {})", owner.trim());
        CliError::new(Exit::AlreadyRunning, what)
            .next("nupeer status      asks it")
            .next("nupeer down        ends it")
    })?;
    fs::write(&path, std::process::id().to_string()).map_err(|error| file_error(&path, &error))?;
    Ok(lock)
}

/// Three free ports for each validator; the first API takes the default one if it is free, so that other commands find it.
fn free_ports(validators: usize) -> Outcome<Vec<Ports>> {
    let default = NodeConfig::default().api_listen;
    let mut held = Vec::new();
    let mut free = |wanted: SocketAddr| -> Outcome<u16> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(wanted).or_else(|_| TcpListener::bind(any));
        let listener = listener
            .map_err(|error| CliError::new(Exit::Unexpected, format!("no free port: {error}")))?;
        let port = listener.local_addr().map(|address| address.port());
        held.push(listener);
        port.map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut ports = Vec::new();
    for index in 0..validators {
        let api = free(if index == 0 { default } else { any })?;
        ports.push(Ports {
            consensus: free(any)?,
            gossip: free(any)?,
            api,
        });
    }
    Ok(ports)
}

/// Running validators; they end with this process, however it ends.
struct Cluster {
    children: Vec<Child>,
}

impl Cluster {
    fn start(&mut self, args: &UpArgs, index: usize, ports: &[Ports]) -> Outcome<()> {
        let folder = args.data.join(format!("validator-{index}"));
        let config = write_config(&folder, index, ports, args.block_target_ms)?;
        let log_path = folder.join("log");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path);
        let log = log.map_err(|error| file_error(&log_path, &error))?;
        let program = std::env::current_exe()
            .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
        let mut command = Command::new(program);
        command
            .arg("node")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        // Ctrl-C is for this process, which then stops them in order.
        command.process_group(0);
        self.children.push(spawn_bound(command)?);
        Ok(())
    }

    /// Waits until every validator answers with a block of its own chain.
    fn wait_until_deciding(&mut self, ports: &[Ports], printer: &Printer) -> Outcome<()> {
        let end = Instant::now() + START_MAX;
        for (index, ports) in ports.iter().enumerate() {
            let api = Api::new(&format!("http://127.0.0.1:{}", ports.api));
            loop {
                self.all_alive()?;
                if api
                    .get("/v1/status")
                    .is_ok_and(|status| status["height"].as_u64() > Some(0))
                {
                    break;
                }
                if Instant::now() >= end {
                    let what = format!(
                        "validator {index} decided no block within {} s",
                        START_MAX.as_secs()
                    );
                    return Err(CliError::new(Exit::Waited, what).next("its log is in its folder"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            printer.note(&format!("validator {index}  ok"));
        }
        Ok(())
    }

    fn all_alive(&mut self) -> Outcome<()> {
        for (index, child) in self.children.iter_mut().enumerate() {
            if let Ok(Some(status)) = child.try_wait() {
                let what = format!("validator {index} ended by itself ({status})");
                return Err(CliError::new(Exit::Unexpected, what).next("its log is in its folder"));
            }
        }
        Ok(())
    }

    /// Until Ctrl-C, SIGTERM, or the end of a validator.
    fn run_until_asked(mut self) -> Outcome<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime =
            runtime.map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())
                .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    () = tokio::time::sleep(Duration::from_millis(500)) => self.all_alive()?,
                }
            }
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &self.children {
            let _ = kill(pid(child), Signal::SIGTERM);
        }
        let end = Instant::now() + STOP_MAX;
        for child in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) {
                if Instant::now() >= end {
                    let _ = child.kill();
                    let _ = child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Starts a process that the kernel ends when this one ends, even by `kill -9`.
fn spawn_bound(mut command: Command) -> Outcome<Child> {
    let parent = std::process::id();
    #[allow(unsafe_code)]
    // SAFETY: both calls are async-signal-safe and touch no memory of the parent.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGTERM)?;
            // The parent may have ended before the signal was asked for.
            if std::os::unix::process::parent_id() != parent {
                return Err(std::io::Error::other("the cluster has ended"));
            }
            Ok(())
        });
    }
    command.spawn().map_err(|error| {
        CliError::new(
            Exit::Unexpected,
            format!("a validator did not start: {error}"),
        )
    })
}

fn write_config(
    folder: &Path,
    index: usize,
    ports: &[Ports],
    block_target_ms: u64,
) -> Outcome<PathBuf> {
    let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
    let others = |of: fn(&Ports) -> u16| -> Vec<String> {
        let others = ports
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        others.map(|(_, ports)| address(of(ports))).collect()
    };
    let own = ports
        .get(index)
        .ok_or_else(|| CliError::new(Exit::Unexpected, "no ports for this validator"))?;
    let [consensus_key, bridge_key, network_key] = KEY_FILES.map(PathBuf::from);
    let config = NodeConfig {
        data_folder: "data".into(),
        genesis: "../genesis.json".into(),
        consensus_key,
        bridge_key,
        network_key,
        moniker: format!("validator-{index}"),
        consensus_listen: address(own.consensus),
        consensus_peers: others(|p| p.consensus),
        gossip_listen: address(own.gossip),
        gossip_peers: others(|p| p.gossip),
        api_listen: SocketAddr::from(([127, 0, 0, 1], own.api)),
        block_target_ms,
        ..NodeConfig::default()
    };
    let text = toml::to_string(&config)
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    let path = folder.join("node.toml");
    fs::write(&path, text).map_err(|error| file_error(&path, &error))?;
    Ok(path)
}

pub(super) fn down(args: &DownArgs, printer: &Printer) -> Outcome<()> {
    let path = args.data.join(LOCK);
    let Ok(file) = fs::File::open(&path) else {
        printer.result(json!({ "running": false }), &["nothing runs there".into()]);
        return Ok(());
    };
    if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
        printer.result(json!({ "running": false }), &["nothing runs there".into()]);
        return Ok(());
    }
    let owner = fs::read_to_string(&path).map_err(|error| file_error(&path, &error))?;
    let owner: i32 = owner
        .trim()
        .parse()
        .map_err(|_| CliError::new(Exit::Unexpected, "the lock names no process"))?;
    kill(Pid::from_raw(owner), Signal::SIGTERM)
        .map_err(|error| CliError::new(Exit::Unexpected, format!("process {owner}: {error}")))?;
    let end = Instant::now() + STOP_MAX + Duration::from_secs(5);
    while Instant::now() < end {
        let file = fs::File::open(&path).map_err(|error| file_error(&path, &error))?;
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            printer.result(
                json!({ "stopped": owner }),
                &[format!("ended (process {owner})")],
            );
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(CliError::new(
        Exit::Waited,
        format!("process {owner} was asked to end and has not yet"),
    ))
}
