//! Which offers are kept. Pure: time comes in, and nothing is verified here.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use bytes::Bytes;
use nupeer_lease::{MachineId, OfferId, SignedOffer};
use nupeer_primitives::TimeMs;

use super::{OFFERS_MAX, OfferError, PER_MACHINE_MAX};

/// When others are told of a local offer again, in ms; twice as long each further time, up to a minute.
const REPEAT_MS: u64 = 1_000;
const REPEAT_MS_MAX: u64 = 60_000;

/// An offer that is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    signed: SignedOffer,
    bytes: Bytes,
    /// When to tell others again, and how long to wait after that; none for what others told.
    repeat: Option<(TimeMs, u64)>,
}

impl Entry {
    /// An offer that verified; `local` says when it was posted here.
    pub(super) fn new(signed: SignedOffer, bytes: Bytes, local: Option<TimeMs>) -> Self {
        let repeat = local.map(|now| (after(now, REPEAT_MS), REPEAT_MS));
        Entry {
            signed,
            bytes,
            repeat,
        }
    }
}

fn after(now: TimeMs, ms: u64) -> TimeMs {
    now.checked_add(ms).unwrap_or(now)
}

/// All offers that are kept.
#[derive(Debug, Default)]
pub(super) struct Book {
    offers: BTreeMap<OfferId, Entry>,
    /// By machine and nonce, so that a machine's oldest comes first.
    of_machine: BTreeMap<MachineId, BTreeSet<(u64, OfferId)>>,
}

impl Book {
    pub(super) fn get(&self, id: &OfferId) -> Option<&SignedOffer> {
        self.offers.get(id).map(|entry| &entry.signed)
    }

    /// Keeps an offer, in the place of its machine's oldest where there is no other; those that expired by `now` go first.
    pub(super) fn insert(
        &mut self,
        id: OfferId,
        entry: Entry,
        now: TimeMs,
    ) -> Result<(), OfferError> {
        self.remove(&id);
        let (machine, nonce) = (entry.signed.offer.machine, entry.signed.offer.nonce);
        self.make_room(machine, nonce, now)?;
        let of_machine = self.of_machine.entry(machine).or_default();
        of_machine.insert((nonce, id));
        self.offers.insert(id, entry);
        Ok(())
    }

    fn make_room(&mut self, machine: MachineId, nonce: u64, now: TimeMs) -> Result<(), OfferError> {
        let is_crowded = |book: &Book| {
            let own = book.of_machine.get(&machine).map_or(0, BTreeSet::len);
            own >= PER_MACHINE_MAX || book.offers.len() >= OFFERS_MAX
        };
        if is_crowded(self) {
            self.forget_expired(now);
        }
        let own = self.of_machine.get(&machine);
        let oldest = own.filter(|own| own.len() >= PER_MACHINE_MAX);
        if let Some((lowest, oldest)) = oldest.and_then(BTreeSet::first).copied() {
            if nonce < lowest {
                return Err(OfferError::Older {
                    machine,
                    lowest,
                    provided: nonce,
                });
            }
            self.remove(&oldest);
        }
        if self.offers.len() >= OFFERS_MAX {
            return Err(OfferError::Full);
        }
        Ok(())
    }

    fn forget_expired(&mut self, now: TimeMs) {
        let expired = |entry: &Entry| entry.signed.offer.expires <= now;
        let gone: Vec<OfferId> = self
            .offers
            .iter()
            .filter(|(_, entry)| expired(entry))
            .map(|(id, _)| *id)
            .collect();
        gone.iter().for_each(|id| self.remove(id));
    }

    pub(super) fn remove(&mut self, id: &OfferId) {
        let Some(entry) = self.offers.remove(id) else {
            return;
        };
        let offer = &entry.signed.offer;
        if let Some(own) = self.of_machine.get_mut(&offer.machine) {
            own.remove(&(offer.nonce, *id));
            if own.is_empty() {
                self.of_machine.remove(&offer.machine);
            }
        }
    }

    /// At most `limit` offers after `after` in the order of ids, of all machines or one.
    pub(super) fn page(
        &self,
        machine: Option<&MachineId>,
        after: Option<&OfferId>,
        limit: usize,
    ) -> Vec<(OfferId, SignedOffer)> {
        let Some(machine) = machine else {
            let from = after.map_or(Unbounded, Excluded);
            let rest = self.offers.range((from, Unbounded));
            return rest
                .take(limit)
                .map(|(id, entry)| (*id, entry.signed.clone()))
                .collect();
        };
        // A machine has few.
        let own = self.of_machine.get(machine).into_iter().flatten();
        let ids: BTreeSet<OfferId> = own
            .map(|(_, id)| *id)
            .filter(|id| after.is_none_or(|after| id > after))
            .collect();
        ids.into_iter()
            .take(limit)
            .filter_map(|id| Some((id, self.get(&id)?.clone())))
            .collect()
    }

    /// Local offers that are due to be told again; they are next due after twice as long.
    pub(super) fn repeats(&mut self, now: TimeMs, limit: usize) -> Vec<Bytes> {
        let mut due = Vec::new();
        for entry in self.offers.values_mut() {
            let Some((at, wait_ms)) = entry.repeat.filter(|(at, _)| *at <= now) else {
                continue;
            };
            if due.len() >= limit {
                break;
            }
            entry.repeat = (entry.signed.offer.expires > at).then(|| {
                let wait_ms = wait_ms.saturating_mul(2).min(REPEAT_MS_MAX);
                (after(now, wait_ms), wait_ms)
            });
            due.push(entry.bytes.clone());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use nupeer_lease::{Kind, Offer, Price, Resources};
    use nupeer_primitives::{Hash, PublicKey, Signature};

    use super::*;

    fn entry(machine: u8, nonce: u64, expires: u64, local: Option<u64>) -> (OfferId, Entry) {
        let offer = Offer {
            machine: MachineId(Hash([machine; 32])),
            kind: Kind::Container,
            capacity: Resources::default(),
            price: Price::Whole {
                lovelace_per_hour: 1,
            },
            duration_ms_max: 1,
            tenant: None,
            leases_max: 1,
            expires: TimeMs(expires),
            nonce,
        };
        let id = offer.id(&Hash::ZERO);
        let signed = SignedOffer {
            offer,
            operator: PublicKey([1; 32]),
            signature: Signature([2; 64]),
        };
        let bytes = Bytes::from(signed.to_bytes());
        (id, Entry::new(signed, bytes, local.map(TimeMs)))
    }

    fn nonces(book: &Book, machine: u8) -> Vec<u64> {
        let machine = MachineId(Hash([machine; 32]));
        let page = book.page(Some(&machine), None, 99);
        let mut nonces: Vec<u64> = page.iter().map(|(_, signed)| signed.offer.nonce).collect();
        nonces.sort_unstable();
        nonces
    }

    #[test]
    fn a_machines_newer_offers_take_the_place_of_its_oldest() {
        let mut book = Book::default();
        let mut insert = |machine, nonce| {
            let (id, entry) = entry(machine, nonce, 1_000, None);
            book.insert(id, entry, TimeMs(0))
                .map_err(|error| nupeer_primitives::Numbered::code(&error).0)
        };
        for nonce in 10..18 {
            assert_eq!(insert(1, nonce), Ok(()));
        }
        assert_eq!(insert(1, 9), Err(6031));
        assert_eq!(insert(2, 9), Ok(()));
        assert_eq!(insert(1, 18), Ok(()));
        assert_eq!(nonces(&book, 1), (11..19).collect::<Vec<_>>());
        assert_eq!(nonces(&book, 2), [9]);
    }

    #[test]
    fn what_expired_makes_room_first() {
        let mut book = Book::default();
        for nonce in 0..8 {
            let (id, entry) = entry(1, nonce, if nonce == 5 { 100 } else { 1_000 }, None);
            book.insert(id, entry, TimeMs(0)).unwrap();
        }
        let (id, entry) = entry(1, 8, 1_000, None);
        book.insert(id, entry, TimeMs(100)).unwrap();
        assert_eq!(nonces(&book, 1), [0, 1, 2, 3, 4, 6, 7, 8]);
    }

    #[test]
    fn a_full_book_takes_no_more_and_pages_cover_it_once() {
        let mut book = Book::default();
        for n in 0..OFFERS_MAX as u64 {
            let (id, mut entry) = entry(0, n, 1_000, None);
            let machine = nupeer_primitives::blake2b_256(&[&(n / 8).to_be_bytes()]);
            entry.signed.offer.machine = MachineId(machine);
            book.insert(id, entry, TimeMs(0)).unwrap();
        }
        let (id, extra) = entry(250, 0, 1_000, None);
        let refused = book.insert(id, extra, TimeMs(0)).unwrap_err();
        assert!(matches!(refused, OfferError::Full), "{refused}");
        let (mut seen, mut after) = (0, None);
        loop {
            let page = book.page(None, after.as_ref(), 1_000);
            let Some((last, _)) = page.last() else { break };
            assert!(after.is_none_or(|after| after < page[0].0));
            (seen, after) = (seen + page.len(), Some(*last));
        }
        assert_eq!(seen, OFFERS_MAX);
    }

    #[test]
    fn a_local_offer_is_repeated_less_and_less_often_until_it_expires() {
        let mut book = Book::default();
        let (id, local) = entry(1, 0, 10_000, Some(0));
        book.insert(id, local, TimeMs(0)).unwrap();
        let (id, heard) = entry(1, 1, 10_000, None);
        book.insert(id, heard, TimeMs(0)).unwrap();
        let told: Vec<u64> = (0..=30_000)
            .step_by(500)
            .filter(|now| !book.repeats(TimeMs(*now), 9).is_empty())
            .collect();
        assert_eq!(told, [1_000, 3_000, 7_000, 15_000]);
    }
}
