//! What a closed lease might leave while its agent goes on running: looked for before anything that ends the demo clears up.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::leftovers;

/// Entries of a folder; none of one that is not there.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Fails if anything of the lease is left: a container's folder, a cgroup below the agent's, or a process in one that has the lease's name.
pub(crate) fn assert_none(data: &Path, report: &Value) {
    let none = Vec::<PathBuf>::new();
    let workloads = data.join("agent/data/workloads");
    assert!(workloads.is_dir(), "{}", workloads.display());
    assert_eq!(inside(&workloads.join("containers")), none);
    let agents = leftovers::cgroups(data).unwrap();
    let below = agents.iter().flat_map(|cgroup| inside(cgroup));
    let below: Vec<PathBuf> = below.filter(|path| path.is_dir()).collect();
    assert_eq!(below, none);
    let lease = report["lease"]["id"].as_str().unwrap();
    let is_in = |process: &PathBuf| {
        let cgroup = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        cgroup.contains(lease)
    };
    let processes = inside(Path::new("/proc")).into_iter().filter(is_in);
    assert_eq!(processes.collect::<Vec<_>>(), none);
}
