//! The machine and the build, without which no figure means anything.

use std::fs;

use serde_json::{Value, json};

pub(crate) fn describe() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    json!({
        "cpu_model": field("/proc/cpuinfo", "model name"),
        "cores": cores,
        "memory_kib": field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().ok(),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "load_average_at_start": read("/proc/loadavg"),
        "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The value of the first line `name : value`.
pub(crate) fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim() == name);
    found
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}
