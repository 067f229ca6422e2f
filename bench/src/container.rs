//! From seeing that a container is wanted to its first byte, through the agent's own loop, beside `libcontainer` alone with the same image. A
//! program of its own measures the latter and the driver without the agent: `libcontainer` forks, which only a process with one thread may do.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result};
use nupeer_testing::child::{Signal, dies_with_us};
use serde_json::{Value, json};

use crate::{
    Extent,
    attended::Attended,
    process::sibling,
    samples::{median, millis, rounded},
};

/// What a machine with another kernel or without root cannot say.
const RATIO_MAX: f64 = 1.5;
/// The kernel takes namespaces down in the background, under locks that making new ones needs.
const SETTLE: Duration = Duration::from_millis(200);

pub(crate) fn measure(extent: Extent) -> Result<Value> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(json!({ "skipped": "containers with limits need root" }));
    }
    let rounds = extent.pick(10, 40);
    let mut bare = Bare::start()?;
    let attended = Attended::new()?;
    let (mut alone, mut driver, mut agent) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that other load on the machine falls on all.
    for _ in 0..rounds {
        alone.push(bare.ask("alone")?);
        driver.push(bare.ask("ours")?);
        sleep(SETTLE);
        agent.push(millis(attended.first_byte()?));
    }
    let ratio = median(&agent) / median(&alone);
    Ok(json!({
        "libcontainer_alone_ms": alone, "driver_ms": driver, "agent_ms": agent,
        "libcontainer_alone_median_ms": median(&alone), "driver_median_ms": median(&driver), "agent_median_ms": median(&agent),
        "driver_ratio": rounded(median(&driver) / median(&alone)),
        "ratio": rounded(ratio), "ratio_max": RATIO_MAX, "met": ratio <= RATIO_MAX,
    }))
}

/// `nupeer-container-bench`, which measures when it is told to.
struct Bare {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Bare {
    fn start() -> Result<Self> {
        let mut command = Command::new(sibling("nupeer-container-bench")?);
        command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = dies_with_us(&mut command, Signal::SIGTERM).spawn()?;
        Ok(Bare {
            asked: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().context("no output to read")?),
            child,
        })
    }

    /// Milliseconds.
    fn ask(&mut self, what: &str) -> Result<f64> {
        let asked = self.asked.as_mut().context("it ended")?;
        writeln!(asked, "{what}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer = line.trim().parse();
        answer.context("nupeer-container-bench failed")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It ends, and cleans up, when nobody asks any more.
        self.asked = None;
        let _ = self.child.wait();
    }
}
