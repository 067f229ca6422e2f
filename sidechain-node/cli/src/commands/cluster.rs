//! `nupeer up` and `nupeer down` (which ends a demo, too): validators of one chain on this machine, each a process of its own with its own folder, keys and
//! ports. The first start makes the chain; later ones go on with it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};
use nupeer_node::NodeConfig;
use nupeer_primitives::Hash;
use serde_json::json;

use crate::{
    api::Api,
    args::{DEFAULT_API_URL, DownArgs, UpArgs},
    cardano_socket::CardanoSocket,
    commands::{
        demo,
        genesis::{self, KEY_FILES, NewChain},
    },
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
    processes::{self, FreePorts, Processes, STOP_MAX},
};

/// Held by `nupeer up` while it runs; holds its process id.
pub(super) const LOCK: &str = "cluster.lock";
/// How often ports are chosen where one is taken.
const STARTS_MAX: usize = 3;
/// How long a cluster may take until it decides blocks.
const START_MAX: Duration = Duration::from_secs(60);

/// Ports of one validator.
#[derive(Clone, Copy)]
struct Ports {
    consensus: u16,
    gossip: u16,
    api: u16,
}

/// How validators are run.
pub(super) struct Validators<'a> {
    /// Folder with `genesis.json` and a folder for each validator.
    pub(super) data: &'a Path,
    /// Where logs go; `None`: into each validator's folder.
    pub(super) logs: Option<&'a Path>,
    /// Time between blocks.
    pub(super) block_target_ms: u64,
    /// Cardano's socket and network, on a chain that follows it.
    pub(super) cardano: Option<&'a CardanoSocket>,
}

pub(super) fn up(args: &UpArgs, printer: &Printer) -> Outcome<()> {
    fs::create_dir_all(&args.data).map_err(|error| file_error(&args.data, &error))?;
    let _lock = processes::lock(&args.data.join(LOCK), "this cluster")?;
    let genesis = args.data.join("genesis.json");
    if !genesis.exists() {
        let chain = NewChain {
            name: "local",
            validators: args.validators,
            credits: &args.credit,
            ..NewChain::default()
        };
        genesis::make(&args.data, &chain)?;
    } else if !args.credit.is_empty() {
        let what = format!(
            "{} exists: its first balances are what they are",
            genesis.display()
        );
        return Err(CliError::new(Exit::Refused, what).next("--data DIR   makes another cluster"));
    }
    let running = Processes::new(args.log_max);
    let validators = Validators {
        data: &args.data,
        logs: None,
        block_target_ms: args.block_target_ms,
        cardano: args.cardano.given(),
    };
    let urls = validators.start(&running, |line| printer.note(&line))?;
    let mut lines = vec![format!(
        "{} validators decide blocks; data and logs in {}",
        urls.len(),
        args.data.display()
    )];
    lines.extend(urls.iter().map(|url| format!("  {url}")));
    lines.extend(urls.first().map(|url| first_command(url)));
    lines.push("Ctrl-C ends it; a later start goes on where it was.".into());
    printer.result(json!({ "data": args.data, "api_urls": urls }), &lines);
    running.run_until_asked(printer)
}

/// What to try first: other commands ask the default address, which may be another cluster's.
fn first_command(url: &str) -> String {
    if url == DEFAULT_API_URL {
        return "try  nupeer status".into();
    }
    format!("another chain has {DEFAULT_API_URL}, so first  export NUPEER_API_URL={url}")
}

/// Three free ports for each validator; the first API takes the default one if it is free, so that other commands find it.
fn free_ports(validators: usize) -> Outcome<Vec<Ports>> {
    let default = NodeConfig::default().api_listen;
    let mut free = FreePorts::default();
    let mut ports = Vec::new();
    for index in 0..validators {
        ports.push(Ports {
            api: free.take((index == 0).then_some(default))?,
            consensus: free.take(None)?,
            gossip: free.take(None)?,
        });
    }
    Ok(ports)
}

/// Whether a node of the chain with this genesis id answers and has decided a block. Another cluster may have come to the port first.
fn decides(api: &Api, genesis: Hash) -> bool {
    api.get("/v1/status").is_ok_and(|status| {
        status["genesis"] == genesis.to_string() && status["height"].as_u64() > Some(0)
    })
}

impl Validators<'_> {
    /// Starts all of them and waits until each has decided a block; the addresses of their APIs. A port that was free when it was chosen may be another's when
    /// its validator comes to it: then others are chosen.
    pub(super) fn start(
        &self,
        running: &Processes,
        mut tell: impl FnMut(String),
    ) -> Outcome<Vec<String>> {
        let before = running.count();
        for _ in 1..STARTS_MAX {
            match self.start_once(running, &mut tell) {
                Err(error) if error.exit == Exit::AlreadyRunning => running.end_after(before),
                started => return started,
            }
        }
        self.start_once(running, &mut tell)
    }

    fn start_once(
        &self,
        running: &Processes,
        tell: &mut impl FnMut(String),
    ) -> Outcome<Vec<String>> {
        let genesis = self.data.join("genesis.json");
        let genesis = genesis::read(&genesis)?;
        let ports = free_ports(genesis.validators.len())?;
        for index in 0..ports.len() {
            self.start_one(running, index, &ports)?;
        }
        let url = |ports: &Ports| format!("http://127.0.0.1:{}", ports.api);
        let urls: Vec<String> = ports.iter().map(url).collect();
        for (index, url) in urls.iter().enumerate() {
            let api = Api::new(url);
            let decides = || decides(&api, genesis.id());
            running.wait_until(&format!("validator {index} decides"), START_MAX, decides)?;
            tell(format!("validator {index}  ok"));
        }
        Ok(urls)
    }

    fn start_one(&self, running: &Processes, index: usize, ports: &[Ports]) -> Outcome<()> {
        let folder = self.data.join(format!("validator-{index}"));
        let config = self.write_config(&folder, index, ports)?;
        let log = match self.logs {
            None => folder.join("log"),
            Some(logs) => logs.join(format!("validator-{index}.log")),
        };
        let arguments = ["node", "--config", &config.to_string_lossy()];
        running.start(&format!("validator {index}"), &arguments, &[], &log)
    }

    fn write_config(&self, folder: &Path, index: usize, ports: &[Ports]) -> Outcome<PathBuf> {
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
        let (cardano_socket, cardano_network) = match self.cardano {
            None => Default::default(),
            Some(cardano) => cardano.absolute()?,
        };
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
            cardano_socket,
            cardano_network,
            block_target_ms: self.block_target_ms,
            ..NodeConfig::default()
        };
        let text = toml::to_string(&config)
            .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
        let path = folder.join("node.toml");
        fs::write(&path, text).map_err(|error| file_error(&path, &error))?;
        Ok(path)
    }
}

pub(super) fn down(args: &DownArgs, printer: &Printer) -> Outcome<()> {
    let locks = [LOCK, demo::LOCK].map(|name| args.data.join(name));
    let Some(path) = locks.into_iter().find(|path| processes::is_locked(path)) else {
        printer.result(json!({ "running": false }), &["nothing runs there".into()]);
        return Ok(());
    };
    let owner = processes::lock_owner(&path)?;
    kill(owner, Signal::SIGTERM)
        .map_err(|error| CliError::new(Exit::Unexpected, format!("process {owner}: {error}")))?;
    let end = Instant::now() + STOP_MAX + Duration::from_secs(5);
    while Instant::now() < end {
        if !processes::is_locked(&path) {
            let lines = [format!("ended (process {owner})")];
            printer.result(json!({ "stopped": owner.as_raw() }), &lines);
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(CliError::new(
        Exit::Waited,
        format!("process {owner} was asked to end and has not yet"),
    ))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request with this, whatever is asked.
    fn answering(status: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            let length = status.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close"
            );
            write!(stream, "{head}\r\n\r\n{status}").unwrap();
        });
        url
    }

    #[test]
    fn a_node_of_another_chain_at_the_port_is_not_taken_for_the_own() {
        let own = Hash([1; 32]);
        for (genesis, height, expected) in
            [(own, 1, true), (own, 0, false), (Hash([2; 32]), 9, false)]
        {
            let status = json!({ "genesis": genesis.to_string(), "height": height });
            let api = Api::new(&answering(status.to_string()));
            assert_eq!(decides(&api, own), expected, "{status}");
        }
    }
}
