//! The demo under `kill -9`: any process or all of them, at moments that a seed draws over the whole story, started again as they were; and now and then a person's client
//! in the middle of its command ([`super::person`]). What the story promises must come true all the same.
//!
//! A part of the story ends once what it tells came true and once everything that was drawn for it is done: no machine is so fast that a part ends before its kills.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::report;
use crate::{
    error::{CliError, Exit, Outcome},
    processes::{Processes, not_interrupted},
};

/// One kill in so many takes all processes at once.
const ALL_IN: u32 = 5;
/// The relayer's place among the processes: the devnet and four validators were started before it.
const RELAYER: usize = 5;
/// How often it is looked whether somebody asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A part of the story, which is a chapter or what is left of one.
struct Part {
    chapter: usize,
    /// How many kills it has at least.
    kills_min: usize,
    /// Within which time after its beginning they come, in ms: less than it takes.
    within_ms: u64,
}

/// The withdrawal's chapter. Its part begins when the chain has the withdrawal.
pub(super) const WITHDRAWAL: usize = 10;

/// From the first deposit on: before, nobody was promised anything. Most kills are where money could move twice.
static PARTS: [Part; 8] = [
    part(4, 3, 12_000),
    part(5, 1, 3_000),
    part(6, 1, 2_500),
    part(7, 1, 2_500),
    part(8, 1, 1_500),
    part(9, 3, 34_000),
    part(WITHDRAWAL, 5, 13_000),
    part(11, 1, 3_000),
];

const fn part(chapter: usize, kills_min: usize, within_ms: u64) -> Part {
    Part {
        chapter,
        kills_min,
        within_ms,
    }
}

/// Whom one kill takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    All,
    /// Who pays withdrawals.
    Relayer,
    /// One of them, by lot.
    One(u32),
}

/// A kill as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Planned {
    chapter: usize,
    after_ms: u64,
    whom: Whom,
}

impl Planned {
    /// Places among so many processes.
    fn chosen(&self, count: usize) -> Vec<usize> {
        match self.whom {
            Whom::All => (0..count).collect(),
            Whom::Relayer => vec![RELAYER],
            Whom::One(lot) => vec![usize::try_from(lot).unwrap_or(0) % count.max(1)],
        }
    }
}

/// Draws `kills` kills, or as many more as the parts have at least; in the order of the story.
fn draw(random: &mut StdRng, kills: usize) -> Vec<Planned> {
    let least = PARTS
        .iter()
        .flat_map(|part| (0..part.kills_min).map(move |_| part));
    let mut parts: Vec<&Part> = least.collect();
    let whole_ms: u64 = PARTS.iter().map(|part| part.within_ms).sum();
    while parts.len() < kills {
        parts.push(part_at(random.gen_range(0..whole_ms)));
    }
    let mut drawn = |part: &Part| Planned {
        chapter: part.chapter,
        after_ms: random.gen_range(0..part.within_ms),
        whom: match random.gen_ratio(1, ALL_IN) {
            true => Whom::All,
            false => Whom::One(random.next_u32()),
        },
    };
    let mut plan: Vec<Planned> = parts.into_iter().map(&mut drawn).collect();
    plan.sort_by_key(|kill| (kill.chapter, kill.after_ms));
    // Who pays is not left to the lot.
    let mut paying = plan.iter_mut().filter(|kill| kill.chapter == WITHDRAWAL);
    let which = random.gen_range(0..3);
    if let Some(kill) = paying.nth(which) {
        kill.whom = Whom::Relayer;
    }
    plan
}

/// The part in which a moment of the whole lies, so that longer ones get more.
fn part_at(mut ms: u64) -> &'static Part {
    let [first, rest @ ..] = &PARTS;
    let mut found = first;
    for part in rest {
        if ms < found.within_ms {
            break;
        }
        ms -= found.within_ms;
        found = part;
    }
    found
}

/// After which time a client is killed, by chapter: after its command was given, for the withdrawal after the chain has it.
#[derive(Clone, Copy)]
pub(super) struct Cuts {
    pub(super) deposit: Duration,
    pub(super) attend: Duration,
    pub(super) withdrawal: Duration,
}

impl Cuts {
    fn draw(random: &mut StdRng) -> Self {
        let mut within = |ms: std::ops::Range<u64>| Duration::from_millis(random.gen_range(ms));
        Cuts {
            deposit: within(100..9_000),
            attend: within(500..5_000),
            withdrawal: within(0..9_000),
        }
    }
}

/// Begins parts of the story; each once.
#[derive(Clone)]
pub(super) struct Beginner {
    begun: Arc<Mutex<BTreeSet<usize>>>,
    begin: mpsc::Sender<usize>,
}

impl Beginner {
    /// From now on the kills of this part are done. Whether it had not begun yet.
    pub(super) fn begins(&self, chapter: usize) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = begun.insert(chapter);
        if is_new {
            let _ = self.begin.send(chapter);
        }
        is_new
    }
}

/// What was done in a part.
struct Done {
    began: Instant,
    kills: Vec<(Instant, Vec<String>)>,
}

/// Kills, part by part.
pub(super) struct Havoc {
    seed: u64,
    pub(super) cuts: Cuts,
    beginner: Beginner,
    done: mpsc::Receiver<Outcome<Done>>,
    /// What was done so far.
    parts: Vec<(usize, Done)>,
}

impl Havoc {
    /// Draws `kills` kills by this seed. Each is told when it is done.
    pub(super) fn begin(
        running: Processes,
        seed: u64,
        kills: u32,
        tell: impl Fn(String) + Send + 'static,
    ) -> Self {
        let (begin, begun) = mpsc::channel();
        let (finish, done) = mpsc::channel();
        let mut random = StdRng::seed_from_u64(seed);
        let plan = draw(&mut random, usize::try_from(kills).unwrap_or(0));
        let cuts = Cuts::draw(&mut random);
        std::thread::spawn(move || {
            for chapter in begun {
                let planned = plan.iter().filter(|kill| kill.chapter == chapter);
                let _ = finish.send(kill(&running, planned, &tell));
            }
            drop(running);
            // Processes end with the thread that started them (prctl(2), PR_SET_PDEATHSIG): this one stays.
            loop {
                std::thread::park();
            }
        });
        let beginner = Beginner {
            begun: Arc::default(),
            begin,
        };
        Havoc {
            seed,
            cuts,
            beginner,
            done,
            parts: Vec::new(),
        }
    }

    /// What begins parts.
    pub(super) fn beginner(&self) -> Beginner {
        self.beginner.clone()
    }

    /// Waits until everything that was drawn for this part is done; one that has not begun begins now.
    pub(super) fn part_ends(&mut self, chapter: usize) -> Outcome<()> {
        self.beginner.begins(chapter);
        loop {
            not_interrupted()?;
            match self.done.recv_timeout(LOOK_EVERY) {
                Ok(done) => return done.map(|done| self.parts.push((chapter, done))),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(CliError::new(Exit::Unexpected, "nobody kills any more"));
                }
            }
        }
    }

    /// How many kills there were.
    pub(super) fn kills(&self) -> usize {
        self.parts.iter().map(|(_, done)| done.kills.len()).sum()
    }

    /// What is reported, with times since `started`.
    pub(super) fn report(
        self,
        started: Instant,
        clients: Vec<report::ClientKill>,
    ) -> report::Havoc {
        let since = |at: Instant| at.saturating_duration_since(started).as_secs_f64();
        let mut reported = report::Havoc {
            seed: self.seed,
            clients,
            ..report::Havoc::default()
        };
        for (chapter, done) in self.parts {
            if chapter == WITHDRAWAL {
                reported.withdrawal_ordered_s = since(done.began);
            }
            let kills = done.kills.into_iter().map(|(at, killed)| report::Kill {
                chapter,
                at_s: since(at),
                killed,
            });
            reported.kills.extend(kills);
        }
        reported
    }
}

/// Does what was drawn for one part.
fn kill<'a>(
    running: &Processes,
    planned: impl Iterator<Item = &'a Planned>,
    tell: &impl Fn(String),
) -> Outcome<Done> {
    let began = Instant::now();
    let mut kills = Vec::new();
    for kill in planned {
        let due = began + Duration::from_millis(kill.after_ms);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let at = Instant::now();
        let killed = running.kill_and_restart(&kill.chosen(running.count()))?;
        tell(format!("killed and started again: {}", killed.join(", ")));
        kills.push((at, killed));
    }
    Ok(Done { began, kills })
}

#[cfg(test)]
mod tests {
    use super::{super::teller::CHAPTERS, *};

    const KILLS: usize = 20;

    fn plan(seed: u64) -> Vec<Planned> {
        draw(&mut StdRng::seed_from_u64(seed), KILLS)
    }

    #[test]
    fn every_seed_has_twenty_kills_and_each_part_its_least() {
        for seed in 0..500 {
            let plan = plan(seed);
            assert_eq!(plan.len(), KILLS, "seed {seed}");
            for part in &PARTS {
                let kills = plan.iter().filter(|kill| kill.chapter == part.chapter);
                assert!(kills.clone().count() >= part.kills_min, "seed {seed}");
                assert!(kills.clone().all(|kill| kill.after_ms < part.within_ms));
            }
            let mut paying = plan.iter().filter(|kill| kill.chapter == WITHDRAWAL);
            assert!(paying.any(|kill| kill.whom == Whom::Relayer), "seed {seed}");
        }
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_draws_otherwise() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn parts_are_chapters_in_the_order_of_the_story_and_the_last_has_one() {
        let chapters: Vec<usize> = PARTS.iter().map(|part| part.chapter).collect();
        assert_eq!(chapters, (4..=CHAPTERS.len()).collect::<Vec<_>>());
        assert_eq!(CHAPTERS[WITHDRAWAL - 1].0, "withdrawal");
        for (ms, chapter) in [
            (0, 4),
            (11_999, 4),
            (12_000, 5),
            (71_499, 11),
            (900_000, 11),
        ] {
            assert_eq!(part_at(ms).chapter, chapter, "{ms}");
        }
    }

    #[test]
    fn whoever_is_drawn_is_there() {
        let planned = |whom| Planned {
            chapter: 4,
            after_ms: 0,
            whom,
        };
        assert_eq!(planned(Whom::All).chosen(3), [0, 1, 2]);
        assert_eq!(planned(Whom::One(7)).chosen(6), [1]);
        assert_eq!(planned(Whom::One(7)).chosen(0), [0]);
        assert_eq!(planned(Whom::Relayer).chosen(7), [5]);
    }
}
