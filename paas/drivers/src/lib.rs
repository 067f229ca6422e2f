//! What runs leased containers on a provider's machine: hostile image uploads made safe ([`image`]), containers over
//! `libcontainer` with limits that the kernel enforces ([`container`]), and the way in to their published ports
//! ([`proxy`]). The agent sees all of it through [`Driver`].

pub mod container;
mod driver;
mod error;
pub mod image;
mod ingress;
pub mod proxy;

pub use driver::{
    Driver, Exit, LOG_BYTES_MAX, LogChunk, ResourceLimits, Usage, Workload, WorkloadId,
    WorkloadSpec, WorkloadState,
};
pub use error::DriverError;
pub use ingress::Ingress;
