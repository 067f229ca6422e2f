//! What an agent asks of an engine that runs workloads.
//!
//! The agent is a level-triggered reconciler: it compares what the chain wants with what [`Driver::list`] says is
//! really there, and acts on the difference. So every verb may be repeated, nothing is remembered in the agent, and
//! whatever a crash left half-made is listed and can be removed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::DriverError;
use crate::image::ImageDigest;
use crate::ingress::Ingress;

/// Runs workloads of one kind. The verbs block for milliseconds: call them off the async threads.
pub trait Driver: Send + Sync {
    /// What runs the workloads, in a word for people.
    fn name(&self) -> &'static str;

    /// Lays out the workload without running it. Repeating it replaces the layout of what does not run.
    ///
    /// # Errors
    /// An unknown image, limits outside what the engine can enforce, or a workload that already runs.
    fn prepare(&self, spec: &WorkloadSpec) -> Result<(), DriverError>;

    /// Runs a prepared or ended workload. Without effect when it runs or is paused.
    ///
    /// # Errors
    /// What the engine said when it could not.
    fn start(&self, id: &WorkloadId) -> Result<(), DriverError>;

    /// Takes the CPU away and keeps everything else. Without effect when it is paused.
    ///
    /// # Errors
    /// [`DriverError::NotRunning`].
    fn pause(&self, id: &WorkloadId) -> Result<(), DriverError>;

    /// Undoes [`Driver::pause`]. Without effect when it runs.
    ///
    /// # Errors
    /// [`DriverError::NotRunning`].
    fn resume(&self, id: &WorkloadId) -> Result<(), DriverError>;

    /// Asks the workload to end, and kills what has not ended after `grace`. What is paused is killed at once: it was
    /// paused because nobody pays for it to run. Without effect when it does not run.
    ///
    /// # Errors
    /// The kernel refused.
    fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<(), DriverError>;

    /// Kills the workload and removes everything it ever had: processes, cgroups, network, mounts, files, logs.
    /// Without effect when nothing is there.
    ///
    /// # Errors
    /// The kernel refused; what could be removed is, and the rest is still listed.
    fn remove(&self, id: &WorkloadId) -> Result<(), DriverError>;

    /// Everything that exists, whoever made it and however far it came.
    ///
    /// # Errors
    /// The engine cannot be asked. Never take that for an empty answer.
    fn list(&self) -> Result<Vec<Workload>, DriverError>;

    /// The run of one workload that uses or may use CPU now, as [`Driver::list`] has it; none where nothing runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    fn run(&self, id: &WorkloadId) -> Result<Option<u64>, DriverError> {
        let listed = self.list()?.into_iter();
        let mut found = listed.filter(|workload| workload.id == *id);
        Ok(found.next().and_then(|workload| workload.run))
    }

    /// What the workload wrote, from the byte `from` of its whole output on; at most [`LOG_BYTES_MAX`] at a time.
    ///
    /// # Errors
    /// [`DriverError::Unknown`].
    fn logs(&self, id: &WorkloadId, from: u64) -> Result<LogChunk, DriverError>;

    /// What the kernel counted for the workload since it was last started.
    ///
    /// # Errors
    /// [`DriverError::NotRunning`].
    fn usage(&self, id: &WorkloadId) -> Result<Usage, DriverError>;

    /// The limits to which the kernel holds the workload now, as its own files say.
    ///
    /// # Errors
    /// [`DriverError::NotRunning`]; or a file that states no limit.
    fn limits(&self, id: &WorkloadId) -> Result<ResourceLimits, DriverError>;

    /// The way in to the workload's published port.
    ///
    /// # Errors
    /// [`DriverError::NotRunning`], or [`DriverError::NoPort`] when it publishes none.
    fn ingress(&self, id: &WorkloadId) -> Result<Ingress, DriverError>;
}

/// Most bytes of one answer of [`Driver::logs`].
pub const LOG_BYTES_MAX: usize = 64 << 10;

/// The name of a workload: the lease's id in lowercase hex, 8 to 64 digits. Nothing else ever becomes part of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadId(String);

impl WorkloadId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkloadId {
    type Err = DriverError;

    fn from_str(text: &str) -> Result<Self, DriverError> {
        let digits = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && (8..=64).contains(&text.len()) {
            return Ok(WorkloadId(text.to_owned()));
        }
        Err(DriverError::Id(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for WorkloadId {
    type Error = DriverError;

    fn try_from(text: String) -> Result<Self, DriverError> {
        text.parse()
    }
}

impl From<WorkloadId> for String {
    fn from(id: WorkloadId) -> String {
        id.0
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What to run and with how much of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    /// The lease's id.
    pub id: WorkloadId,
    /// The image, which must have been uploaded.
    pub image: ImageDigest,
    /// The command with its arguments; empty for the image's own.
    pub argv: Vec<String>,
    /// `NAME=value` each, over the image's own.
    pub env: Vec<String>,
    /// The reservation.
    pub limits: ResourceLimits,
    /// The TCP port to publish, as the workload sees it.
    pub port: Option<u16>,
}

/// How much of the machine a workload may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Thousandths of one CPU.
    pub cpu_milli: u32,
    /// Bytes of memory, swap and files written included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids_max: u32,
}

/// A workload as it really is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The lease's id.
    pub id: WorkloadId,
    /// How far it is.
    pub state: WorkloadState,
    /// What it was prepared from; none when a crash came before that was written.
    pub spec: Option<WorkloadSpec>,
    /// Names the run that goes on: another start has another number. None while nothing runs.
    pub run: Option<u64>,
}

/// How far a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum WorkloadState {
    /// Laid out, not running.
    Prepared,
    /// On its way up or down.
    Changing,
    /// Running.
    Running,
    /// Without CPU.
    Paused,
    /// Ended by itself or by [`Driver::stop`].
    Exited {
        /// How.
        exit: Exit,
    },
    /// Half-made or unattended after a crash: to be removed, and made again if it is still wanted.
    Broken,
}

/// How a workload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, where it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, else.
    pub signal: Option<i32>,
    /// Processes that the kernel killed because the memory limit was reached.
    pub oom_kills: u64,
}

/// A part of what a workload wrote to its standard output and standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The byte of the whole output at which `bytes` starts; later than asked for when older output is gone.
    pub from: u64,
    /// The output.
    pub bytes: Vec<u8>,
    /// Where to go on reading.
    pub next: u64,
}

/// What the kernel counted for a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time.
    pub cpu_ns: u64,
    /// Memory in use.
    pub memory_bytes: u64,
    /// The most memory that was ever in use.
    pub memory_peak_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Periods in which the CPU limit was reached.
    pub throttled_periods: u64,
    /// Time spent waiting because of the CPU limit.
    pub throttled_ns: u64,
    /// Processes killed because the memory limit was reached.
    pub oom_kills: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_hex_and_nothing_that_a_path_could_misread() {
        let longest = "a".repeat(64);
        for id in ["00000000", "0123456789abcdef", &longest] {
            assert_eq!(id.parse::<WorkloadId>().unwrap().as_str(), id);
        }
        let too_long = "a".repeat(65);
        for id in [
            "",
            "..",
            "0000000",
            "0000000G",
            "ABCDEF00",
            "../../etc",
            "0000/0000",
            &too_long,
        ] {
            assert!(
                matches!(id.parse::<WorkloadId>(), Err(DriverError::Id(_))),
                "{id}"
            );
        }
    }
}
