//! Starting a shim, from the agent's side.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ContainerConfig;
use super::cgroup::wait_for_input;
use super::paths::Paths;
use super::shim::Report;

/// How long a shim may take to report.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A shim that waits for a container. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Shim(Child);

impl Shim {
    /// Starts a shim, which makes itself ready meanwhile.
    pub(super) fn spawn(config: &ContainerConfig) -> Result<Self, String> {
        let (program, arguments) = config
            .shim
            .split_first()
            .ok_or("no program for shims is configured")?;
        Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Shim)
            .map_err(|error| format!("starting a shim: {error}"))
    }

    /// Has it start the container laid out in `paths`, and waits for its report.
    pub(super) fn start(mut self, paths: &Paths) -> Result<(), String> {
        let failed = |error: io::Error| format!("telling its shim: {error}");
        let mut input = self.0.stdin.take().ok_or("its shim has no input")?;
        input
            .write_all(paths.folder().as_os_str().as_bytes())
            .map_err(failed)?;
        drop(input);
        match self.report()? {
            Report::Running => Ok(()),
            Report::Failed(reason) => Err(reason),
        }
    }

    fn report(&mut self) -> Result<Report, String> {
        let failed = |error: io::Error| format!("hearing from its shim: {error}");
        let mut output = self.0.stdout.take().ok_or("its shim has no output")?;
        let until = Instant::now() + START_WITHIN;
        let mut bytes = Vec::new();
        loop {
            let patience = until.saturating_duration_since(Instant::now());
            if !wait_for_input(&output, patience).map_err(failed)? {
                return Err(format!(
                    "its shim said nothing for {} s",
                    START_WITHIN.as_secs()
                ));
            }
            let mut buffer = [0u8; 4096];
            match output.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| "its shim died before it could say why".to_owned())
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The process started here leaves the shim behind as a daemon at once; this only buries it.
        let _ = self.0.wait();
    }
}
