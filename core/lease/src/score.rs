//! Benchmark results that an owner declares for a machine, and the floors that a tenant sets for them.
//!
//! Declared is the lowest provenance (facts of audits and attestations come later): a score binds nobody to believe it.

use minicbor::{Decode, Encode};

use crate::error::LeaseError;

/// What was measured. The numbers are part of the wire format and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Metric {
    /// Operations per second on one CPU, in the unit of the agent's benchmark.
    #[n(0)]
    CpuSingle,
    /// Operations per second on all CPUs together.
    #[n(1)]
    CpuAll,
    /// Memory copied, in bytes per second.
    #[n(2)]
    MemoryCopy,
    /// Disk read, in bytes per second.
    #[n(3)]
    DiskRead,
    /// Disk written and synced, in bytes per second.
    #[n(4)]
    DiskWrite,
}

impl Metric {
    /// Its name in answers for programs.
    pub fn name(self) -> &'static str {
        match self {
            Metric::CpuSingle => "cpu_single",
            Metric::CpuAll => "cpu_all",
            Metric::MemoryCopy => "memory_copy",
            Metric::DiskRead => "disk_read",
            Metric::DiskWrite => "disk_write",
        }
    }
}

/// A result, or the least that a tenant takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Score {
    /// Of what.
    #[n(0)]
    pub metric: Metric,
    /// In the metric's unit.
    #[n(1)]
    pub value: u64,
}

/// Refuses a list that does not ascend by metric: each has one value, and the list one encoding. That bounds its length too.
pub(crate) fn check_order(scores: &[Score]) -> Result<(), LeaseError> {
    if scores
        .windows(2)
        .all(|pair| pair[0].metric < pair[1].metric)
    {
        Ok(())
    } else {
        Err(LeaseError::ScoresOutOfOrder)
    }
}

/// Refuses a machine whose scores stay below a floor, or that has none to compare.
pub(crate) fn check_floors(scores: &[Score], floors: &[Score]) -> Result<(), LeaseError> {
    for floor in floors {
        let provided = scores.iter().find(|score| score.metric == floor.metric);
        let provided = provided.map_or(0, |score| score.value);
        if provided < floor.value {
            return Err(LeaseError::ScoreTooLow {
                metric: floor.metric,
                provided,
                minimum: floor.value,
            });
        }
    }
    Ok(())
}
