//! The time queue: what must happen at some block time, whoever is awake then.
//!
//! An entry is `lease/due/` ‖ time (8 bytes, big-endian) ‖ subject (1) ‖ id (32), so that a range of keys is what is due, oldest first.
//! Entries are written by `store` alone, together with what they belong to: a thing that is due at a time has exactly one. One that could not be
//! done is put off: it stands at a later time, with the first one as its value.

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

    /// An entry's key, read.
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

/// An entry, and where it stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is due, and when it first was.
    pub entry: Entry,
    /// Where it stands instead, if it was put off.
    pub put_off: Option<TimeMs>,
}

impl Standing {
    fn read(key: &[u8], value: &[u8]) -> Option<Standing> {
        let at = Entry::read(key)?;
        let first = match value {
            [] => None,
            first => Some(TimeMs(u64::from_be_bytes(first.try_into().ok()?))),
        };
        Some(Standing {
            entry: Entry {
                at: first.unwrap_or(at.at),
                ..at
            },
            put_off: first.map(|_| at.at),
        })
    }

    /// The time at which it stands.
    pub(crate) fn place(&self) -> TimeMs {
        self.put_off.unwrap_or(self.entry.at)
    }

    fn key(&self) -> Vec<u8> {
        let at = self.place();
        Entry { at, ..self.entry }.key()
    }

    /// Takes it out of the queue.
    pub(crate) fn remove(&self, state: &mut dyn StateWrite) {
        state.set_plain(self.key(), None);
    }

    /// Moves it to a later time.
    pub(crate) fn put_off(&self, state: &mut dyn StateWrite, to: TimeMs) {
        self.remove(state);
        let put_off = Some(to);
        let first = self.entry.at.0.to_be_bytes().to_vec();
        state.set_plain(Standing { put_off, ..*self }.key(), Some(first));
    }
}

/// A part of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its entries, oldest first.
    pub standing: Vec<Standing>,
    /// Keys that are no entry's, which nothing should have written.
    pub unreadable: Vec<Vec<u8>>,
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
pub fn until(state: &dyn StateRead, time: TimeMs, limit: usize) -> Part {
    let end = match time.checked_add(1) {
        Some(after) => [PREFIX, &after.0.to_be_bytes()].concat(),
        None => nupeer_ledger::state::after_prefix(PREFIX),
    };
    let mut part = Part::default();
    for (key, value) in state.plain_range(PREFIX, &end, limit) {
        match Standing::read(&key, &value) {
            Some(standing) => part.standing.push(standing),
            None => part.unreadable.push(key),
        }
    }
    part
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
            let part = until(&state, TimeMs(time), limit);
            part.standing.iter().map(|at| at.entry.id.0[0]).collect()
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
        let (entry, put_off) = (Entry { at, subject, id }, None);
        let part = until(&state, TimeMs(9), 9);
        assert_eq!(part.standing, [Standing { entry, put_off }]);
        reschedule(&mut state, Subject::Machine, &id, second, None);
        assert_eq!(state, MemoryState::default());
    }

    #[test]
    fn what_was_put_off_comes_at_its_new_time_and_remembers_its_first() {
        let (mut state, id) = (MemoryState::default(), Hash([1; 32]));
        let (at, subject) = (TimeMs(1), Subject::Lease);
        reschedule(&mut state, subject, &id, None, Some(at));
        let entry = Entry { at, subject, id };
        for time in [5, 9] {
            let [standing] = until(&state, TimeMs(8), 9).standing[..] else {
                panic!("one entry")
            };
            assert_eq!(standing.entry, entry);
            standing.put_off(&mut state, TimeMs(time));
            assert_eq!(until(&state, TimeMs(time - 1), 9), Part::default());
            let put_off = Some(TimeMs(time));
            let part = until(&state, TimeMs(time), 9);
            assert_eq!(part.standing, [Standing { entry, put_off }]);
        }
    }
}
