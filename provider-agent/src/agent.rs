//! The loop: what the chain wants, what is there, the difference, the steps.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nupeer_lease::{Lease, LeaseId, LeaseState};
use nupeer_paas_drivers::image::ImageDigest;
use nupeer_paas_drivers::{Workload, WorkloadState};

use crate::actual::Actual;
use crate::believed::learn;
use crate::chain::Certified;
use crate::desired::Desired;
use crate::error::AgentError;
use crate::reconcile::{Facts, reconcile};
use crate::records::{RecordError, hold};
use crate::site::{Site, numbered};
use crate::steps::Job;

/// The reconciler of one machine.
pub struct Agent {
    site: Arc<Site>,
}

impl Agent {
    /// The reconciler of `site`.
    pub fn new(site: Arc<Site>) -> Self {
        Agent { site }
    }

    /// Goes round until it is dropped: as often as the settings say, and at once when something changed.
    pub async fn run(self) {
        let poll = Duration::from_millis(self.site.config.poll_ms);
        loop {
            let site = self.site.clone();
            let round = tokio::task::spawn_blocking(move || round(&site)).await;
            let problem = match round {
                Ok(done) => done.err(),
                Err(error) => Some(AgentError::io("a round")(std::io::Error::other(error))),
            };
            tell(&self.site.problem, problem.as_ref(), "nothing is changed");
            tokio::select! {
                () = self.site.wake.notified() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
    }
}

/// Notes a problem, and logs it when it is news, with what does not happen meanwhile.
pub(crate) fn tell(
    known: &Mutex<Option<String>>,
    problem: Option<&AgentError>,
    meanwhile: &'static str,
) {
    let text = problem.map(numbered);
    let mut known = hold(known);
    if *known == text {
        return;
    }
    match (problem, &text) {
        (Some(AgentError::OtherAgent { .. }), Some(text)) => tracing::error!(meanwhile, "{text}"),
        (_, Some(text)) => tracing::warn!(meanwhile, "{text}"),
        (_, None) => tracing::info!("well again: it is no more that {meanwhile}"),
    }
    *known = text;
}

/// One round. What is under way is left alone; what is to be done is begun and not waited for.
///
/// # Errors
/// Chain or driver could not be asked: nothing was begun.
pub fn round(site: &Arc<Site>) -> Result<(), AgentError> {
    // Before the listing: a job that ends meanwhile may have made the list untrue.
    let busy = busy(site);
    // Before the listing, too: what ended meanwhile ran until then at least.
    let at_ms = site.clock.now_ms();
    let actual = Actual::of(site.engine.as_ref())?;
    let told = site.chain.leases_on(&site.machine);
    let desired = told
        .map_err(AgentError::from)
        .and_then(|told| learn(site, told, &actual))
        .inspect_err(|_| site.chain.doubt());
    // Running time is counted whether or not the chain answers.
    if let Some(known) = site.known() {
        let unwritten = look_at_all(site, &known, &actual, at_ms).map(AgentError::from);
        tell(
            &site.unmetered,
            unwritten.as_ref(),
            "running time is known for as long as this process lives",
        );
    }
    let desired = desired?;
    for stray in &actual.strays {
        tracing::warn!(%stray, "removing what belongs to no lease");
        site.engine.remove(stray)?;
    }
    for id in all_ids(site, &desired, &actual) {
        if !busy.contains(&id) {
            attend(site, &id, &desired, actual.workloads.get(&id))?;
        }
    }
    drop_images(site, &actual);
    Ok(())
}

fn busy(site: &Site) -> BTreeSet<LeaseId> {
    let live = hold(&site.live);
    let busy = live.iter().filter(|(_, live)| live.busy);
    busy.map(|(id, _)| *id).collect()
}

/// Looks at every open lease, whatever the disk does: what is to be paused or removed must not wait for it. Returns what failed first.
fn look_at_all(site: &Site, known: &Desired, actual: &Actual, at_ms: u64) -> Option<RecordError> {
    let open = known.leases.iter().filter(|(_, l)| l.state.is_open());
    let looked = open.map(|(id, lease)| {
        site.records.of(id)?;
        site.look(id, lease, at_ms, running(actual.workloads.get(id)))
    });
    // To the end: not short-circuited.
    looked
        .filter_map(Result::err)
        .fold(None, |first, error| first.or(Some(error)))
}

/// The run that uses CPU now.
fn running(workload: Option<&Workload>) -> Option<u64> {
    workload
        .filter(|workload| workload.state == WorkloadState::Running)
        .and_then(|workload| workload.run)
}

fn all_ids(site: &Site, desired: &Desired, actual: &Actual) -> BTreeSet<LeaseId> {
    let wanted = desired.leases.keys().copied();
    let there = actual.workloads.keys().copied();
    wanted.chain(there).chain(site.records.ids()).collect()
}

/// Decides on one lease and begins what is to be done.
fn attend(
    site: &Arc<Site>,
    id: &LeaseId,
    desired: &Desired,
    workload: Option<&Workload>,
) -> Result<(), AgentError> {
    site.with_live(id, |live| {
        live.list(
            workload.map(|workload| workload.state),
            workload.and_then(|workload| workload.run),
        );
    });
    let lease = desired.leases.get(id);
    let steps = reconcile(&facts(site, id, lease, desired, workload));
    if steps.is_empty() {
        return Ok(());
    }
    let job = Job {
        id: *id,
        lease: lease.cloned(),
        known: Certified {
            height: desired.height,
            time: desired.time,
        },
        run: workload.and_then(|workload| workload.run),
    };
    site.with_live(id, |live| live.busy = true);
    let site = site.clone();
    tokio::task::spawn_blocking(move || {
        let done = job.run(&site, &steps);
        // None where the lease was just forgotten.
        if let Some(live) = hold(&site.live).get_mut(&job.id) {
            live.busy = false;
            if let Err(error) = &done {
                let problem = numbered(error);
                if live.problem.as_ref() != Some(&problem) {
                    tracing::warn!(lease = %job.id, problem, "a step failed");
                }
                live.fail(problem);
            }
        }
        // What was done shows in the next listing; what waits for the chain does not.
        if done.is_ok() && steps.iter().any(|step| step.shows_at_once()) {
            site.wake.notify_one();
        }
    });
    Ok(())
}

fn facts<'a>(
    site: &Site,
    id: &LeaseId,
    lease: Option<&'a Lease>,
    desired: &Desired,
    workload: Option<&Workload>,
) -> Facts<'a> {
    let run = workload.and_then(|workload| workload.run);
    let record = site.records.get(id);
    let record = record.as_ref().map(|record| hold(record));
    let meter = record.as_ref().map(|record| record.meter.clone());
    let meter = meter.unwrap_or_default();
    let (clock_ms, settled_ms) = lease.map_or((0, 0), |lease| {
        (lease.clock_ms(desired.time), lease.metered_ms)
    });
    let manifest = record.as_ref().and_then(|record| record.manifest.as_ref());
    let has_image = record.as_ref().is_some_and(|record| record.image.is_some());
    // A workload that exists says itself what it publishes.
    let publishes = match workload.and_then(|workload| workload.spec.as_ref()) {
        Some(spec) => spec.port.is_some(),
        None => manifest.is_some_and(|spec| spec.port.is_some()),
    };
    let (answers, rested) = site.with_live(id, |live| {
        (run.is_some() && live.answered == run, live.is_rested())
    });
    Facts {
        lease,
        workload: workload.map(|workload| workload.state),
        uploaded: manifest.is_some() && has_image,
        publishes,
        open: site.doors.is_open(id, run),
        answers,
        rested,
        unsigned_ms: meter.unsigned_ms(clock_ms, settled_ms),
        signed_ms: meter.acked_ms,
        metered: record.as_ref().is_none_or(|record| record.is_metered()),
        recorded: record.is_some(),
        kept: manifest.is_some() || has_image,
        policy: site.policy(),
    }
}

/// Removes images that no lease and no workload needs any more, unless one is just being taken in.
fn drop_images(site: &Site, actual: &Actual) {
    let Ok(_alone) = site.images.try_write() else {
        return;
    };
    let mut needed: BTreeSet<ImageDigest> = site.records.images().into_iter().collect();
    let workloads = actual.workloads.values();
    needed.extend(workloads.filter_map(|workload| Some(workload.spec.as_ref()?.image)));
    let listed = site.engine.images().list().unwrap_or_default();
    for image in listed.iter().filter(|image| !needed.contains(image)) {
        if let Err(error) = site.engine.images().remove(image) {
            tracing::warn!(%image, %error, "an image was not removed");
        }
    }
}

/// Whether a lease still has something to run, so that uploads for it make sense.
pub(crate) fn takes_uploads(lease: &Lease) -> bool {
    !matches!(
        lease.state,
        LeaseState::Closing { .. } | LeaseState::Closed { .. }
    )
}
