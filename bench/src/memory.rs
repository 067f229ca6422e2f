//! Resident memory of whole processes: four validators at a block each 50 ms, and an agent that has registered its machine with them and
//! offers it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    Extent,
    chain::VALIDATORS,
    note,
    process::{Running, naming, resident_bytes, sibling},
    samples::{millis, rounded},
};

const BLOCK_TARGET_MS: u64 = 50;
/// How often memory is looked at on the way.
const SAMPLES: u64 = 10;
/// What the project promises, in bytes.
const VALIDATOR_MAX: u64 = 300_000_000;
const AGENT_MAX: u64 = 60_000_000;
/// Growth from two fifths of the way to its end that still counts as flat.
const GROWTH_MAX: f64 = 1.1;
/// Longest from one sample to the next.
const PATIENCE: Duration = Duration::from_secs(1_200);

pub(crate) fn measure(extent: Extent) -> Result<Value> {
    let blocks = match extent {
        Extent::Quick => 200,
        Extent::Full => 1_000,
        Extent::Long => 10_000,
    };
    let site = Site::start()?;
    let agent = match nix::unistd::geteuid().is_root() {
        true => Some(site.agent()?),
        false => None,
    };
    note(&format!("memory: {blocks} blocks"));
    let began = Instant::now();
    let mut samples = Vec::new();
    for sample in 1..=SAMPLES {
        let height = site.wait_for(blocks * sample / SAMPLES)?;
        let validators = site.validators_bytes()?;
        let agent = agent.as_ref().and_then(|agent| resident_bytes(agent.id()));
        samples.push(Sample {
            at: began.elapsed(),
            height,
            validators,
            agent,
        });
    }
    Ok(report(&samples, extent))
}

/// Memory at one moment.
struct Sample {
    at: Duration,
    height: u64,
    validators: Vec<u64>,
    agent: Option<u64>,
}

impl Sample {
    fn largest(&self) -> u64 {
        self.validators.iter().copied().max().unwrap_or_default()
    }
}

fn report(samples: &[Sample], extent: Extent) -> Value {
    let list: Vec<Value> = samples
        .iter()
        .map(|s| {
            json!({
                "at_ms": millis(s.at), "height": s.height,
                "validators_bytes": s.validators, "agent_bytes": s.agent,
            })
        })
        .collect();
    let last = samples.last().map(Sample::largest).unwrap_or_default();
    let early = samples.get(samples.len() * 2 / 5 - 1);
    let early_bytes = early.map(Sample::largest).unwrap_or_default();
    let growth = last as f64 / early_bytes.max(1) as f64;
    let height = |sample: Option<&Sample>| sample.map_or(0, |sample| sample.height);
    let blocks = height(samples.last()).saturating_sub(height(early)).max(1);
    let per_block = last.saturating_sub(early_bytes) / blocks;
    let agent = samples.iter().filter_map(|sample| sample.agent).max();
    let is_whole = extent == Extent::Long;
    let validator_met = last <= VALIDATOR_MAX && growth <= GROWTH_MAX;
    json!({
        "block_target_ms": BLOCK_TARGET_MS, "samples": list,
        "validator": {
            "largest_bytes": last, "max_bytes": VALIDATOR_MAX,
            "growth_since_two_fifths": rounded(growth), "growth_max": GROWTH_MAX,
            "growth_bytes_per_block": per_block,
            "met": is_whole.then_some(validator_met),
            "remark": (!is_whole).then_some("10,000 blocks are made with --long"),
        },
        "agent": match agent {
            Some(bytes) => json!({ "largest_bytes": bytes, "max_bytes": AGENT_MAX, "met": bytes <= AGENT_MAX }),
            None => json!({ "skipped": "an agent needs root" }),
        },
    })
}

/// A cluster in a folder of its own, and the wallet of a machine's owner.
struct Site {
    folder: tempfile::TempDir,
    owner: String,
    url: String,
    _cluster: Running,
}

impl Site {
    fn start() -> Result<Self> {
        note("memory: four validators, each a process");
        let folder = tempfile::tempdir()?;
        let wallet = json_of(nupeer(folder.path())?.args(["wallet", "new"]))?;
        let owner = wallet["account"].as_str().context("an account")?.to_owned();
        let mut up = nupeer(folder.path())?;
        up.args([
            "up",
            "--data",
            "cluster",
            "--validators",
            &VALIDATORS.to_string(),
        ])
        .args(["--block-target-ms", &BLOCK_TARGET_MS.to_string()])
        .args(["--credit", &format!("{owner}=1000ADA")])
        .stdout(Stdio::piped())
        .stderr(File::create(folder.path().join("up.log"))?);
        let mut cluster = Running::start(&mut up)?;
        let told = cluster.first_line()?;
        let url = told["api_urls"][0]
            .as_str()
            .context("an address")?
            .to_owned();
        Ok(Site {
            folder,
            owner,
            url,
            _cluster: cluster,
        })
    }

    fn command(&self) -> Result<Command> {
        let mut command = nupeer(self.folder.path())?;
        command.args(["--api-url", &self.url]);
        Ok(command)
    }

    /// An agent whose machine is on the chain.
    fn agent(&self) -> Result<Running> {
        note("memory: an agent registers this machine");
        let init = ["agent", "init", "--data", "agent", "--owner", &self.owner];
        let made = json_of(self.command()?.args(init))?;
        let key = made["operator_key_hash"].as_str().context("a key")?;
        let grant = [
            "tx", "grant", "--scope", "machine", "--budget", "100ADA", "--yes",
        ];
        json_of(self.command()?.args(grant).args(["--key", key]))?;
        let mut command = self.command()?;
        command
            .args(["agent", "--config", "agent/agent.toml"])
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.path().join("agent.log"))?);
        let agent = Running::start(&mut command)?;
        let end = Instant::now() + Duration::from_secs(120);
        while self.machines()? == 0 {
            ensure!(Instant::now() < end, "the agent registers no machine");
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(agent)
    }

    fn machines(&self) -> Result<usize> {
        let answer = self.get("/v1/machines")?;
        let list = answer.as_array().or_else(|| answer["machines"].as_array());
        Ok(list.map_or(0, Vec::len))
    }

    fn wait_for(&self, height: u64) -> Result<u64> {
        let end = Instant::now() + PATIENCE;
        loop {
            let reached = self.get("/v1/status")?["height"]
                .as_u64()
                .unwrap_or_default();
            if reached >= height {
                return Ok(reached);
            }
            ensure!(Instant::now() < end, "the validators stand at {reached}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, path: &str) -> Result<Value> {
        let mut answer = ureq::get(format!("{}{path}", self.url)).call()?;
        Ok(answer.body_mut().read_json()?)
    }

    fn validators_bytes(&self) -> Result<Vec<u64>> {
        let config = |index: u8| -> PathBuf {
            ["cluster", &format!("validator-{index}"), "node.toml"]
                .iter()
                .collect()
        };
        let bytes = |index| {
            let processes = naming(&config(index))?;
            let own = processes.iter().find_map(|process| {
                let inside = std::fs::read_link(format!("/proc/{process}/cwd")).ok()?;
                (inside == self.folder.path())
                    .then(|| resident_bytes(*process))
                    .flatten()
            });
            own.with_context(|| format!("validator {index} is not there"))
        };
        (0..VALIDATORS).map(bytes).collect()
    }
}

/// `nupeer --json`, at work in `folder`.
fn nupeer(folder: &Path) -> Result<Command> {
    let mut command = Command::new(sibling("nupeer")?);
    command
        .current_dir(folder)
        .env("NUPEER_WALLET_PASSWORD", "of no worth")
        .arg("--json");
    Ok(command)
}

fn json_of(command: &mut Command) -> Result<Value> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}
