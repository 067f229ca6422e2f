//! An agent whose process dies at any failpoint has of each lease's record the old content or the new one once it is opened again, and goes on
//! from there to the same end.

#[path = "agent/crashing.rs"]
mod crashing;
#[allow(dead_code)]
#[path = "agent/stage.rs"]
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nupeer_agent::records::Records;
use nupeer_agent::seen::Seen;
use nupeer_lease::LeaseId;
use nupeer_paas_drivers::image::ImageDigest;
use nupeer_primitives::{Hash, Height};

/// Every failpoint of the crate; `failpoints_are_those_of_the_sources` holds it to that.
const FAILPOINTS: [&str; 10] = [
    "record-begun",
    "record-before-write",
    "record-written",
    "record-renamed",
    "record-dropping",
    "record-before-forgetting",
    "record-dying",
    // Of these, `agent/crashing.rs` tells.
    "outbox-before-submit",
    "outbox-submitted",
    "upload-imported",
];

const LEASE: LeaseId = LeaseId(Hash([7; 32]));

/// Failpoints are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` up to the given pass of `failpoint`; whether it came that far.
fn dies_at(failpoint: &str, pass: usize, work: impl FnOnce()) -> bool {
    fail::cfg(failpoint, &format!("{pass}*off->1*panic")).unwrap();
    let died = catch_unwind(AssertUnwindSafe(work)).is_err();
    fail::remove(failpoint);
    died
}

/// What happens to a record, in this order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Manifest,
    Image,
    Port,
    Meter(u64),
    DropUploads,
    Forget,
}

const STEPS: [Step; 7] = [
    Step::Manifest,
    Step::Image,
    Step::Port,
    Step::Meter(5),
    Step::Meter(9),
    Step::DropUploads,
    Step::Forget,
];

impl Step {
    fn take(self, records: &Records) {
        let record = || records.of(&LEASE).unwrap();
        match self {
            Step::Manifest => record()
                .lock()
                .unwrap()
                .set_manifest(stage::spec())
                .unwrap(),
            Step::Image => {
                let digest = ImageDigest([1; 32]);
                record().lock().unwrap().set_image(digest).unwrap();
            }
            Step::Port => record().lock().unwrap().set_port(4242).unwrap(),
            Step::Meter(ran_ms) => {
                let record = record();
                let mut record = record.lock().unwrap();
                record.meter.ran_ms = ran_ms;
                record.save_meter().unwrap();
            }
            Step::DropUploads => records.drop_uploads(&LEASE).unwrap(),
            Step::Forget => records.forget(&LEASE).unwrap(),
        }
    }
}

/// What a record says: manifest, image, port, meter.
type Says = (bool, bool, u16, u64);

fn says(folder: &Path) -> Option<Says> {
    let record = Records::open(folder).unwrap().get(&LEASE)?;
    let record = record.lock().unwrap();
    let (manifest, image) = (record.manifest.is_some(), record.image.is_some());
    Some((manifest, image, record.port, record.meter.ran_ms))
}

/// Whether `now` is made of what was `before` and what would be `after`, field by field.
fn is_between(now: Option<Says>, before: Option<Says>, after: Option<Says>) -> bool {
    let empty = (false, false, 0, 0);
    let (b, a) = (before.unwrap_or(empty), after.unwrap_or(empty));
    match now {
        None => before.is_none() || after.is_none(),
        Some(n) => {
            (n.0 == b.0 || n.0 == a.0)
                && (n.1 == b.1 || n.1 == a.1)
                && (n.2 == b.2 || n.2 == a.2)
                && (n.3 == b.3 || n.3 == a.3)
                // What is forgotten is gone as a whole.
                && (after.is_some() || n == b)
        }
    }
}

/// What the record says after each step where nothing dies.
fn undisturbed() -> Vec<Option<Says>> {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![says(folder.path())];
    for step in STEPS {
        step.take(&Records::open(folder.path()).unwrap());
        all.push(says(folder.path()));
    }
    all
}

fn sources(folder: PathBuf, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(path, found);
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            let names = text.split("fail_point!(\"").skip(1);
            found.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn failpoints_are_those_of_the_sources() {
    let mut found = Vec::new();
    sources(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found.sort();
    let mut named = FAILPOINTS.to_vec();
    named.sort_unstable();
    assert_eq!(found, named);
}

#[test]
fn a_record_is_the_old_one_or_the_new_one_wherever_a_step_ends_and_goes_on_to_the_same_end() {
    let _alone = alone();
    let expected = undisturbed();
    assert_eq!(expected[5], Some((true, true, 4242, 9)));
    assert_eq!(expected[6..], [Some((false, false, 0, 9)), None]);
    let mut reached = Vec::new();
    for failpoint in &FAILPOINTS[..7] {
        for (index, step) in STEPS.iter().enumerate() {
            for pass in 0..3 {
                let folder = tempfile::tempdir().unwrap();
                let records = Records::open(folder.path()).unwrap();
                STEPS[..index].iter().for_each(|done| done.take(&records));
                if !dies_at(failpoint, pass, || step.take(&records)) {
                    continue;
                }
                reached.push(*failpoint);
                let now = says(folder.path());
                let (before, after) = (expected[index], expected[index + 1]);
                assert!(
                    is_between(now, before, after),
                    "{failpoint} in {step:?}: {now:?} after {before:?}"
                );
                let again = Records::open(folder.path()).unwrap();
                STEPS[index..].iter().for_each(|left| left.take(&again));
                assert_eq!(says(folder.path()), None);
                let left = std::fs::read_dir(folder.path()).unwrap().count();
                assert_eq!(left, 0, "{failpoint} in {step:?}");
            }
        }
    }
    reached.dedup();
    assert_eq!(reached, FAILPOINTS[..7]);
}

#[test]
fn the_height_that_was_seen_never_goes_back_wherever_writing_ends() {
    let _alone = alone();
    for failpoint in &FAILPOINTS[1..4] {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::read(folder.path(), &Hash::ZERO).unwrap();
        seen.raise(Height(40), true).unwrap();
        assert!(dies_at(failpoint, 0, || seen
            .raise(Height(80), true)
            .unwrap()));
        let height = Seen::read(folder.path(), &Hash::ZERO).unwrap().height();
        let expected = if *failpoint == "record-renamed" {
            80
        } else {
            40
        };
        assert_eq!(height, Height(expected), "{failpoint}");
    }
}
