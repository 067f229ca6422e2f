//! What is really there, by lease.

use std::collections::BTreeMap;

use nupeer_lease::LeaseId;
use nupeer_paas_drivers::{Driver, DriverError, Workload, WorkloadId};
use nupeer_primitives::Hash;

/// Everything that the driver lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actual {
    /// Workloads by the lease that they are called after.
    pub workloads: BTreeMap<LeaseId, Workload>,
    /// What is called after no lease: nothing of ours makes such, so it is removed.
    pub strays: Vec<WorkloadId>,
}

impl Actual {
    /// Asks the driver.
    ///
    /// # Errors
    /// What the driver said; that is not "nothing".
    pub fn of(driver: &dyn Driver) -> Result<Self, DriverError> {
        Ok(Self::sort(driver.list()?))
    }

    fn sort(list: Vec<Workload>) -> Self {
        let mut actual = Actual::default();
        for workload in list {
            match lease_of(&workload.id) {
                Some(id) => drop(actual.workloads.insert(id, workload)),
                None => actual.strays.push(workload.id),
            }
        }
        actual
    }
}

/// The lease that a workload is called after.
pub fn lease_of(id: &WorkloadId) -> Option<LeaseId> {
    id.as_str().parse::<Hash>().ok().map(LeaseId)
}

/// What the workload of a lease is called.
///
/// # Errors
/// None in practice: a hash is 64 lowercase hexadecimal digits.
pub fn workload_of(id: &LeaseId) -> Result<WorkloadId, DriverError> {
    id.to_string().parse()
}

#[cfg(test)]
mod tests {
    use nupeer_paas_drivers::WorkloadState;

    use super::*;

    #[test]
    fn what_is_called_after_no_lease_is_a_stray() {
        let workload = |id: &str| Workload {
            id: id.parse().unwrap(),
            state: WorkloadState::Broken,
            spec: None,
            run: None,
        };
        let lease = LeaseId(Hash([7; 32]));
        let named = workload(workload_of(&lease).unwrap().as_str());
        let actual = Actual::sort(vec![workload("0123456789abcdef"), named.clone()]);
        assert_eq!(actual.workloads, BTreeMap::from([(lease, named)]));
        assert_eq!(actual.strays, ["0123456789abcdef".parse().unwrap()]);
    }
}
