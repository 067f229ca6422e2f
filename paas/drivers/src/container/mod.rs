//! Containers over `libcontainer`, each with a shim beside it ([`run_shim`]).
//!
//! Nothing is remembered here: what exists is read from the folders and from the kernel's cgroups each time, so a driver
//! that was just opened knows as much as one that has run for a year.

mod cgroup;
mod driver;
mod layout;
mod log;
mod oci;
mod paths;
mod seccomp;
mod shim;
mod spawn;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

pub use driver::ContainerDriver;
pub use shim::run as run_shim;

use crate::image::Limits;

/// How an agent's containers are kept.
#[derive(Clone, Debug)]
pub struct ContainerConfig {
    /// The agent's own folder, for images and containers.
    pub folder: PathBuf,
    /// The agent's name among others on this machine, in lowercase letters, digits and dashes: the cgroups are called
    /// after it.
    pub name: String,
    /// What starts a shim: a program and its arguments. It must call [`run_shim`] before it does anything else. One
    /// shim is always kept ready.
    pub shim: Vec<OsString>,
    /// Whether containers end when the process that started them ends. An agent leaves them running, and finds them
    /// again; tests do not.
    pub with_agent: bool,
    /// First id on this machine of the containers' users, and how many: no one else's, neither here nor in
    /// `/etc/subuid`.
    pub ids: (u32, u32),
    /// Bytes of output kept per container.
    pub log_bytes_max: u64,
    /// Bounds on uploaded images.
    pub image_limits: Limits,
}

impl ContainerConfig {
    /// The usual configuration of the agent `name` with its containers in `folder`.
    pub fn new(folder: PathBuf, name: String, shim: Vec<OsString>) -> Self {
        ContainerConfig {
            folder,
            name,
            shim,
            with_agent: false,
            // Above what useradd, systemd-nspawn and subuid ranges take, below the sign bit.
            ids: (0x7000_0000, 65_536),
            log_bytes_max: 2 << 20,
            image_limits: Limits::default(),
        }
    }
}
