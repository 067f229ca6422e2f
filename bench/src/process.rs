//! Our own programs as children: found beside this one, ended with it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nupeer_testing::child::dies_with_us;
use serde_json::Value;

use crate::machine;

/// The program `name` of the same build.
pub(crate) fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}

/// A child that runs until it is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it; it dies with this program.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let command = dies_with_us(command, Signal::SIGTERM);
        Ok(Running(command.stdin(Stdio::null()).spawn()?))
    }

    /// The JSON document in its first line.
    pub(crate) fn first_line(&mut self) -> Result<Value> {
        let out = self.0.stdout.take().context("no output to read")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        serde_json::from_str(&line).context("it ended instead of telling where it is")
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let value = machine::field(&format!("/proc/{process}/status"), "VmRSS");
    let kib: u64 = value.trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

/// The processes whose command line names `file`.
pub(crate) fn naming(file: &Path) -> Result<Vec<u32>> {
    let wanted = file.as_os_str().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if line
            .split(|byte| *byte == 0)
            .any(|argument| argument == wanted)
        {
            found.push(process);
        }
    }
    Ok(found)
}
