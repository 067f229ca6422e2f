//! Where the demo plays: its folder, its processes, and how it tells of itself.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use super::havoc::Havoc;
use crate::{
    error::{Outcome, file_error},
    output::Printer,
    processes::Processes,
};

/// How many chapters the story has.
const CHAPTERS: usize = 11;

/// The demo's folder and processes.
pub(super) struct Stage<'a> {
    pub(super) data: PathBuf,
    pub(super) running: Processes,
    pub(super) started: Instant,
    printer: &'a Printer,
    chapter: usize,
    chapter_started: Instant,
}

impl<'a> Stage<'a> {
    /// A stage in `data`, which is made; what an earlier demo left there was moved out of the way before.
    pub(super) fn new(data: &Path, printer: &'a Printer) -> Outcome<Self> {
        let logs = data.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| file_error(&logs, &error))?;
        Ok(Stage {
            data: data.to_owned(),
            running: Processes::default(),
            started: Instant::now(),
            printer,
            chapter: 0,
            chapter_started: Instant::now(),
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

    /// Begins the next chapter.
    pub(super) fn chapter(&mut self) {
        self.chapter += 1;
        self.chapter_started = Instant::now();
    }

    /// Something on the way.
    pub(super) fn going(&self, name: &str, what: &str) {
        self.line(name, "..", what);
    }

    /// From now on processes are killed and started again.
    pub(super) fn havoc(&self, seed: u64, kills: u32) -> Havoc {
        let printer = self.printer.clone();
        let tell = move |line: String| printer.note(&line);
        Havoc::begin(self.running.clone(), seed, kills, tell)
    }

    /// The end of a chapter.
    pub(super) fn done(&self, name: &str, what: &str) {
        self.line(name, "ok", what);
    }

    fn line(&self, name: &str, mark: &str, what: &str) {
        let seconds = self.chapter_started.elapsed().as_secs_f32();
        let number = format!("[{}/{CHAPTERS}]", self.chapter);
        self.printer.note(&format!(
            "{number:<7} {name:<14} {mark}   {what:<43} {seconds:>5.1} s"
        ));
    }
}

impl Drop for Stage<'_> {
    /// The agent leaves its workloads running, as an agent should; the demo ends what it started.
    fn drop(&mut self) {
        self.running.end();
        end_workloads(&self.data);
    }
}

/// Removes the workloads of a demo's agent, where there is one. What cannot be removed is told by the agent itself.
pub(super) fn end_workloads(data: &Path) {
    let config = data.join("agent").join("agent.toml");
    if let (true, Ok(program)) = (config.exists(), std::env::current_exe()) {
        let mut command = std::process::Command::new(program);
        command.args(["agent", "clear", "--config"]).arg(config);
        let _ = command.stdout(std::process::Stdio::null()).status();
    }
}
