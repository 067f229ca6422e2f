//! One lease from the order to its complete absence: four validators, the agent, the owner's and the tenant's commands, each a process of its own.

mod needs_root;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use nupeer_paas_drivers::{
    Driver,
    container::{ContainerConfig, ContainerDriver},
};
use nupeer_testing::child::{Signal, dies_with_us};
use serde_json::Value;

use crate::{
    asking::{does, nupeer_json},
    validators::{NUPEER, Validators, wait_until},
};

const GREETING: &str = "hello from the lease";
/// The most memory that an agent may take.
const MEMORY_KIB_MAX: u64 = 60 << 10;

/// A person's folder, and the node that is asked.
struct Person {
    folder: PathBuf,
    url: String,
}

impl Person {
    fn output(&self, args: &[&str]) -> Output {
        nupeer_json(&self.folder, &self.url, args)
    }

    fn does(&self, args: &[&str]) -> Value {
        does(&self.output(args))
    }

    /// A new wallet's account.
    fn account(&self) -> String {
        fs::create_dir_all(&self.folder).unwrap();
        self.does(&["wallet", "new"])["account"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn lovelace(&self, account: &str) -> u128 {
        let account = self.does(&["account", account]);
        account["balances"][0]["amount"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The agent as a process, and what it leaves behind when a test breaks off.
struct Agent {
    folder: PathBuf,
    name: String,
    child: Option<Child>,
}

impl Agent {
    fn start(&mut self) {
        let log = self.folder.join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(log);
        let mut command = Command::new(NUPEER);
        command
            .args(["agent", "--config"])
            .arg(self.folder.join("agent.toml"))
            .env("NUPEER_AGENT_UNSIGNED_MS_MAX", "4000")
            .env("NUPEER_AGENT_STOP_GRACE_MS", "500")
            .env("NUPEER_AGENT_POLL_MS", "100")
            .env("NUPEER_AGENT_DISK_RESERVE_BYTES", "0")
            .env("NUPEER_AGENT_DISK_RESERVE_FILES", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap());
        dies_with_us(&mut command, Signal::SIGKILL);
        self.child = Some(command.spawn().unwrap());
    }

    /// `kill -9`.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn memory_kib(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let digits = line.unwrap().split_whitespace().nth(1);
        digits.unwrap().parse().unwrap()
    }

    fn workloads(&self) -> PathBuf {
        self.folder.join("data/workloads")
    }

    /// The first process of a lease's container.
    fn first_process(&self, lease: &str) -> String {
        let folder = self.workloads().join("containers").join(lease);
        fs::read_to_string(folder.join("init.json")).unwrap()
    }

    /// Cgroups of this agent's that the kernel still has.
    fn cgroups(&self) -> BTreeSet<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = fs::read_dir(root).unwrap().flatten().map(|e| e.path());
        hierarchies
            .chain([root.to_owned()])
            .map(|hierarchy| hierarchy.join(&self.name))
            .filter(|cgroup| cgroup.exists())
            .collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        let config = ContainerConfig::new(self.workloads(), self.name.clone(), vec![]);
        if let Ok(driver) = ContainerDriver::open(config) {
            for workload in driver.list().unwrap_or_default() {
                let _ = driver.remove(&workload.id);
            }
        }
    }
}

/// One HTTP request, as any browser makes it; nothing where nobody answers.
fn page(address: &str) -> String {
    let get = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET / HTTP/1.0\r\nHost: lease\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    get().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other
            .as_u64()
            .unwrap_or_else(|| panic!("{other} is no number")),
    }
}

/// Owner, tenant and agent around a chain of their own.
struct Town {
    owner: Person,
    tenant: Person,
    owner_account: String,
    tenant_account: String,
    agent: Agent,
    validators: Validators,
    _folder: tempfile::TempDir,
}

impl Town {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let person = |name: &str| Person {
            folder: folder.path().join(name),
            url: "http://127.0.0.1:1".into(),
        };
        let (mut owner, mut tenant) = (person("owner"), person("tenant"));
        let (owner_account, tenant_account) = (owner.account(), tenant.account());
        let mut validators = Validators::make(&[
            format!("{owner_account}=100ADA"),
            format!("{tenant_account}=100ADA"),
        ]);
        validators.start_all();
        (0..4).for_each(|index| validators.wait_for_height(index, 1));
        (owner.url, tenant.url) = (validators.url(0), validators.url(1));
        let home = folder.path().join("agent");
        let mut init = vec!["agent", "init", "--owner", &owner_account, "--data"];
        let urls: Vec<String> = (0..4).map(|index| validators.url(index)).collect();
        init.push(home.to_str().unwrap());
        urls.iter().for_each(|url| init.extend(["--node", url]));
        let made = owner.does(&init);
        let mut agent = Agent {
            name: made["name"].as_str().unwrap().to_owned(),
            folder: home,
            child: None,
        };
        agent.start();
        // It waits for the owner's word and says which.
        let grant = made["grant_command"].as_str().unwrap().to_owned();
        wait_until("the agent asks for a grant", || {
            agent.log().contains(&grant)
        });
        let words: Vec<&str> = grant.split(' ').skip(1).chain(["--yes"]).collect();
        owner.does(&words);
        wait_until("the machine is on offer", || {
            let offers = tenant.does(&["offer", "list"]);
            offers["offers"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        });
        Town {
            owner,
            tenant,
            owner_account,
            tenant_account,
            agent,
            validators,
            _folder: folder,
        }
    }

    /// Orders a web server with a session key, and uploads it. Returns the lease.
    fn order(&self) -> String {
        let tenant = &self.tenant;
        let image = tenant.does(&[
            "image",
            "make",
            "--out",
            "web.tar",
            "--greeting",
            GREETING,
            "--port",
            "8080",
        ]);
        let session = ["wallet", "session", "new", "--scope", "lease"];
        let terms = ["--budget", "20ADA", "--hours", "1", "--yes"];
        tenant.does(&[&session[..], &terms].concat());
        let container = ["--cpu", "0.2", "--memory", "64MiB", "--port", "8080"];
        let price = [
            "--price-max",
            "36ADA/h",
            "--escrow",
            "5ADA",
            "--duration",
            "10m",
        ];
        let who = ["--session", "session.json", "--yes"];
        let digest = image["digest"].as_str().unwrap();
        let order = ["lease", "order", "--image", digest];
        let ordered = tenant.does(&[&order[..], &container, &price, &who].concat());
        let lease = ordered["lease"].as_str().unwrap().to_owned();
        self.at_agent(&["upload", &lease, "web.tar"]);
        lease
    }

    /// A command about a lease, by the session key.
    fn at_agent(&self, words: &[&str]) -> Value {
        let session = ["--session", "session.json"];
        self.tenant.does(&[&["lease"], words, &session].concat())
    }

    fn shown(&self, lease: &str) -> Value {
        self.tenant.does(&["lease", "show", lease])
    }

    fn wait_for_state(&self, lease: &str, state: &str) {
        wait_until(&format!("the lease is {state}"), || {
            self.shown(lease)["state"] == state
        });
    }

    /// Where the lease's port is published, once it answers.
    fn published(&self, lease: &str) -> String {
        let mut address = String::new();
        wait_until("the workload answers", || {
            let status = self.at_agent(&["status", lease]);
            address = status["published"].as_str().unwrap_or_default().to_owned();
            page(&address).contains(GREETING)
        });
        address
    }
}

fn pid(init: &str) -> String {
    let init: Value = serde_json::from_str(init).unwrap();
    init["pid"].to_string()
}

#[test]
fn the_settings_of_an_agent_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Person {
        folder: folder.path().to_owned(),
        url: "http://127.0.0.1:1".into(),
    };
    let account = owner.account();
    owner.does(&["agent", "init", "--owner", &account]);
    let again = owner.output(&["agent", "init", "--owner", &account]);
    assert_eq!(again.status.code(), Some(3));
}

#[test]
fn a_machine_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Person {
        folder: folder.path().to_owned(),
        url: "http://127.0.0.1:1".into(),
    };
    let measured = owner.does(&["agent", "measure"]);
    assert!(number(&measured["capacity"]["cores"]) > 0);
    assert!(number(&measured["cpu"]["one_core"]["bytes_per_s"][0]) > 0);
    assert!(number(&measured["disk"]["write"]["bytes_per_s"][0]) > 0);
}
