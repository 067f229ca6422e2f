//! Where the demo plays: its folder, its processes, and how it tells of itself.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{havoc::Havoc, teller::Teller};
use crate::{
    error::{Outcome, file_error},
    output::Printer,
    processes::{Processes, own_program},
};

/// How long a step may take that waits for blocks of both chains.
const PATIENCE: Duration = Duration::from_secs(90);

/// The demo's folder and processes.
pub(super) struct Stage {
    pub(super) data: PathBuf,
    pub(super) running: Processes,
    pub(super) started: Instant,
    pub(super) teller: Teller,
}

impl Stage {
    /// A stage in `data`, which is made; what an earlier demo left there was moved out of the way before.
    pub(super) fn new(data: &Path, log_max: u64, printer: &Printer) -> Outcome<Self> {
        let logs = data.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| file_error(&logs, &error))?;
        Ok(Stage {
            data: data.to_owned(),
            running: Processes::new(log_max),
            started: Instant::now(),
            teller: Teller::begin(printer),
        })
    }

    /// The log of a process.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.data.join("logs").join(format!("{name}.log"))
    }

    /// A path in the folder, as text for a command line.
    pub(super) fn path(&self, name: &str) -> String {
        self.data.join(name).to_string_lossy().into_owned()
    }

    /// Waits until `done`, and says what for.
    pub(super) fn wait_until(&self, what: &str, done: impl FnMut() -> bool) -> Outcome<()> {
        self.teller.doing(&format!("until {what}"));
        self.running.wait_until(what, PATIENCE, done)
    }

    /// From now on processes are killed and started again.
    pub(super) fn havoc(&self, seed: u64, kills: u32) -> Havoc {
        let teller = self.teller.clone();
        let tell = move |line: String| teller.aside(&line);
        Havoc::begin(self.running.clone(), seed, kills, tell)
    }
}

impl Drop for Stage {
    /// The agent leaves its workloads running, as an agent should; the demo ends what it started.
    fn drop(&mut self) {
        self.teller.end();
        self.running.end();
        end_workloads(&self.data);
    }
}

/// Removes the workloads of a demo's agent, where there is one. What cannot be removed is told by the agent itself.
pub(super) fn end_workloads(data: &Path) {
    let config = data.join("agent").join("agent.toml");
    if config.exists() {
        let mut command = std::process::Command::new(own_program());
        command.args(["agent", "clear", "--config"]).arg(config);
        let _ = command.stdout(std::process::Stdio::null()).status();
    }
}
