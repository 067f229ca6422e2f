//! Where a container's files are.

use std::path::{Path, PathBuf};

/// The folder of one container.
#[derive(Clone, Debug)]
pub(super) struct Paths(pub(super) PathBuf);

impl Paths {
    /// What it was prepared from. Written last, so its presence says that all else is there.
    pub(super) fn spec(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// What its shim has to know.
    pub(super) fn orders(&self) -> PathBuf {
        self.0.join("shim.json")
    }

    /// What `libcontainer` has to know, in OCI's own form. Its name is OCI's.
    pub(super) fn oci(&self) -> PathBuf {
        self.0.join("config.json")
    }

    /// Held locked by the shim for as long as it lives, with the shim's pid as its content.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The first process, written by the shim once it runs.
    pub(super) fn init(&self) -> PathBuf {
        self.0.join("init.json")
    }

    /// How it ended, written by the shim.
    pub(super) fn exit(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    /// Where `libcontainer` keeps its own state.
    pub(super) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// What the container writes to its standard output and error.
    pub(super) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}
