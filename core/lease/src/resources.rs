//! How much of a machine: one vector for a machine's capacity, an offer's bound and a lease's share.

use std::fmt;

use minicbor::{Decode, Encode};

/// A part of the vector, for errors to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Thousandths of a CPU.
    Cpu,
    /// Bytes of memory.
    Memory,
    /// Bytes of disk.
    Disk,
    /// Processes and threads.
    Pids,
    /// Published network ports.
    Ports,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Resource::Cpu => "cpu_milli",
            Resource::Memory => "memory_bytes",
            Resource::Disk => "disk_bytes",
            Resource::Pids => "pids",
            Resource::Ports => "ports",
        })
    }
}

/// An amount of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Resources {
    /// Thousandths of a CPU.
    #[n(0)]
    pub cpu_milli: u32,
    /// Memory, in bytes.
    #[n(1)]
    pub memory_bytes: u64,
    /// Disk, in bytes.
    #[n(2)]
    pub disk_bytes: u64,
    /// Processes and threads.
    #[n(3)]
    pub pids: u32,
    /// Network ports that are published.
    #[n(4)]
    pub ports: u16,
}

/// A resource of which one side has more than the other allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Which.
    pub resource: Resource,
    /// What is asked.
    pub needed: u64,
    /// What there is.
    pub available: u64,
}

impl Resources {
    fn parts(&self) -> [(Resource, u64); 5] {
        [
            (Resource::Cpu, u64::from(self.cpu_milli)),
            (Resource::Memory, self.memory_bytes),
            (Resource::Disk, self.disk_bytes),
            (Resource::Pids, u64::from(self.pids)),
            (Resource::Ports, u64::from(self.ports)),
        ]
    }

    /// The first resource of which this is more than `limit`; `None` where all of it fits.
    pub fn excess_over(&self, limit: &Resources) -> Option<Excess> {
        let pairs = self.parts().into_iter().zip(limit.parts());
        pairs
            .map(|((resource, needed), (_, available))| Excess {
                resource,
                needed,
                available,
            })
            .find(|excess| excess.needed > excess.available)
    }

    /// The sum, unless a part leaves its range.
    pub fn checked_add(&self, other: &Resources) -> Option<Resources> {
        Some(Resources {
            cpu_milli: self.cpu_milli.checked_add(other.cpu_milli)?,
            memory_bytes: self.memory_bytes.checked_add(other.memory_bytes)?,
            disk_bytes: self.disk_bytes.checked_add(other.disk_bytes)?,
            pids: self.pids.checked_add(other.pids)?,
            ports: self.ports.checked_add(other.ports)?,
        })
    }

    /// What is left of each part after `other`; nothing where `other` is more.
    pub fn saturating_sub(&self, other: &Resources) -> Resources {
        Resources {
            cpu_milli: self.cpu_milli.saturating_sub(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            disk_bytes: self.disk_bytes.saturating_sub(other.disk_bytes),
            pids: self.pids.saturating_sub(other.pids),
            ports: self.ports.saturating_sub(other.ports),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_that_does_not_fit_is_named_with_both_sides() {
        let limit = Resources {
            cpu_milli: 10,
            memory_bytes: 10,
            disk_bytes: 10,
            pids: 10,
            ports: 10,
        };
        assert_eq!(limit.excess_over(&limit), None);
        for (over, resource) in [
            (
                Resources {
                    cpu_milli: 11,
                    ..limit
                },
                Resource::Cpu,
            ),
            (
                Resources {
                    memory_bytes: 11,
                    ..limit
                },
                Resource::Memory,
            ),
            (
                Resources {
                    disk_bytes: 11,
                    ..limit
                },
                Resource::Disk,
            ),
            (Resources { pids: 11, ..limit }, Resource::Pids),
            (Resources { ports: 11, ..limit }, Resource::Ports),
        ] {
            let (needed, available) = (11, 10);
            let expected = Excess {
                resource,
                needed,
                available,
            };
            assert_eq!(over.excess_over(&limit), Some(expected));
        }
    }

    #[test]
    fn a_count_near_the_end_of_its_range_does_not_wrap() {
        let most = Resources {
            cpu_milli: u32::MAX,
            ..Resources::default()
        };
        assert_eq!(most.checked_add(&most), None);
        assert_eq!(
            Resources::default().saturating_sub(&most),
            Resources::default()
        );
    }
}
