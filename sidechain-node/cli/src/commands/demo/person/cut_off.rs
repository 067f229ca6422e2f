//! A person's client that is killed in the middle of its command, as by a power cut. Its person does what it said before: where a command could do a thing twice, it named
//! another one that tells whether it was done ([`crate::commands::cut_off`]); what said nothing of the kind had sent nothing yet, and is given again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Which command of a person is to be killed, and which were.
#[derive(Clone, Default)]
pub(in crate::commands::demo) struct CutOff(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    next: Option<(String, Instant)>,
    done: Vec<(Instant, String)>,
}

impl CutOff {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of the command that begins so is killed once, at this moment.
    pub(in crate::commands::demo) fn at(&self, command: &str, moment: Instant) {
        self.plan().next = Some((command.to_owned(), moment));
    }

    /// Nothing is killed any more.
    pub(in crate::commands::demo) fn never(&self) {
        self.plan().next = None;
    }

    /// Whether the client of this command is to be killed now. Says so once.
    pub(in crate::commands::demo) fn is_due(&self, command: &str) -> bool {
        let is_due = |(beginning, moment): &mut (String, Instant)| {
            command.starts_with(beginning.as_str()) && Instant::now() >= *moment
        };
        self.plan().next.take_if(is_due).is_some()
    }

    /// The client of this command was killed.
    pub(in crate::commands::demo) fn note(&self, command: &str) {
        self.plan().done.push((Instant::now(), command.to_owned()));
    }

    /// Which were killed, and when.
    pub(in crate::commands::demo) fn done(&self) -> Vec<(Instant, String)> {
        self.plan().done.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_command_is_cut_off_once_and_in_time() {
        let cut = CutOff::default();
        let now = Instant::now();
        cut.at("deposit", now + Duration::from_secs(1_000));
        assert!(!cut.is_due("deposit 5ADA"), "too early");
        cut.at("deposit", now);
        assert!(!cut.is_due("wallet funds"), "another command");
        assert!(cut.is_due("deposit 5ADA"));
        assert!(!cut.is_due("deposit 5ADA"), "once");
        cut.at("deposit", now);
        cut.never();
        assert!(!cut.is_due("deposit 5ADA"));
        cut.note("deposit 5ADA");
        assert_eq!(cut.done()[0].1, "deposit 5ADA");
    }
}
