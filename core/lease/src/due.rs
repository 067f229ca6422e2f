//! The time queue: what must happen at some block time, whoever is awake then.
//!
//! An entry is `lease/due/` ‖ time (8 bytes, big-endian) ‖ subject (1) ‖ id (32), so that a range of keys is what is due, oldest first.
//! Entries are written by `store` alone, together with what they belong to: a thing that is due at a time has exactly one.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_primitives::{Hash, TimeMs};

pub(crate) const PREFIX: &[u8] = b"lease/due/";

/// What an entry belongs to. The numbers are part of state keys and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
#[repr(u8)]
pub enum Subject {
    /// A request.
    #[n(0)]
    Request = 0,
    /// A lease.
    #[n(1)]
    Lease = 1,
    /// The count of an offer's uses.
    #[n(2)]
    Offer = 2,
    /// A machine.
    #[n(3)]
    Machine = 3,
}

impl Subject {
    /// Its name in answers for programs.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Request => "request",
            Subject::Lease => "lease",
            Subject::Offer => "offer",
            Subject::Machine => "machine",
        }
    }

    fn of(number: u8) -> Option<Subject> {
        [
            Subject::Request,
            Subject::Lease,
            Subject::Offer,
            Subject::Machine,
        ]
        .into_iter()
        .find(|subject| *subject as u8 == number)
    }
}

/// An entry of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When, unix ms.
    pub at: TimeMs,
    /// To what.
    pub subject: Subject,
    /// To which one.
    pub id: Hash,
}

impl Entry {
    fn key(&self) -> Vec<u8> {
        let at = self.at.0.to_be_bytes();
        [PREFIX, &at, &[self.subject as u8], &self.id.0].concat()
    }

    fn read(key: &[u8]) -> Option<Entry> {
        let (at, rest) = key.strip_prefix(PREFIX)?.split_first_chunk::<8>()?;
        let (subject, id) = rest.split_first()?;
        Some(Entry {
            at: TimeMs(u64::from_be_bytes(*at)),
            subject: Subject::of(*subject)?,
            id: Hash::try_from(id).ok()?,
        })
    }
}

/// Moves the entry of a thing from one time to another; `None` is no entry.
pub(crate) fn reschedule(
    state: &mut dyn StateWrite,
    subject: Subject,
    id: &Hash,
    before: Option<TimeMs>,
    after: Option<TimeMs>,
) {
    if before == after {
        return;
    }
    let entry = |at| Entry {
        at,
        subject,
        id: *id,
    };
    if let Some(at) = before {
        state.set_plain(entry(at).key(), None);
    }
    if let Some(at) = after {
        state.set_plain(entry(at).key(), Some(Vec::new()));
    }
}

/// What is due at `time`, oldest first, at most `limit` entries.
pub fn until(state: &dyn StateRead, time: TimeMs, limit: usize) -> Vec<Entry> {
    let end = match time.checked_add(1) {
        Some(after) => [PREFIX, &after.0.to_be_bytes()].concat(),
        None => nupeer_ledger::state::after_prefix(PREFIX),
    };
    let entries = state.plain_range(PREFIX, &end, limit);
    entries
        .into_iter()
        .filter_map(|(key, _)| Entry::read(&key))
        .collect()
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::memory::MemoryState;

    use super::*;

    #[test]
    fn what_is_due_comes_oldest_first_and_not_before_its_time() {
        let mut state = MemoryState::default();
        for (at, n) in [(300, 1), (100, 2), (200, 3), (u64::MAX, 4)] {
            let at = Some(TimeMs(at));
            reschedule(&mut state, Subject::Lease, &Hash([n; 32]), None, at);
        }
        let order = |time, limit| -> Vec<u8> {
            let entries = until(&state, TimeMs(time), limit);
            entries.iter().map(|entry| entry.id.0[0]).collect()
        };
        assert_eq!(order(99, 9), Vec::<u8>::new());
        assert_eq!(order(200, 9), [2, 3]);
        assert_eq!(order(300, 1), [2]);
        assert_eq!(order(u64::MAX, 9), [2, 3, 1, 4]);
    }

    #[test]
    fn a_rescheduled_entry_is_due_once() {
        let (mut state, id) = (MemoryState::default(), Hash([1; 32]));
        let (first, second) = (Some(TimeMs(1)), Some(TimeMs(2)));
        reschedule(&mut state, Subject::Machine, &id, None, first);
        reschedule(&mut state, Subject::Machine, &id, first, second);
        let (at, subject) = (TimeMs(2), Subject::Machine);
        assert_eq!(until(&state, TimeMs(9), 9), [Entry { at, subject, id }]);
        reschedule(&mut state, Subject::Machine, &id, second, None);
        assert_eq!(state, MemoryState::default());
    }
}
