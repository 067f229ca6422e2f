//! What this machine has and how fast it is, measured: a registration rests on these figures, and benchmarks by
//! challenge will hold its owner to them.
//!
//! Everything here blocks, for a second or two in all: call it off the async threads.

mod capacity;
mod cpu;
mod disk;
mod error;
mod samples;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use capacity::Capacity;
pub use cpu::CpuSpeed;
pub use disk::DiskSpeed;
pub use error::InventoryError;
pub use samples::Samples;

/// How long and how much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Samples of each speed; their median counts.
    pub samples: usize,
    /// Bytes that each core hashes per sample of the CPU.
    pub hashed_bytes: u64,
    /// Bytes written and read per sample of the disk.
    pub disk_bytes: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Effort {
            samples: 5,
            hashed_bytes: 32 << 20,
            disk_bytes: 32 << 20,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// How much there is.
    pub capacity: Capacity,
    /// How fast it computes.
    pub cpu: CpuSpeed,
    /// How fast the data folder's disk is.
    pub disk: DiskSpeed,
}

/// Measures this machine, with its disk where `folder` is.
///
/// # Errors
/// The kernel's files or the folder cannot be read or written, or `effort` asks for nothing.
pub fn measure(folder: &Path, effort: &Effort) -> Result<Inventory, InventoryError> {
    effort.check()?;
    let capacity = Capacity::of(folder)?;
    let cpu = CpuSpeed::measure(capacity.cores, effort)?;
    let disk = DiskSpeed::measure(folder, effort)?;
    Ok(Inventory {
        capacity,
        cpu,
        disk,
    })
}

/// How much of this machine there is, asked in no time, for a data folder in `folder`.
///
/// # Errors
/// The kernel's files cannot be read.
pub fn capacity(folder: &Path) -> Result<Capacity, InventoryError> {
    Capacity::of(folder)
}

impl Effort {
    /// Refuses what could not be measured: nothing at all, or more than a machine should be kept busy with.
    fn check(&self) -> Result<(), InventoryError> {
        let check =
            |what, provided: u64, minimum, maximum| match (minimum..=maximum).contains(&provided) {
                true => Ok(()),
                false => Err(InventoryError::Effort {
                    what,
                    provided,
                    minimum,
                    maximum,
                }),
            };
        check("samples", self.samples as u64, 1, 100)?;
        check(
            "bytes to hash",
            self.hashed_bytes,
            cpu::BLOCK_BYTES as u64,
            1 << 34,
        )?;
        check(
            "bytes to write",
            self.disk_bytes,
            disk::BLOCK_BYTES as u64,
            1 << 34,
        )
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Numbered;

    use super::*;

    #[test]
    fn an_effort_that_measures_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for effort in [
            Effort {
                samples: 0,
                ..Effort::default()
            },
            Effort {
                hashed_bytes: 0,
                ..Effort::default()
            },
            Effort {
                disk_bytes: u64::MAX,
                ..Effort::default()
            },
        ] {
            assert_eq!(measure(folder.path(), &effort).unwrap_err().code().0, 8090);
        }
    }

    #[test]
    fn a_machine_is_measured_whole_and_leaves_its_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let effort = Effort {
            samples: 2,
            hashed_bytes: 1 << 20,
            disk_bytes: 2 << 20,
        };
        let found = measure(folder.path(), &effort).unwrap();
        assert!(found.capacity.cores >= 1 && found.capacity.memory_bytes > 1 << 20);
        assert_eq!(found.cpu.one_core.bytes_per_s.len(), 2);
        assert!(
            found.cpu.all_cores.median() > 0
                && found.disk.write.median() > 0
                && found.disk.read.median() > 0
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Inventory>(&json).unwrap(), found);
    }
}
