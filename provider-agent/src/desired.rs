//! What the chain wants of this machine.

use std::collections::BTreeMap;

use nupeer_lease::{Lease, LeaseId};
use nupeer_primitives::{Height, TimeMs};

/// All leases on this machine at one height: a complete answer, or there is none of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The height of the answer.
    pub height: Height,
    /// The block's time, by which the leases' clocks run.
    pub time: TimeMs,
    /// The leases, those that are over included until the chain forgets them.
    pub leases: BTreeMap<LeaseId, Lease>,
}
