//! Places for clients: how many are served at once, and who makes room when all are taken.
//!
//! A socket that many connect to without a word must not keep anybody out. So nobody waits long for a place: whoever comes when all are
//! taken gets that of another client. First goes who has not yet greeted, then who asks for nothing or does not read what it asked for, and last who waits
//! for an answer, as a follower at the tip does; among equals the one for which that has lasted longest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// How long a client may take for what it is at before another may get its place, and how long places are all taken before no client may take that long.
const GRACE: Duration = Duration::from_millis(200);

/// How long a client may take all the same.
const GRACE_LEAST: Duration = Duration::from_millis(20);

/// What a client is at, in the order in which clients make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It has not yet said what it wants here.
    Greeting,
    /// It asks for nothing, or does not read what it asked for.
    Silent,
    /// It waits for an answer.
    Served,
}

/// How a client stands. Bytes of half a message change nothing here, or one byte now and then would keep a place.
#[derive(Clone, Copy, Debug)]
struct Standing {
    greeted: bool,
    /// Messages that are being answered.
    serving: u32,
    /// Whether an answer is being written.
    writing: bool,
    since: Instant,
    leaving: bool,
}

impl Standing {
    fn new() -> Self {
        Self {
            greeted: false,
            serving: 0,
            writing: false,
            since: Instant::now(),
            leaving: false,
        }
    }

    fn stage(&self) -> Stage {
        match (self.greeted, self.writing, self.serving) {
            (false, _, _) => Stage::Greeting,
            (true, true, _) | (true, false, 0) => Stage::Silent,
            (true, false, _) => Stage::Served,
        }
    }
}

#[derive(Debug)]
struct Seat {
    standing: Mutex<Standing>,
    leave: Notify,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) {
        let mut standing = self.lock();
        change(&mut standing);
        standing.since = Instant::now();
    }
}

/// The places of one socket.
#[derive(Debug)]
pub(crate) struct Places {
    maximum: usize,
    seats: Mutex<Seats>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Arc<Seat>>,
    /// Since when whoever comes finds all taken.
    crowded: Option<Instant>,
}

impl Places {
    /// So many places, all free.
    pub(crate) fn new(maximum: usize) -> Arc<Self> {
        Arc::new(Self {
            maximum,
            seats: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for somebody who has just come. One task at a time may ask.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        let mut has_waited = false;
        loop {
            let freed = self.freed.notified();
            match self.try_take(has_waited) {
                Ok(place) => return place,
                Err(until) => {
                    has_waited = true;
                    // Whether somebody left or the time is up, the next look tells.
                    let _ = timeout_at(until, freed).await;
                }
            }
        }
    }

    /// A place, or until when to wait for one.
    fn try_take(self: &Arc<Self>, has_waited: bool) -> Result<Place, Instant> {
        let mut seats = self.lock();
        let now = Instant::now();
        if seats.taken.len() < self.maximum {
            seats.crowded = seats.crowded.filter(|_| has_waited);
            return Ok(self.seated(&mut seats));
        }
        let crowded = *seats.crowded.get_or_insert(now);
        let standing = seats.taken.iter();
        let standing = standing.map(|(number, seat)| (*number, *seat.lock()));
        let number = to_displace(standing, crowded, now)?;
        if let Some(seat) = seats.taken.get(&number) {
            seat.lock().leaving = true;
            seat.leave.notify_one();
        }
        Err(now + GRACE)
    }

    fn seated(self: &Arc<Self>, seats: &mut Seats) -> Place {
        let number = seats.next;
        seats.next = number.wrapping_add(1);
        let seat = Arc::new(Seat {
            standing: Mutex::new(Standing::new()),
            leave: Notify::new(),
        });
        seats.taken.insert(number, Arc::clone(&seat));
        let places = Arc::clone(self);
        Place {
            number,
            seat,
            places,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is to make room now, or when to look again.
fn to_displace(
    seats: impl Iterator<Item = (u64, Standing)> + Clone,
    crowded: Instant,
    now: Instant,
) -> Result<u64, Instant> {
    if seats.clone().any(|(_, standing)| standing.leaving) {
        return Err(now + GRACE);
    }
    let first = seats.min_by_key(|(number, standing)| (standing.stage(), standing.since, *number));
    let Some((number, standing)) = first else {
        return Err(now + GRACE);
    };
    let since = standing.since;
    let due = (since.min(crowded) + GRACE).max(since + GRACE_LEAST);
    if due <= now { Ok(number) } else { Err(due) }
}

/// A client's place; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    seat: Arc<Seat>,
    places: Arc<Places>,
}

impl Place {
    /// The client has said what it wants here.
    pub(crate) fn greeted(&self) {
        self.seat.change(|standing| standing.greeted = true);
    }

    /// A message of the client's is being answered until what this gives is dropped.
    pub(crate) fn serving(&self) -> Serving<'_> {
        let more = |standing: &mut Standing| standing.serving = standing.serving.saturating_add(1);
        self.seat.change(more);
        Serving(self)
    }

    /// Something is being written to the client, or has been.
    pub(crate) fn writing(&self, writing: bool) {
        self.seat.change(|standing| standing.writing = writing);
    }

    /// How many places there are.
    pub(crate) fn of(&self) -> usize {
        self.places.maximum
    }

    /// Ends when the client must make room; for how long it had been at what it was at, in milliseconds.
    pub(crate) async fn displaced(&self) -> u64 {
        self.seat.leave.notified().await;
        let idle = self.seat.lock().since.elapsed();
        u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.number);
        self.places.freed.notify_one();
    }
}

/// A message that is being answered.
#[derive(Debug)]
pub(crate) struct Serving<'a>(&'a Place);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let fewer = |standing: &mut Standing| standing.serving = standing.serving.saturating_sub(1);
        self.0.seat.change(fewer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many milliseconds after a beginning.
    fn at(beginning: Instant, ms: u64) -> Instant {
        beginning + Duration::from_millis(ms)
    }

    fn standing(since: Instant, greeted: bool, writing: bool, serving: u32) -> Standing {
        Standing {
            greeted,
            serving,
            writing,
            since,
            leaving: false,
        }
    }

    #[test]
    fn who_has_said_least_for_longest_makes_room_first() {
        let t = Instant::now();
        let greeting = |ms| standing(at(t, ms), false, false, 0);
        let silent = |ms| standing(at(t, ms), true, false, 0);
        let unread = |ms| standing(at(t, ms), true, true, 1);
        let served = |ms| standing(at(t, ms), true, false, 1);
        for (seats, expected) in [
            (vec![served(0), silent(5), greeting(9)], 2),
            (vec![served(0), silent(5), greeting(9), greeting(8)], 3),
            (vec![served(0), silent(5), unread(4)], 2),
            (vec![served(1), served(0), served(2)], 1),
            (vec![silent(7), silent(7)], 0),
        ] {
            let seats = (0..).zip(seats);
            let now = at(t, 10_000);
            assert_eq!(to_displace(seats, now, now), Ok(expected));
        }
    }

    #[test]
    fn in_a_crowd_a_clients_time_is_shorter_and_it_has_some() {
        let t = Instant::now();
        let seats = |since| [(7, standing(at(t, since), false, false, 0))].into_iter();
        for (since, crowded, due) in [(100, 300, 300), (300, 100, 320), (500, 100, 520)] {
            let (crowded, due) = (at(t, crowded), at(t, due));
            let before = due - Duration::from_millis(1);
            assert_eq!(to_displace(seats(since), crowded, before), Err(due));
            assert_eq!(to_displace(seats(since), crowded, due), Ok(7));
        }
    }

    #[test]
    fn one_at_a_time_makes_room() {
        let t = Instant::now();
        let leaving = Standing {
            leaving: true,
            ..standing(t, true, false, 1)
        };
        let seats = [(0, leaving), (1, standing(t, false, false, 0))].into_iter();
        let now = at(t, 10_000);
        assert_eq!(to_displace(seats, t, now), Err(now + GRACE));
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_client_is_gone() {
        let places = Places::new(1);
        let first = places.take().await;
        first.greeted();
        let (second, ()) = tokio::join!(places.take(), async {
            first.displaced().await;
            drop(first);
        });
        assert_eq!((second.number, places.lock().taken.len()), (1, 1));
        drop(second);
        assert_eq!(places.lock().taken.len(), 0);
    }
}
