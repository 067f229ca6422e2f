//! How much this machine has, as far as this process may use it.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use serde::{Deserialize, Serialize};

use super::InventoryError;

/// How much there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Cores that this process may use: the CPU affinity and the cgroup's CPU quota count.
    pub cores: u32,
    /// Memory that this process may use: the cgroup's limit counts.
    pub memory_bytes: u64,
    /// Memory that is free now, or could be made free.
    pub memory_available_bytes: u64,
    /// Space for ordinary users where the data folder is.
    pub disk_free_bytes: u64,
    /// What the CPU calls itself.
    pub cpu_model: String,
}

impl Capacity {
    /// Asks the kernel, for a data folder in `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self, InventoryError> {
        let meminfo = read(Path::new("/proc/meminfo"))?;
        let total = kibibytes(&meminfo, "MemTotal")?;
        let limit = memory_limit().unwrap_or(u64::MAX);
        let disk = statvfs(folder).map_err(|errno| InventoryError::Io {
            doing: "measuring",
            path: folder.to_owned(),
            source: errno.into(),
        })?;
        Ok(Capacity {
            cores: cores(),
            memory_bytes: total.min(limit),
            memory_available_bytes: kibibytes(&meminfo, "MemAvailable")?.min(limit),
            disk_free_bytes: disk.blocks_available().saturating_mul(disk.fragment_size()),
            cpu_model: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        })
    }
}

/// The standard library asks affinity and both kinds of cgroups.
fn cores() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// The tightest memory limit over this process and its ancestors in cgroups of either kind, if there is any.
fn memory_limit() -> Option<u64> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    // proc(5) cgroups: hierarchy, controllers, path.
    cgroups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (
                fields.next()?,
                fields.next()?,
                fields.next()?.trim_start_matches('/'),
            );
            let (root, file) = match controllers {
                "" => ("/sys/fs/cgroup", "memory.max"),
                "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                _ => return None,
            };
            tightest(Path::new(root), path, file)
        })
        .min()
}

fn tightest(root: &Path, path: &str, file: &str) -> Option<u64> {
    let folder = root.join(path);
    let limits = folder
        .ancestors()
        .take_while(|ancestor| ancestor.starts_with(root))
        .filter_map(|ancestor| {
            // "max" in v2 and an absent file at the root are no limit.
            fs::read_to_string(ancestor.join(file))
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        });
    limits.min()
}

fn read(path: &Path) -> Result<String, InventoryError> {
    fs::read_to_string(path).map_err(|source| InventoryError::Io {
        doing: "reading",
        path: path.to_owned(),
        source,
    })
}

fn kibibytes(meminfo: &str, name: &'static str) -> Result<u64, InventoryError> {
    let value = |line: &str| {
        line.strip_prefix(name)?
            .strip_prefix(':')?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    };
    let found = meminfo
        .lines()
        .find_map(value)
        .and_then(|kibibytes| kibibytes.checked_mul(1024));
    found.ok_or(InventoryError::Kernel {
        path: PathBuf::from("/proc/meminfo"),
        what: name,
    })
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(
        || "unknown".to_owned(),
        |(_, name)| name.trim().chars().take(80).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_by_whole_names() {
        let text = "MemTotalX:  1 kB\nMemTotal:       2048 kB\nMemFree: 1 kB\n";
        assert_eq!(kibibytes(text, "MemTotal").unwrap(), 2 << 20);
        assert!(matches!(
            kibibytes(text, "MemAvailable"),
            Err(InventoryError::Kernel {
                what: "MemAvailable",
                ..
            })
        ));
        assert!(kibibytes("MemTotal: 99999999999999999999 kB", "MemTotal").is_err());
    }

    #[test]
    fn the_tightest_limit_on_the_way_to_the_root_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(tightest(root.path(), "a/b", "memory.max"), None);
        fs::write(root.path().join("a/memory.max"), "4096\n").unwrap();
        fs::write(inner.join("memory.max"), "8192\n").unwrap();
        assert_eq!(tightest(root.path(), "a/b", "memory.max"), Some(4096));
    }

    #[test]
    fn a_cpu_names_itself() {
        assert_eq!(
            cpu_model("processor : 0\nmodel name\t: Some CPU @ 3 GHz\n"),
            "Some CPU @ 3 GHz"
        );
        assert_eq!(cpu_model(""), "unknown");
    }
}
