//! The OCI runtime configuration of a container: what `libcontainer` is told to do.
//!
//! | what | how |
//! |---|---|
//! | root | user namespace: the container's root is an id without any rights on this machine |
//! | capabilities | none, in any set; no new privileges |
//! | system calls | an allow-list (`seccomp.rs`) |
//! | network | a namespace with the loopback alone: no address, no route, no device leads out |
//! | memory with swap, processes | cgroup limits; what the container writes counts as its memory |
//! | CPU | a cgroup quota, which the shim sets before the command runs (`shim/start.rs`) |
//! | inotify | few instances each: the kernel counts them for the machine's root too |
//! | files | the image read-only below a bounded scratch layer; no device but the harmless ones |

use std::{collections::BTreeMap, path::Path};

use oci_spec::OciSpecError;
use serde_json::{Value, json};

use super::seccomp;
use crate::driver::{ResourceLimits, WorkloadId};
use crate::image::RunConfig;

/// The OCI runtime specification this configuration is written to.
const OCI_VERSION: &str = "1.0.2";
/// Open files of one process.
const OPEN_FILES_MAX: u64 = 65_536;
/// What the kernel counts for a user namespace and, above it, for whoever made it, which is this machine's root
/// (user_namespaces(7), /proc/sys/user): without a bound of its own one container could take all that root has. inotify's
/// instances, of which Linux grants root 128, and what they watch.
const COUNTED: [(&str, &str); 2] = [
    ("user.max_inotify_instances", "8"),
    ("user.max_inotify_watches", "8192"),
];
/// Kernel files that tell about, or reach, the machine below (runc's and Docker's list).
const MASKED: [&str; 14] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/cgroup",
    "/sys/kernel",
];
/// Kernel files that may be read and not written.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// What a configuration is made of.
pub(super) struct Plan<'a> {
    pub(super) id: &'a WorkloadId,
    pub(super) run: &'a RunConfig,
    pub(super) user: (u32, u32),
    pub(super) limits: &'a ResourceLimits,
    /// First id on this machine of the container's user namespace, and how many.
    pub(super) ids: (u32, u32),
    /// From the root of every cgroup hierarchy.
    pub(super) cgroup: &'a str,
    pub(super) cgroup_v2: bool,
    /// What this process may open, which a user namespace can lower and never raise.
    pub(super) open_files_max: u64,
    /// Where its root will be mounted.
    pub(super) root: &'a Path,
}

/// The content of `config.json`.
pub(super) fn configuration(plan: &Plan<'_>) -> Result<Value, OciSpecError> {
    let namespaces = ["pid", "ipc", "uts", "mount", "network", "cgroup", "user"]
        .map(|kind| json!({ "type": kind }));
    let ids = json!([{ "containerID": 0, "hostID": plan.ids.0, "size": plan.ids.1 }]);
    Ok(json!({
        "ociVersion": OCI_VERSION,
        "root": { "path": plan.root, "readonly": false },
        "hostname": &plan.id.as_str()[..8],
        "process": process(plan),
        "mounts": mounts(plan.limits),
        "linux": {
            "namespaces": namespaces,
            "uidMappings": ids,
            "gidMappings": ids,
            "cgroupsPath": format!("/{}", plan.cgroup),
            "resources": resources(plan),
            "sysctl": COUNTED.into_iter().collect::<BTreeMap<_, _>>(),
            "seccomp": serde_json::to_value(seccomp::profile()?)?,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }))
}

fn process(plan: &Plan<'_>) -> Value {
    let (uid, gid) = plan.user;
    let open_files = plan.open_files_max.min(OPEN_FILES_MAX);
    json!({
        "terminal": false,
        "user": { "uid": uid, "gid": gid },
        "args": plan.run.argv,
        "env": plan.run.env,
        "cwd": plan.run.working_dir,
        "capabilities": { "bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": [] },
        "noNewPrivileges": true,
        "rlimits": [
            { "type": "RLIMIT_NOFILE", "soft": open_files, "hard": open_files },
            { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
        ],
    })
}

fn mounts(limits: &ResourceLimits) -> Value {
    let shared = limits.memory_bytes.min(64 << 20);
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
          "options": ["nosuid", "strictatime", "mode=755", "size=64k"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777", format!("size={shared}")] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
    ])
}

fn resources(plan: &Plan<'_>) -> Value {
    let mut resources = json!({
        // Swap is stated with memory in it, so the same figure twice means: no swap.
        "memory": { "limit": plan.limits.memory_bytes, "swap": plan.limits.memory_bytes },
        "pids": { "limit": plan.limits.pids_max },
    });
    if plan.cgroup_v2 {
        // libcontainer 0.7 takes the difference of the two figures above for "nothing to write" when it is zero, which
        // would leave swap unlimited on v2. Kernels built without swap have no such file.
        if Path::new("/proc/swaps").exists() {
            resources["unified"] = json!({ "memory.swap.max": "0" });
        }
    }
    resources
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Spec;

    use super::*;

    fn plan(v2: bool) -> Value {
        let run = RunConfig {
            argv: vec!["/bin/true".into()],
            env: vec!["PATH=/bin".into()],
            working_dir: "/".into(),
            user: String::new(),
            ports: Vec::new(),
            stop_signal: "SIGTERM".into(),
        };
        configuration(&Plan {
            id: &"0123456789abcdef".parse().unwrap(),
            run: &run,
            user: (1000, 1000),
            limits: &ResourceLimits {
                cpu_milli: 200,
                memory_bytes: 64 << 20,
                pids_max: 32,
            },
            ids: (1_879_048_192, 65_536),
            cgroup: "nupeer/0123456789abcdef",
            cgroup_v2: v2,
            open_files_max: u64::MAX,
            root: Path::new("/mnt/root"),
        })
        .unwrap()
    }

    #[test]
    fn the_configuration_is_one_that_oci_knows() {
        let spec: Spec = serde_json::from_value(plan(false)).unwrap();
        let linux = spec.linux().as_ref().unwrap();
        assert_eq!(linux.namespaces().as_ref().unwrap().len(), 7);
        let resources = linux.resources().as_ref().unwrap();
        assert_eq!(resources.pids().as_ref().unwrap().limit(), 32);
        let capabilities = spec
            .process()
            .as_ref()
            .unwrap()
            .capabilities()
            .clone()
            .unwrap();
        for set in [
            capabilities.bounding(),
            capabilities.effective(),
            capabilities.permitted(),
        ] {
            assert_eq!(set.as_ref().map(|set| set.len()), Some(0));
        }
        assert_eq!(
            spec.process().as_ref().unwrap().no_new_privileges(),
            Some(true)
        );
    }

    #[test]
    fn swap_is_denied_on_both_kinds_of_cgroups() {
        for v2 in [false, true] {
            let resources = &plan(v2)["linux"]["resources"];
            assert_eq!(resources["memory"]["limit"], resources["memory"]["swap"]);
            let swap_exists = Path::new("/proc/swaps").exists();
            assert_eq!(
                resources["unified"]["memory.swap.max"] == "0",
                v2 && swap_exists
            );
        }
    }
}
