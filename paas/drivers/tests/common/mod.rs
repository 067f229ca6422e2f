//! A driver in a folder of its own, with cgroups of its own, for one test.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nupeer_paas_drivers::container::{ContainerConfig, ContainerDriver};
use nupeer_paas_drivers::image::ImageDigest;
use nupeer_paas_drivers::image::make::{Files, Node, Recipe, from_busybox};
use nupeer_paas_drivers::{Driver, Exit, ResourceLimits, WorkloadId, WorkloadSpec, WorkloadState};

/// Long enough for anything that happens at all, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Where Debian's busybox-static puts it.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// Panics where containers cannot be run.
fn must_be_able() {
    let is_root = nix::unistd::geteuid().is_root();
    assert!(
        is_root && Path::new(BUSYBOX).exists(),
        "this needs root and {BUSYBOX} (busybox-static); scripts/test.sh leaves needs_root:: out without root"
    );
}

/// A driver that leaves nothing behind.
pub(crate) struct Site {
    pub(crate) driver: ContainerDriver,
    pub(crate) config: ContainerConfig,
    pub(crate) folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ContainerConfig)) -> Self {
        must_be_able();
        let folder = tempfile::tempdir().unwrap();
        let mark = folder
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_start_matches(".tmp")
            .to_lowercase();
        let name = format!("nupeer-test-{}-{mark}", std::process::id());
        let shim = vec![env!("CARGO_BIN_EXE_nupeer-container-shim").into()];
        let mut config = ContainerConfig::new(folder.path().join("agent"), name, shim);
        config.with_agent = true;
        change(&mut config);
        Site {
            driver: ContainerDriver::open(config.clone()).unwrap(),
            config,
            folder,
        }
    }

    /// Another driver over the same containers, as after a restart of the agent.
    pub(crate) fn reopened(&self) -> ContainerDriver {
        ContainerDriver::open(self.config.clone()).unwrap()
    }

    /// An image of busybox and `extra` files.
    pub(crate) fn image(&self, extra: &Files, recipe: &Recipe) -> ImageDigest {
        let made = from_busybox(Path::new(BUSYBOX), extra, recipe).unwrap();
        self.driver
            .images()
            .import(&mut std::io::Cursor::new(made.archive), &made.digest)
            .unwrap();
        made.digest
    }

    /// What to run `script` in a shell with `limits`.
    pub(crate) fn spec(&self, script: &str, limits: ResourceLimits) -> WorkloadSpec {
        self.spec_of(
            self.image(&Files::new(), &Recipe::default()),
            &["/bin/sh", "-c", script],
            limits,
        )
    }

    pub(crate) fn spec_of(
        &self,
        image: ImageDigest,
        argv: &[&str],
        limits: ResourceLimits,
    ) -> WorkloadSpec {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        WorkloadSpec {
            id: id(1),
            image,
            argv,
            env: Vec::new(),
            limits,
            port: Some(8080),
        }
    }

    /// Prepares and starts.
    pub(crate) fn run(&self, spec: &WorkloadSpec) -> WorkloadId {
        self.driver.prepare(spec).unwrap();
        self.driver.start(&spec.id).unwrap();
        spec.id.clone()
    }

    /// Runs `script` to its end. Returns how it ended and what it wrote.
    pub(crate) fn outcome(&self, script: &str, limits: ResourceLimits) -> (Exit, String) {
        self.outcome_of(&self.spec(script, limits))
    }

    pub(crate) fn outcome_of(&self, spec: &WorkloadSpec) -> (Exit, String) {
        let id = self.run(spec);
        assert!(
            self.driver.wait(&id, PATIENCE).unwrap(),
            "it runs on: {}",
            self.output(&id)
        );
        let WorkloadState::Exited { exit } = self.state(&id) else {
            panic!("{:?}", self.state(&id))
        };
        (exit, self.output(&id))
    }

    /// All that was written so far.
    pub(crate) fn output(&self, id: &WorkloadId) -> String {
        let (mut from, mut bytes) = (0, Vec::new());
        loop {
            let chunk = self.driver.logs(id, from).unwrap();
            if chunk.bytes.is_empty() {
                return String::from_utf8_lossy(&bytes).into_owned();
            }
            bytes.extend(chunk.bytes);
            from = chunk.next;
        }
    }

    /// Waits until the output holds `text`: the workload says what it has done.
    pub(crate) fn wait_for_output(&self, id: &WorkloadId, text: &str) {
        wait_until(
            || self.output(id).contains(text),
            || format!("no {text:?} in {:?}", self.output(id)),
        );
    }

    pub(crate) fn state(&self, id: &WorkloadId) -> WorkloadState {
        let list = self.driver.list().unwrap();
        list.into_iter()
            .find(|workload| workload.id == *id)
            .map(|workload| workload.state)
            .unwrap()
    }

    /// Everything of this site that the kernel still knows: cgroups and mounts.
    pub(crate) fn traces(&self) -> BTreeSet<PathBuf> {
        let hierarchies = fs::read_dir("/sys/fs/cgroup")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let cgroups = hierarchies
            .chain([PathBuf::from("/sys/fs/cgroup")])
            .map(|hierarchy| hierarchy.join(&self.config.name))
            .filter(|cgroup| cgroup.exists());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let folder = self.config.folder.to_str().unwrap().to_owned();
        let mounts: Vec<PathBuf> = mounts
            .lines()
            .filter(|line| line.contains(&folder))
            .map(PathBuf::from)
            .collect();
        cgroups.chain(mounts).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for workload in self.driver.list().unwrap_or_default() {
            let _ = self.driver.remove(&workload.id);
        }
    }
}

/// Waits for what no event tells of.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let until = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < until, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn id(number: u64) -> WorkloadId {
    format!("{number:016x}").parse().unwrap()
}

/// The lease of the demo.
pub(crate) fn limits() -> ResourceLimits {
    ResourceLimits {
        cpu_milli: 200,
        memory_bytes: 64 << 20,
        pids_max: 32,
    }
}

/// Enough CPU not to be what a test waits for.
pub(crate) fn ample() -> ResourceLimits {
    ResourceLimits {
        cpu_milli: 1000,
        ..limits()
    }
}

/// A program of ours and the libraries it is linked with, as files of an image. The libraries are those that this test
/// itself has loaded: they are linked alike.
pub(crate) fn program(path: &str, name: &str) -> Files {
    let file = |path: &Path| Node::File {
        bytes: fs::read(path).unwrap(),
        executable: true,
    };
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libraries: BTreeSet<&str> = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.contains(".so"))
        .collect();
    let mut files = Files::from([(PathBuf::from(format!("bin/{name}")), file(Path::new(path)))]);
    for library in libraries {
        let name = Path::new(library).file_name().unwrap();
        // The loader is looked for at a fixed path, everything else in /lib.
        for folder in ["lib", "lib64"] {
            files.insert(Path::new(folder).join(name), file(Path::new(library)));
        }
    }
    files
}
