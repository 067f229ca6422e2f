//! Settings of an agent: a TOML file, environment variables over it, defaults under it (`sidechain-node/settings`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nupeer_primitives::{Code, Hash, Numbered};
use nupeer_settings::{Fault, settings};

/// Before a key's name in capitals: the variable that overrides the file.
const VARIABLES: &str = "NUPEER_AGENT_";

settings! {
    /// What an operator chooses. `NUPEER_AGENT_` and a key's name in capitals is the variable that overrides the file.
    /// Relative paths are relative to the file, or without one to the working folder.
    AgentConfig {
        data_folder: PathBuf = "agent".into(), "Folder of images, containers, uploads and notes; created where missing, for root alone.";
        operator_key: PathBuf = "operator.key".into(), "File of the key that speaks for the machine: 64 hexadecimal digits, mode 0600.";
        owner: String = String::new(), "The owner's account (stake1... or stake_test1...): who is paid, and whose bond it is.";
        node_urls: Vec<String> = vec!["http://127.0.0.1:8420".into()], "Nodes to ask, tried in turn; name several, so that one that is down or stands still stops nothing. Leases are believed by state proofs alone.";
        genesis_id: String = String::new(), "The chain to work for, by its genesis id; empty: the first that the nodes name, which the data folder remembers.";
        name: String = "nupeer".into(), "This agent's name among others on one machine: its cgroups are called so. Lowercase letters, digits, dashes.";
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8430)), "Where tenants reach the agent, address:port; port 0: the kernel chooses.";
        endpoint: String = String::new(), "The URL that tenants are told; empty: http:// and the address listened at.";
        ingress_listen: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST), "The address at which published ports of workloads listen.";
        ingress_host: String = String::new(), "The host that tenants are told for published ports; empty: the address listened at.";
        cpu_milli: u32 = 0, "Thousandths of CPUs to lease out in all; 0: every core that was measured.";
        memory_bytes: u64 = 0, "Memory to lease out in all, in bytes; 0: three quarters of what was measured.";
        disk_bytes: u64 = 0, "Disk to lease out in all, in bytes. Containers take none.";
        pids: u32 = 8_192, "Processes and threads to lease out in all.";
        ports: u16 = 64, "Ports to publish in all.";
        bond_lovelace: u64 = 50_000_000, "Bond of a machine that serves containers, in lovelace; the chain says the least.";
        price_lovelace_per_hour: u64 = 0, "Price of one lease, however large, in lovelace per hour; 0: by the resource, as the next four say.";
        price_cpu_lovelace_per_hour: u64 = 400_000, "Price of a CPU, in lovelace per hour.";
        price_memory_gib_lovelace_per_hour: u64 = 200_000, "Price of a GiB of memory, in lovelace per hour.";
        price_disk_gib_lovelace_per_hour: u64 = 5_000, "Price of a GiB of disk, in lovelace per hour.";
        price_port_lovelace_per_hour: u64 = 10_000, "Price of a published port, in lovelace per hour.";
        duration_ms_max: u64 = 30 * 86_400_000, "The longest lease that is offered, in ms.";
        offer_life_ms: u64 = 600_000, "How long an offer holds, in ms; it is renewed at half of that.";
        offer_leases_max: u32 = 1_000, "How many leases may be made from one offer.";
        poll_ms: u64 = 500, "How often the chain is asked what it wants, in ms.";
        unsigned_ms_max: u64 = 30_000, "Running time that may stay unsigned before the workload is paused, in ms.";
        submit_ms: u64 = 30_000, "Signed time after which it is settled on the chain, in ms; at a pause and at the end it is settled at once.";
        stop_grace_ms: u64 = 3_000, "How long a workload may take to end when it is asked to, in ms.";
        image_bytes_max: u64 = 512 << 20, "The largest image archive that is taken, in bytes.";
        uploads_max: u32 = 8, "Images uploaded at a time in all, one for each lease; further ones are told to come later.";
        uploads_per_tenant_max: u32 = 2, "Images that one tenant may be uploading at a time.";
        upload_idle_ms_max: u64 = 10_000, "How long an upload may stand still, in ms; after that long it must have come at 32 KiB a second on the whole, too.";
        upload_ms_max: u64 = 1_800_000, "How long an upload may take in all, in ms.";
        disk_reserve_bytes: u64 = 1 << 30, "Bytes, of the disk that data_folder is on, which no new image may take; while less is free, the machine is not offered.";
        disk_reserve_files: u64 = 100_000, "Files of that disk that must stay possible likewise; less where the disk has hardly more in all (df -i). An image may have 200,000.";
        log_bytes_max: u64 = 2 << 20, "Output kept of each workload, in bytes.";
        take_over: bool = false, "Whether a start takes the machine back where the chain names another agent of the same operator key: once that one was ended.";
        ends_with_agent: bool = false, "Whether workloads end with the agent; otherwise they run on, and a new start finds them.";
        log: String = "info".into(), "What is logged, as in RUST_LOG: info, or nupeer_agent=debug,warn.";
    }
}

/// Why settings are refused. The numbers are NP8000 to NP8003.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not TOML, an unknown key, or a value of another kind.
    #[error("settings: {0}")]
    Malformed(String),
    /// An environment variable's value is of another kind.
    #[error("{variable} is {provided:?}: {expected}")]
    Variable {
        /// Its name.
        variable: String,
        /// Its value.
        provided: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that makes no agent.
    #[error("{key} is {provided}: {expected}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Its value.
        provided: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl Numbered for ConfigError {
    fn code(&self) -> Code {
        Code(match self {
            ConfigError::Unreadable { .. } => 8000,
            ConfigError::Malformed(_) => 8001,
            ConfigError::Variable { .. } => 8002,
            ConfigError::Value { .. } => 8003,
        })
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable { path, reason } => ConfigError::Unreadable { path, reason },
            Fault::Malformed(why) => ConfigError::Malformed(why),
            Fault::Variable {
                variable,
                provided,
                expected,
            } => ConfigError::Variable {
                variable,
                provided,
                expected,
            },
        }
    }
}

impl AgentConfig {
    /// The settings in `file`, with those variables over them that `variable` knows.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(
        file: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<AgentConfig, ConfigError> {
        let text = nupeer_settings::read(file)?;
        let mut config = Self::parse(&text, variable)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.data_folder = folder.join(&config.data_folder);
        config.operator_key = folder.join(&config.operator_key);
        Ok(config)
    }

    /// As [`AgentConfig::load`], from a text; paths stay as they are.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<AgentConfig, ConfigError> {
        let config: AgentConfig = nupeer_settings::parse(VARIABLES, text, variable)?;
        config.check()?;
        Ok(config)
    }

    /// A settings file that says what this says, each key with its documentation and its variable.
    pub fn document(&self) -> String {
        nupeer_settings::document(VARIABLES, SETTINGS, self)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, provided: String, expected| {
            Err(ConfigError::Value {
                key,
                provided,
                expected,
            })
        };
        if self.node_urls.is_empty() {
            return refuse("node_urls", "empty".into(), "at least one node is needed");
        }
        if !self.genesis_id.is_empty() && self.genesis_id.parse::<Hash>().is_err() {
            let expected = "64 hexadecimal digits, or nothing";
            return refuse("genesis_id", self.genesis_id.clone(), expected);
        }
        for (key, value) in [
            ("poll_ms", self.poll_ms),
            ("unsigned_ms_max", self.unsigned_ms_max),
            ("offer_life_ms", self.offer_life_ms),
            ("image_bytes_max", self.image_bytes_max),
            ("uploads_max", self.uploads_max.into()),
            ("uploads_per_tenant_max", self.uploads_per_tenant_max.into()),
            ("upload_idle_ms_max", self.upload_idle_ms_max),
            ("upload_ms_max", self.upload_ms_max),
        ] {
            if value == 0 {
                return refuse(key, "0".into(), "1 is the least");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_document_says_the_defaults() {
        let defaults = AgentConfig::default();
        assert_eq!(AgentConfig::parse(&defaults.document(), none), Ok(defaults));
    }

    #[test]
    fn variables_override_the_file_and_the_file_the_defaults() {
        let variable = |name: &str| match name {
            "NUPEER_AGENT_POLL_MS" => Some("50".to_owned()),
            "NUPEER_AGENT_NODE_URLS" => Some("http://a, http://b".to_owned()),
            "NUPEER_AGENT_ENDS_WITH_AGENT" => Some("true".to_owned()),
            _ => None,
        };
        let config = AgentConfig::parse("poll_ms = 70\nname = \"attic\"", variable).unwrap();
        assert_eq!((config.poll_ms, config.name.as_str()), (50, "attic"));
        assert_eq!(config.node_urls, ["http://a", "http://b"]);
        assert!(config.ends_with_agent);
        assert_eq!(config.submit_ms, AgentConfig::default().submit_ms);
    }

    #[test]
    fn what_makes_no_agent_is_refused_by_name() {
        let misspelt = AgentConfig::parse("poll = 70", none);
        assert!(matches!(misspelt, Err(ConfigError::Malformed(why)) if why.contains("poll")));
        let word = |name: &str| (name == "NUPEER_AGENT_POLL_MS").then(|| "often".to_owned());
        assert_eq!(
            AgentConfig::parse("", word),
            Err(ConfigError::Variable {
                variable: "NUPEER_AGENT_POLL_MS".into(),
                provided: "often".into(),
                expected: "a whole number is expected",
            })
        );
        assert_eq!(
            AgentConfig::parse("unsigned_ms_max = 0", none),
            Err(ConfigError::Value {
                key: "unsigned_ms_max",
                provided: "0".into(),
                expected: "1 is the least",
            })
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, "operator_key = \"/etc/operator.key\"").unwrap();
        let config = AgentConfig::load(&file, none).unwrap();
        assert_eq!(config.data_folder, folder.path().join("agent"));
        assert_eq!(config.operator_key, Path::new("/etc/operator.key"));
    }
}
