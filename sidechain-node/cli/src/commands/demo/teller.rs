//! How the demo tells of itself: a line for each step, and while something takes long, what is being waited for. On a terminal
//! that line moves; elsewhere one comes every few seconds, so that nothing is silent for long.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::output::Printer;

/// The chapters, and how long each takes on an idle machine of two cores, in seconds.
pub(super) const CHAPTERS: [(&str, u64); 11] = [
    ("Cardano devnet", 4),
    ("contracts", 2),
    ("validators", 3),
    ("deposits", 14),
    ("lost deposit", 4),
    ("machine", 3),
    ("order", 4),
    ("workload", 2),
    ("settlement", 38),
    ("withdrawal", 18),
    ("balance", 14),
];

/// How often it is looked whether there is something to tell.
const TICK: Duration = Duration::from_millis(200);
/// How long a terminal's line stands still at most.
const MOVES_EVERY: Duration = Duration::from_millis(900);
/// How long it is silent at most where no line moves.
const SILENT_MAX: Duration = Duration::from_millis(4_500);
/// Characters of a line that are for what is told.
const WORDS: usize = 43;

/// Tells. Copies tell together.
#[derive(Clone)]
pub(super) struct Teller {
    printer: Printer,
    now: Arc<Mutex<Now>>,
}

struct Now {
    /// Of the chapters, from 1; 0 before the first.
    chapter: usize,
    started: Instant,
    /// What is being waited for.
    doing: String,
    told: Instant,
    over: bool,
}

impl Teller {
    /// Tells until [`Teller::end`].
    pub(super) fn begin(printer: &Printer) -> Self {
        let now = Now {
            chapter: 0,
            started: Instant::now(),
            doing: String::new(),
            told: Instant::now(),
            over: false,
        };
        let teller = Teller {
            printer: printer.clone(),
            now: Arc::new(Mutex::new(now)),
        };
        let ticking = teller.clone();
        std::thread::spawn(move || {
            while ticking.tick() {
                std::thread::sleep(TICK);
            }
        });
        teller
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the next chapter.
    pub(super) fn chapter(&self) {
        let mut now = self.now();
        now.chapter += 1;
        now.started = Instant::now();
        now.doing.clear();
    }

    /// What is being waited for from now on.
    pub(super) fn doing(&self, what: &str) {
        self.now().doing = what.to_owned();
    }

    /// Something on the way.
    pub(super) fn going(&self, what: &str) {
        self.line("..", what);
    }

    /// The end of the chapter.
    pub(super) fn done(&self, what: &str) {
        self.line("ok", what);
    }

    /// A line that belongs to no chapter.
    pub(super) fn aside(&self, line: &str) {
        self.now().told = Instant::now();
        self.printer.note(line);
    }

    /// From now on nothing is told by itself.
    pub(super) fn end(&self) {
        self.now().over = true;
    }

    fn line(&self, mark: &str, what: &str) {
        let mut now = self.now();
        now.told = Instant::now();
        self.printer.note(&now.shown(mark, what));
    }

    /// Tells what is being waited for, if it is time to. Whether to go on.
    fn tick(&self) -> bool {
        let mut now = self.now();
        let silent = match self.printer.moves() {
            true => MOVES_EVERY,
            false => SILENT_MAX,
        };
        if !now.over && now.chapter > 0 && now.told.elapsed() >= silent {
            let line = now.shown("..", &now.waiting());
            self.printer.moving(&line);
            now.told = Instant::now();
        }
        !now.over
    }
}

impl Now {
    fn shown(&self, mark: &str, what: &str) -> String {
        let seconds = self.started.elapsed().as_secs_f32();
        let place = self.chapter.saturating_sub(1).min(CHAPTERS.len() - 1);
        let (name, _) = CHAPTERS[place];
        let number = format!("[{}/{}]", self.chapter, CHAPTERS.len());
        format!("{number:<7} {name:<14} {mark}   {what:<WORDS$} {seconds:>5.1} s")
    }

    /// What is being waited for, and how long it usually takes yet.
    fn waiting(&self) -> String {
        let place = self.chapter.saturating_sub(1).min(CHAPTERS.len() - 1);
        let (_, usual) = CHAPTERS[place];
        waiting(&self.doing, self.started.elapsed().as_secs(), usual)
    }
}

fn waiting(doing: &str, elapsed_s: u64, usual_s: u64) -> String {
    let doing = if doing.is_empty() { "going on" } else { doing };
    let more = usual_s.saturating_sub(elapsed_s);
    let fits = |text: &String| text.chars().count() <= WORDS;
    let expected = [
        format!("{doing}, about {more} s more"),
        format!("{doing}, {more} s"),
    ];
    match doing.contains("about ") || more == 0 {
        true => None,
        false => expected.into_iter().find(fits),
    }
    .unwrap_or_else(|| doing.chars().take(WORDS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_fits_and_says_how_long() {
        assert_eq!(waiting("the end", 3, 10), "the end, about 7 s more");
        assert_eq!(waiting("the end", 10, 10), "the end");
        assert_eq!(waiting("", 12, 10), "going on");
        assert_eq!(
            waiting("4 of 12, about 8 s more", 1, 99),
            "4 of 12, about 8 s more"
        );
        let thirty = "x".repeat(30);
        assert_eq!(waiting(&thirty, 1, 10), format!("{thirty}, 9 s"));
        assert_eq!(waiting(&"x".repeat(80), 1, 10), "x".repeat(WORDS));
    }

    #[test]
    fn every_line_fits_eighty_columns() {
        for chapter in 1..=CHAPTERS.len() {
            let now = Now {
                chapter,
                started: Instant::now(),
                doing: "x".repeat(80),
                told: Instant::now(),
                over: false,
            };
            let line = now.shown("..", &now.waiting());
            assert!(line.chars().count() < 80, "{line}");
        }
    }
}
