//! What a container is to run.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use nupeer_lease::{Kind, Lease, Resources};
use nupeer_primitives::{Hash, blake2b_256, cbor};

use crate::{
    error::ContainerError,
    params::{MAXIMUM, MINIMUM},
};

/// Longest encoding of a specification, in bytes.
pub const SPEC_BYTES_MAX: usize = 32 << 10;
/// Most arguments, and most variables.
pub const STRINGS_MAX: usize = 128;
/// Longest argument or variable, in bytes.
pub const STRING_BYTES_MAX: usize = 4 << 10;

/// What a container is to run, and with how much of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ContainerSpec {
    /// Digest of the image: sha256 of its OCI manifest.
    #[n(0)]
    pub image: Hash,
    /// The command with its arguments; empty for the image's own.
    #[n(1)]
    pub argv: Vec<String>,
    /// `NAME=value` each, over the image's own.
    #[n(2)]
    pub env: Vec<String>,
    /// Thousandths of a CPU.
    #[n(3)]
    pub cpu_milli: u32,
    /// Memory, in bytes; files written count.
    #[n(4)]
    pub memory_bytes: u64,
    /// Processes and threads.
    #[n(5)]
    pub pids: u32,
    /// The TCP port to publish, as the container sees it.
    #[n(6)]
    pub port: Option<u16>,
}

impl ContainerSpec {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The specification that `bytes` encode canonically, checked.
    ///
    /// # Errors
    /// As [`ContainerSpec::check`], or of the encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContainerError> {
        let spec: Self = cbor::decode_bounded(bytes, SPEC_BYTES_MAX)?;
        spec.check()?;
        Ok(spec)
    }

    /// What the request's and the lease's manifest must be: blake2b-256("nupeer/container/1" ‖ canonical CBOR of this).
    pub fn manifest(&self) -> Hash {
        blake2b_256(&[b"nupeer/container/1", &self.to_bytes()])
    }

    /// What it takes of a machine, as the request and the lease must say it.
    pub fn resources(&self) -> Resources {
        Resources {
            cpu_milli: self.cpu_milli,
            memory_bytes: self.memory_bytes,
            disk_bytes: 0,
            pids: self.pids,
            ports: u16::from(self.port.is_some()),
        }
    }

    /// Checks sizes, ranges and forms.
    ///
    /// # Errors
    /// The first thing that makes no container.
    pub fn check(&self) -> Result<(), ContainerError> {
        check_range(
            "cpu_milli",
            self.cpu_milli,
            MINIMUM.cpu_milli,
            MAXIMUM.cpu_milli,
        )?;
        let (least, most) = (MINIMUM.memory_bytes, MAXIMUM.memory_bytes);
        check_range("memory_bytes", self.memory_bytes, least, most)?;
        check_range("pids", self.pids, MINIMUM.pids, MAXIMUM.pids)?;
        check_range("port", self.port.unwrap_or(1), 1, u16::MAX)?;
        check_strings("arguments", "argument", &self.argv)?;
        check_strings("variables", "variable", &self.env)?;
        check_names(&self.env)?;
        let bytes = self.to_bytes().len();
        check_range("bytes in all", bytes as u64, 0, SPEC_BYTES_MAX as u64)
    }

    /// Checks that this is what `lease` is for.
    ///
    /// # Errors
    /// What differs.
    pub fn check_lease(&self, lease: &Lease) -> Result<(), ContainerError> {
        if lease.kind != Kind::Container {
            return Err(ContainerError::WrongKind {
                provided: lease.kind,
            });
        }
        if self.image != lease.image {
            return Err(ContainerError::WrongImage {
                provided: self.image,
                expected: lease.image,
            });
        }
        if self.resources() != lease.resources {
            return Err(ContainerError::WrongResources {
                provided: self.resources(),
                expected: lease.resources,
            });
        }
        let provided = self.manifest();
        if provided != lease.manifest {
            return Err(ContainerError::WrongManifest {
                provided,
                expected: lease.manifest,
            });
        }
        Ok(())
    }
}

fn check_range<T: Into<u64>>(
    what: &'static str,
    provided: T,
    minimum: T,
    maximum: T,
) -> Result<(), ContainerError> {
    let (provided, minimum, maximum) = (provided.into(), minimum.into(), maximum.into());
    if (minimum..=maximum).contains(&provided) {
        return Ok(());
    }
    Err(ContainerError::Limit {
        what,
        provided,
        minimum,
        maximum,
    })
}

fn check_strings(
    all: &'static str,
    one: &'static str,
    strings: &[String],
) -> Result<(), ContainerError> {
    check_range(all, strings.len() as u64, 0, STRINGS_MAX as u64)?;
    for (index, string) in strings.iter().enumerate() {
        let length = string.len() as u64;
        check_range(one, length, 0, STRING_BYTES_MAX as u64)?;
        if string.contains('\0') {
            return Err(ContainerError::ZeroByte { what: one, index });
        }
    }
    Ok(())
}

/// Each variable has a name of the portable form (POSIX.1-2017 §8.1) and is set once.
fn check_names(env: &[String]) -> Result<(), ContainerError> {
    let mut names = BTreeSet::new();
    for (index, variable) in env.iter().enumerate() {
        let (name, _) = variable
            .split_once('=')
            .filter(|(name, _)| is_name(name))
            .ok_or(ContainerError::Variable { index })?;
        if !names.insert(name) {
            let name = name.to_owned();
            return Err(ContainerError::VariableTwice { name });
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && !digit_first && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
