//! What to do about one lease: what the chain wants, what is really there, what the tenant uploaded and signed → steps. Pure, so that
//! every pair of states can be tried.
//!
//! Nothing here remembers anything: the same facts give the same steps, and doing a step twice does no harm.

use nupeer_lease::{Lease, LeaseState, PauseReason};
use nupeer_paas_drivers::WorkloadState;

/// All that matters for one lease.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The lease; none where a complete answer of the chain does not have it.
    pub lease: Option<&'a Lease>,
    /// The workload; none where the driver lists none.
    pub workload: Option<WorkloadState>,
    /// Whether image and manifest are there.
    pub uploaded: bool,
    /// Whether the workload publishes a port.
    pub publishes: bool,
    /// Whether the proxy to it is open.
    pub open: bool,
    /// Whether this run of the workload has taken a connection.
    pub answers: bool,
    /// Whether enough time has passed since the last failed attempt to run it.
    pub rested: bool,
    /// Running time that the tenant has not signed for, in ms.
    pub unsigned_ms: u64,
    /// The most that the tenant has signed for, in ms.
    pub signed_ms: u64,
    /// Whether the running time is known at all: nobody can sign for what is not.
    pub metered: bool,
    /// Whether anything is kept of the lease on disk.
    pub recorded: bool,
    /// Whether the uploads are.
    pub kept: bool,
    /// See [`Policy`].
    pub policy: Policy,
}

/// What the operator chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Running time that may stay unsigned, in ms.
    pub unsigned_ms_max: u64,
    /// Signed time after which it is settled, in ms.
    pub submit_ms: u64,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell the chain that the lease is being provisioned, with everything here that it needs.
    Accept,
    /// Lay the workload out.
    Prepare,
    /// Run it.
    Start,
    /// Open the proxy to its port.
    Open,
    /// Try whether it takes a connection.
    Reach,
    /// Tell the chain that it runs.
    ReportActive,
    /// Take its CPU away.
    Pause,
    /// Give it back.
    Resume,
    /// Tell the chain that it is paused because usage stays unsigned.
    ReportPaused,
    /// Settle what was signed.
    Submit,
    /// Stop and remove it, and everything it ever had.
    Remove,
    /// End the lease, with the last signed note where there is one.
    End,
    /// Forget what was uploaded.
    DropUploads,
    /// Forget the lease.
    Forget,
}

impl Step {
    /// Whether it changes what the driver lists or what is kept here; the others wait for the chain.
    pub fn shows_at_once(self) -> bool {
        match self {
            Step::Prepare
            | Step::Start
            | Step::Open
            | Step::Reach
            | Step::Pause
            | Step::Resume
            | Step::Remove
            | Step::DropUploads => true,
            Step::Accept
            | Step::ReportActive
            | Step::ReportPaused
            | Step::Submit
            | Step::End
            | Step::Forget => false,
        }
    }
}

/// What to do now, in this order.
pub fn reconcile(facts: &Facts<'_>) -> Vec<Step> {
    let Some(lease) = facts.lease else {
        return unknown(facts);
    };
    match lease.state {
        // Who begins answers for the time from then on: first it must have what it is to run.
        LeaseState::Reserved { .. } if facts.uploaded => vec![Step::Accept],
        LeaseState::Reserved { .. } => vec![],
        LeaseState::Provisioning { .. } => bring_up(facts),
        LeaseState::Active { .. } => active(facts, lease),
        LeaseState::Paused { reason, .. } => paused(facts, lease, reason),
        LeaseState::Closing { .. } => closing(facts, lease),
        LeaseState::Closed { .. } => closed(facts),
    }
}

/// The chain does not have it: gone for good, or never ours.
fn unknown(facts: &Facts<'_>) -> Vec<Step> {
    if facts.workload.is_some() {
        vec![Step::Remove]
    } else if facts.recorded {
        vec![Step::Forget]
    } else {
        vec![]
    }
}

/// From nothing to a workload that takes connections, and then the word to the chain that it runs.
fn bring_up(facts: &Facts<'_>) -> Vec<Step> {
    match up(facts) {
        Up::Yes => vec![Step::ReportActive],
        Up::NotYet(steps) => steps,
    }
}

enum Up {
    Yes,
    NotYet(Vec<Step>),
}

fn up(facts: &Facts<'_>) -> Up {
    let wait = || Up::NotYet(vec![]);
    Up::NotYet(match facts.workload {
        Some(WorkloadState::Running) if !facts.publishes => return Up::Yes,
        Some(WorkloadState::Running) if !facts.open => vec![Step::Open],
        Some(WorkloadState::Running) if !facts.answers => vec![Step::Reach],
        Some(WorkloadState::Running) => return Up::Yes,
        Some(WorkloadState::Paused) => vec![Step::Resume],
        Some(WorkloadState::Changing) => return wait(),
        // Whatever was left half-made is made again from the beginning.
        Some(WorkloadState::Broken) => vec![Step::Remove],
        _ if !facts.uploaded || !facts.rested => return wait(),
        None => running(facts, &[Step::Prepare, Step::Start]),
        Some(WorkloadState::Prepared | WorkloadState::Exited { .. }) => {
            running(facts, &[Step::Start])
        }
    })
}

/// After what makes it run, its door at once: a round more would be time in which it runs and nobody gets in.
fn running(facts: &Facts<'_>, steps: &[Step]) -> Vec<Step> {
    let open = facts.publishes.then_some(Step::Open);
    steps.iter().copied().chain(open).collect()
}

fn active(facts: &Facts<'_>, lease: &Lease) -> Vec<Step> {
    let mut steps = if facts.unsigned_ms >= facts.policy.unsigned_ms_max || !facts.metered {
        hold_back(facts, &[Step::ReportPaused])
    } else {
        match up(facts) {
            Up::Yes => vec![],
            Up::NotYet(steps) => steps,
        }
    };
    let waiting_ms = facts.signed_ms.saturating_sub(lease.metered_ms);
    if waiting_ms > 0 && waiting_ms >= facts.policy.submit_ms {
        steps.push(Step::Submit);
    }
    steps
}

/// Takes the CPU from what runs, then does `afterwards`.
fn hold_back(facts: &Facts<'_>, afterwards: &[Step]) -> Vec<Step> {
    match facts.workload {
        // First the workload stands, then the chain's clock.
        Some(WorkloadState::Running) => vec![Step::Pause],
        Some(WorkloadState::Changing) => vec![],
        _ => afterwards.to_vec(),
    }
}

fn paused(facts: &Facts<'_>, lease: &Lease, reason: PauseReason) -> Vec<Step> {
    let signed = facts.unsigned_ms == 0 && facts.metered;
    let mut steps = if reason == PauseReason::Unsigned && signed {
        bring_up(facts)
    } else {
        hold_back(facts, &[])
    };
    // Last: a node that is slow or refuses must not keep the workload running while the chain's clock stands.
    if facts.signed_ms > lease.metered_ms {
        steps.push(Step::Submit);
    }
    steps
}

/// First it is gone, then the last note is settled: with everything signed, or nothing to sign, there is nothing to wait for; else the tenant has
/// until the window closes by itself.
fn closing(facts: &Facts<'_>, lease: &Lease) -> Vec<Step> {
    if facts.workload.is_some() {
        return vec![Step::Remove];
    }
    if facts.unsigned_ms == 0 || !facts.metered {
        return vec![Step::End];
    }
    if facts.signed_ms > lease.metered_ms {
        return vec![Step::Submit];
    }
    vec![]
}

fn closed(facts: &Facts<'_>) -> Vec<Step> {
    if facts.workload.is_some() {
        vec![Step::Remove]
    } else if facts.kept {
        vec![Step::DropUploads]
    } else {
        vec![]
    }
}

#[cfg(test)]
mod tests;
