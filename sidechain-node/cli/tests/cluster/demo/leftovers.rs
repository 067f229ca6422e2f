//! What a demo might leave on the machine: processes, cgroups, mounts, and with them network namespaces, which live as long as a
//! process or a mount holds them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

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

/// Processes that were started with this text in their arguments or environment, or work in such a folder.
fn processes(text: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let pid = process.file_name().to_string_lossy().into_owned();
        if pid == own || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        let mut about = [read("cmdline"), read("environ")].concat();
        let folder = fs::read_link(process.path().join("cwd")).unwrap_or_default();
        about.extend_from_slice(folder.as_os_str().as_encoded_bytes());
        if String::from_utf8_lossy(&about).contains(text) {
            found.push(format!(
                "{pid}: {}",
                String::from_utf8_lossy(&read("cmdline"))
            ));
        }
    }
    found
}

/// The network namespaces of processes that run as ids that only containers have.
fn namespaces_of_containers() -> Vec<(String, u64)> {
    let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let cgroup = fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        let namespace = fs::metadata(process.path().join("ns/net"));
        if let Some(other) = namespace
            .ok()
            .map(|data| data.ino())
            .filter(|ino| *ino != own)
        {
            found.push((cgroup, other));
        }
    }
    found
}

/// Fails if anything of the demo in `data` is still on the machine.
pub(crate) fn assert_none(data: &Path, report: Option<&Value>) {
    let folder = data.to_string_lossy();
    assert_eq!(processes(&folder), Vec::<String>::new());
    assert_eq!(cgroups(data).unwrap_or_default(), Vec::<PathBuf>::new());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains(&*folder))
        .collect();
    assert_eq!(mounts, Vec::<&str>::new());
    let name = agents_name(data);
    let lease = report.and_then(|report| report["lease"]["id"].as_str());
    let of_demo = |cgroup: &str| {
        let names = [name.as_deref(), lease].into_iter().flatten();
        names.into_iter().any(|name| cgroup.contains(name))
    };
    let mut namespaces = namespaces_of_containers();
    namespaces.retain(|(cgroup, _)| of_demo(cgroup));
    assert_eq!(namespaces, Vec::<(String, u64)>::new());
}
