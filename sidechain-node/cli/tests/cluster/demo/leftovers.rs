//! What a demo might leave on the machine: processes, cgroups, mounts, network devices, and namespaces. A namespace lives as long as a process, a descriptor
//! or a mount holds it, so whoever could hold one of the demo's is looked for by what ties it to the demo, and mounts that keep one by a name are counted.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// What of the machine's network a demo has no business with, as it was before.
pub(crate) struct Before {
    devices: BTreeSet<String>,
    named: BTreeSet<String>,
}

impl Before {
    pub(crate) fn look() -> Self {
        Before {
            devices: devices(),
            named: named_namespaces(),
        }
    }
}

/// Network devices of the machine's own namespace: where the near end of a virtual cable would lie.
fn devices() -> BTreeSet<String> {
    names(Path::new("/sys/class/net"))
}

/// Namespaces that a mount keeps (ip-netns(8), or any other place), and what is called like one.
fn named_namespaces() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let kept = mounts.lines().filter(|line| line.contains(" - nsfs "));
    let kept = kept.map(str::to_owned);
    kept.chain(names(Path::new("/run/netns"))).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// How the agent of this demo is called, as its cgroups are; none before it was made.
fn agents_name(data: &Path) -> Option<String> {
    let settings = fs::read_to_string(data.join("agent/agent.toml")).ok()?;
    let line = settings.lines().find(|line| line.starts_with("name"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

/// The cgroups of this demo's agent in any hierarchy; none before it was made.
pub(crate) fn cgroups(data: &Path) -> Option<Vec<PathBuf>> {
    let name = agents_name(data)?;
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let all = hierarchies
        .chain([root.to_owned()])
        .map(|folder| folder.join(&name));
    Some(all.filter(|folder| folder.exists()).collect())
}

/// A process of the demo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tied {
    process: String,
    /// Its network namespace, where that is not the machine's own.
    pub(crate) namespace: Option<u64>,
}

/// Processes that anything ties to one of these texts: how they were started, where they work, what they have open, their cgroup, or a mount that they
/// see, be it in a mount namespace of their own.
fn tied_to(texts: &[String]) -> Vec<Tied> {
    let own = std::process::id().to_string();
    let network = |process: &Path| Some(fs::metadata(process.join("ns/net")).ok()?.ino());
    let machines = network(Path::new("/proc/self"));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let (pid, process) = (entry.file_name(), entry.path());
        let pid = pid.to_string_lossy().into_owned();
        if pid == own || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let about = about(&process);
        if texts.iter().any(|text| about.contains(text)) {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let namespace = network(&process).filter(|found| Some(*found) != machines);
            let process = format!("{pid}: {command}");
            found.push(Tied { process, namespace });
        }
    }
    found
}

/// Everything that /proc says of a process by names.
fn about(process: &Path) -> String {
    let mut about = Vec::new();
    for file in ["cmdline", "environ", "cgroup", "mountinfo"] {
        about.extend(fs::read(process.join(file)).unwrap_or_default());
        about.push(b'\n');
    }
    let open = fs::read_dir(process.join("fd")).into_iter().flatten();
    let open = open.flatten().map(|entry| entry.path());
    for link in ["cwd", "root", "exe"]
        .map(|link| process.join(link))
        .into_iter()
        .chain(open)
    {
        let target = fs::read_link(link).unwrap_or_default();
        about.extend_from_slice(target.as_os_str().as_encoded_bytes());
        about.push(b'\n');
    }
    String::from_utf8_lossy(&about).into_owned()
}

/// The processes of the demo in `data`, in whatever namespaces.
pub(crate) fn processes(data: &Path, report: Option<&Value>) -> Vec<Tied> {
    let lease = report.and_then(|report| report["lease"]["id"].as_str());
    let names = [agents_name(data), lease.map(str::to_owned)];
    let mut texts = vec![data.to_string_lossy().into_owned()];
    texts.extend(names.into_iter().flatten());
    tied_to(&texts)
}

/// Fails if anything of the demo in `data` is still on the machine.
pub(crate) fn assert_none(before: &Before, data: &Path, report: Option<&Value>) {
    assert_eq!(processes(data, report), Vec::<Tied>::new());
    assert_eq!(cgroups(data).unwrap_or_default(), Vec::<PathBuf>::new());
    let folder = data.to_string_lossy();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains(&*folder))
        .collect();
    assert_eq!(mounts, Vec::<&str>::new());
    let new = |now: BTreeSet<String>, then: &BTreeSet<String>| -> Vec<String> {
        now.difference(then).cloned().collect()
    };
    let none = Vec::<String>::new();
    assert_eq!(new(devices(), &before.devices), none, "network devices");
    assert_eq!(new(named_namespaces(), &before.named), none, "namespaces");
}
