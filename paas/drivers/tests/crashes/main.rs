//! What dies between two effects on the disk or in the kernel leaves something that is whole, or that is seen to be not.

#[path = "../common/mod.rs"]
mod common;
mod images;
mod needs_root;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failpoints are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` up to `failpoint`; whether it came that far.
fn dies_at(failpoint: &str, work: impl FnOnce()) -> bool {
    fail::cfg(failpoint, "1*panic").unwrap();
    let died = catch_unwind(AssertUnwindSafe(work)).is_err();
    fail::remove(failpoint);
    died
}

#[test]
fn all_failpoints_of_the_sources_are_here() {
    let named = [&images::FAILPOINTS[..], &needs_root::failpoints()].concat();
    nupeer_testing::failpoints::assert_all_named(env!("CARGO_MANIFEST_DIR"), &named);
}
