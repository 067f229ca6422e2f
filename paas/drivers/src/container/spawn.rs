//! Starting a shim, from the agent's side.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ContainerConfig;
use super::cgroup::wait_for_input;
use super::paths::Paths;
use super::shim::Report;

/// How long a shim may take to report.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Starts a shim and waits for its report.
pub(super) fn start_shim(config: &ContainerConfig, paths: &Paths) -> Result<(), String> {
    let (program, arguments) = config
        .shim
        .split_first()
        .ok_or("no program for shims is configured")?;
    let child = Command::new(program)
        .args(arguments)
        .arg(paths.folder())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("starting its shim: {error}"))?;
    match report(child)? {
        Report::Running => Ok(()),
        Report::Failed(reason) => Err(reason),
    }
}

fn report(mut child: Child) -> Result<Report, String> {
    let failed = |error: io::Error| format!("hearing from its shim: {error}");
    let mut output = child.stdout.take().ok_or("its shim has no output")?;
    let until = Instant::now() + START_WITHIN;
    let mut bytes = Vec::new();
    loop {
        if !wait_for_input(&output, until.saturating_duration_since(Instant::now()))
            .map_err(failed)?
        {
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
    // The process started here has left the shim behind as a daemon; this only buries it.
    child.wait().map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|_| "its shim died before it could say why".to_owned())
}
