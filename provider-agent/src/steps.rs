//! Doing what [`crate::reconcile`] says. Everything blocks; the steps of one lease are done one after the other, those of several at once.

use std::time::Duration;

use nupeer_lease::actions::{EndLease, Progress, ReportLease, SubmitUsage};
use nupeer_lease::{Action, Lease, LeaseId, SignedUsage};
use nupeer_paas_drivers::image::ImageDigest;
use nupeer_paas_drivers::{DriverError, ResourceLimits, WorkloadId, WorkloadSpec, WorkloadState};

use crate::actual::workload_of;
use crate::chain::Certified;
use crate::error::AgentError;
use crate::reconcile::Step;
use crate::records::{Part, hold};
use crate::site::Site;

/// How long one step waits for a workload to take a connection; the next round tries again.
const REACH_WITHIN: Duration = Duration::from_millis(500);

/// A lease and what the steps were decided on.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which.
    pub id: LeaseId,
    /// As the chain was shown to have it; none where it was shown to have none.
    pub lease: Option<Lease>,
    /// Up to where the chain is known.
    pub known: Certified,
    /// The run of the workload.
    pub run: Option<u64>,
}

impl Job {
    /// Does the steps up to the first that fails.
    ///
    /// # Errors
    /// What that one met.
    pub fn run(&self, site: &Site, steps: &[Step]) -> Result<(), AgentError> {
        for step in steps {
            tracing::debug!(lease = %self.id, ?step, "doing");
            self.one(site, *step)?;
        }
        Ok(())
    }

    fn one(&self, site: &Site, step: Step) -> Result<(), AgentError> {
        let workload = workload_of(&self.id)?;
        match step {
            Step::Accept => self.report(site, step, Progress::Provisioning),
            Step::ReportActive => self.report(site, step, Progress::Active),
            Step::ReportPaused => self.report(site, step, Progress::Paused),
            Step::Prepare => self.prepare(site, workload),
            Step::Start => self.start(site, &workload),
            Step::Open => self.open(site, &workload),
            Step::Reach => self.reach(site, &workload),
            Step::Pause => self.pause(site, &workload),
            Step::Resume => Ok(site.engine.resume(&workload)?),
            Step::Submit => self.submit(site),
            Step::Remove => self.remove(site, &workload),
            Step::End => self.end(site),
            Step::DropUploads => self.drop_uploads(site),
            Step::Forget => self.forget(site),
        }
    }

    fn report(&self, site: &Site, step: Step, progress: Progress) -> Result<(), AgentError> {
        let lease = self.id;
        let action = Action::ReportLease(ReportLease { lease, progress });
        Ok(site.outbox.send(&self.id, step, self.known, action)?)
    }

    fn prepare(&self, site: &Site, id: WorkloadId) -> Result<(), AgentError> {
        let record = site.records.of(&self.id)?;
        let manifest = hold(&record).manifest.clone();
        let Some(spec) = manifest else {
            return Ok(());
        };
        // It was checked when it came: what does not fit any more is not what came.
        let unfit = self.lease.as_ref().map(|lease| spec.check_lease(lease));
        if let Some(Err(error)) = unfit {
            let mut record = hold(&record);
            return Err(record.set_aside(Part::Manifest, error.to_string()).into());
        }
        site.engine.prepare(&WorkloadSpec {
            id,
            image: ImageDigest(spec.image.0),
            argv: spec.argv,
            env: spec.env,
            limits: ResourceLimits {
                cpu_milli: spec.cpu_milli,
                memory_bytes: spec.memory_bytes,
                pids_max: spec.pids,
            },
            port: spec.port,
        })?;
        Ok(())
    }

    fn start(&self, site: &Site, workload: &WorkloadId) -> Result<(), AgentError> {
        site.engine.start(workload)?;
        // Noted here, since it may have ended before anybody lists it: that is a failure, and is told how.
        site.with_live(&self.id, |live| {
            live.workload = Some(WorkloadState::Running)
        });
        Ok(())
    }

    /// Opens the way to the run that there is now, which may have begun in this very job.
    fn open(&self, site: &Site, workload: &WorkloadId) -> Result<(), AgentError> {
        let Some(run) = site.engine.run(workload)? else {
            return Ok(());
        };
        let ingress = match site.engine.ingress(workload) {
            // It ended meanwhile: the next listing says how.
            Err(DriverError::NotRunning(_)) => return Ok(()),
            ingress => ingress?,
        };
        let record = site.records.of(&self.id)?;
        let port = hold(&record).port;
        let port = site.doors.open(&self.id, run, ingress, port)?;
        Ok(hold(&record).set_port(port)?)
    }

    fn reach(&self, site: &Site, workload: &WorkloadId) -> Result<(), AgentError> {
        let ingress = site.engine.ingress(workload)?;
        let reached = site.doors.reaches(&ingress, REACH_WITHIN);
        site.with_live(&self.id, |live| {
            if reached {
                (live.answered, live.problem) = (self.run, None);
            } else {
                live.problem = Some("the workload does not take connections yet".into());
            }
        });
        Ok(())
    }

    fn pause(&self, site: &Site, workload: &WorkloadId) -> Result<(), AgentError> {
        // The pause does not count, even if the agent dies right here. Where that cannot be written down it stands all the same.
        let looked = self
            .lease
            .as_ref()
            .map(|lease| site.look(&self.id, lease, site.clock.now_ms(), None));
        site.engine.pause(workload)?;
        Ok(looked.transpose().map(drop)?)
    }

    fn submit(&self, site: &Site) -> Result<(), AgentError> {
        let Some(usage) = self.signed(site) else {
            return Ok(());
        };
        let action = Action::SubmitUsage(Box::new(SubmitUsage { usage }));
        Ok(site
            .outbox
            .send(&self.id, Step::Submit, self.known, action)?)
    }

    fn end(&self, site: &Site) -> Result<(), AgentError> {
        let (lease, usage) = (self.id, self.signed(site));
        let action = Action::EndLease(Box::new(EndLease { lease, usage }));
        Ok(site.outbox.send(&self.id, Step::End, self.known, action)?)
    }

    /// The last note with both signatures, where it says more than the chain knows.
    fn signed(&self, site: &Site) -> Option<SignedUsage> {
        let settled_ms = self.lease.as_ref()?.metered_ms;
        let record = site.records.get(&self.id)?;
        let digits = hold(&record).meter.acked.clone()?;
        let signed = SignedUsage::from_bytes(&hex::decode(digits).ok()?).ok()?;
        (signed.usage.metered_ms > settled_ms).then_some(signed)
    }

    fn drop_uploads(&self, site: &Site) -> Result<(), AgentError> {
        Ok(site.records.drop_uploads(&self.id)?)
    }

    fn remove(&self, site: &Site, workload: &WorkloadId) -> Result<(), AgentError> {
        site.doors.close(&self.id);
        let grace = Duration::from_millis(site.config.stop_grace_ms);
        match site.engine.stop(workload, grace) {
            Ok(()) | Err(DriverError::Unknown(_) | DriverError::NotRunning(_)) => {}
            // Removing kills what would not stop.
            Err(error) => tracing::warn!(%workload, %error, "not stopped"),
        }
        site.engine.remove(workload)?;
        // Believed when it is seen.
        let left = site.engine.list()?;
        if left.iter().any(|other| other.id == *workload) {
            return Err(AgentError::Driver(DriverError::NotGone {
                id: workload.clone(),
                what: "it is still listed".into(),
            }));
        }
        tracing::info!(lease = %self.id, "the workload is gone");
        Ok(())
    }

    fn forget(&self, site: &Site) -> Result<(), AgentError> {
        site.records.forget(&self.id)?;
        site.outbox.forget(&self.id);
        hold(&site.live).remove(&self.id);
        Ok(())
    }
}
