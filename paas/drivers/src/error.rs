//! Why a driver could not.

use std::io;

use nupeer_primitives::{Code, Numbered};

use crate::driver::WorkloadId;
use crate::image::ImageError;

/// Why a driver could not. The numbers are NP8050 to NP8079; those of images keep their own.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The image was refused or is unknown.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An id that is not 8 to 64 lowercase hex digits.
    #[error("{0:?} is no id of a workload: 8 to 64 lowercase hex digits")]
    Id(String),
    /// Nothing of that id exists.
    #[error("there is no workload {0}")]
    Unknown(WorkloadId),
    /// The workload does not run.
    #[error("the workload {0} does not run")]
    NotRunning(WorkloadId),
    /// The workload runs, so its layout cannot be replaced.
    #[error("the workload {0} runs; stop it first")]
    Running(WorkloadId),
    /// The workload was left half-made.
    #[error("the workload {0} was left half-made; remove it first")]
    Broken(WorkloadId),
    /// The workload publishes no port.
    #[error("the workload {0} publishes no port")]
    NoPort(WorkloadId),
    /// A limit that the kernel could not enforce as stated.
    #[error("{what}: {provided}, where {minimum} to {maximum} can be enforced")]
    Limit {
        /// Which limit, with its unit.
        what: &'static str,
        /// What was asked for.
        provided: u64,
        /// The least that can be enforced.
        minimum: u64,
        /// The most.
        maximum: u64,
    },
    /// The image has no command and the lease names none.
    #[error("neither the image nor the lease says what to run")]
    NoCommand,
    /// This machine lacks something that containers need.
    #[error("this machine cannot run containers: {0}")]
    Machine(String),
    /// The engine could not start the workload.
    #[error("the workload {id} did not start: {reason}")]
    Start {
        /// Which.
        id: WorkloadId,
        /// What the engine said.
        reason: String,
    },
    /// The kernel did not let go of something.
    #[error("the workload {id} is not gone: {what}")]
    NotGone {
        /// Which.
        id: WorkloadId,
        /// What is left.
        what: String,
    },
    /// A file, cgroup or process could not be read or written.
    #[error("while {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl DriverError {
    /// Names what was being done when `source` happened.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| DriverError::Io { doing, source }
    }

    /// As [`DriverError::io`], for the raw errors of system calls.
    pub(crate) fn sys(doing: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| DriverError::Io {
            doing,
            source: errno.into(),
        }
    }
}

impl Numbered for DriverError {
    fn code(&self) -> Code {
        Code(match self {
            DriverError::Image(error) => return error.code(),
            DriverError::Id(_) => 8050,
            DriverError::Unknown(_) => 8051,
            DriverError::NotRunning(_) => 8052,
            DriverError::Running(_) => 8053,
            DriverError::Broken(_) => 8054,
            DriverError::NoPort(_) => 8055,
            DriverError::Limit { .. } => 8056,
            DriverError::NoCommand => 8057,
            DriverError::Machine(_) => 8058,
            DriverError::Start { .. } => 8059,
            DriverError::NotGone { .. } => 8060,
            DriverError::Io { .. } => 8061,
        })
    }
}
