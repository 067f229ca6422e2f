//! Keeping processes running: one that ends by itself is told and started again, the others go on meanwhile.

use std::time::{Duration, Instant};

use nupeer_primitives::{Code, Numbered};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Process, Processes,
    deaths::{DEATHS_MAX, WINDOW},
    not_interrupted,
};
use crate::{
    error::{CliError, Exit, Outcome},
    output::Printer,
};

/// How often processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What ends the keeping of a process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// It ended too often within a minute to be started again. The others go on.
    #[error("the {name} ended {deaths} times within {window_s} s and is not started again")]
    GivenUp {
        /// Which.
        name: String,
        /// How often it ended.
        deaths: usize,
        /// Within which time.
        window_s: u64,
    },
}

impl Numbered for KeepError {
    fn code(&self) -> Code {
        Code(match self {
            KeepError::GivenUp { .. } => 6300,
        })
    }
}

/// What a process that is to run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs, as far as was seen.
    Runs,
    /// It ended by itself, and is started again then.
    Rests(Instant),
    /// It ended too often.
    GivenUp,
}

/// What people are told of a process.
#[derive(Debug)]
enum News {
    Died(String),
    Started(String),
    GivenUp(CliError),
}

impl Processes {
    /// Until Ctrl-C or SIGTERM. Whatever ends by itself is told and started again, unless it ends too often; an error once nothing is left.
    pub(crate) fn run_until_asked(&self, printer: &Printer) -> Outcome<()> {
        let unexpected = |error: std::io::Error| CliError::new(Exit::Unexpected, error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.map_err(unexpected)?.block_on(async {
            // Each listens from here on: what comes while processes are tended is not lost.
            let mut interrupt = signal(SignalKind::interrupt()).map_err(unexpected)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(unexpected)?;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
                if not_interrupted().is_err() {
                    return Ok(());
                }
                self.tell(self.tend(Instant::now()), printer)?;
            }
        })
    }

    /// Tells what happened; the last one's end is the error with which all ends.
    fn tell(&self, news: Vec<News>, printer: &Printer) -> Outcome<()> {
        for news in news {
            match news {
                News::Died(text) | News::Started(text) => printer.note(&text),
                News::GivenUp(error) if self.is_any_left() => printer.error(&error),
                News::GivenUp(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_any_left(&self) -> bool {
        let all = self.all();
        all.iter().any(|process| process.state != State::GivenUp)
    }

    /// Looks at every process, and starts what is due.
    fn tend(&self, now: Instant) -> Vec<News> {
        let mut all = self.all();
        all.iter_mut()
            .filter_map(|process| process.tend(now))
            .collect()
    }
}

impl Process {
    fn tend(&mut self, now: Instant) -> Option<News> {
        match self.state {
            State::Runs => {
                let status = self.child.try_wait().ok()??;
                Some(self.died(now, self.ended(status)))
            }
            State::Rests(at) if at <= now => Some(match self.start_again(now) {
                Ok(()) => News::Started(format!("the {} is started again", self.launch.name)),
                Err(error) => self.died(now, error.what),
            }),
            State::Rests(_) | State::GivenUp => None,
        }
    }

    /// It ended as `what` tells, or could not be started.
    fn died(&mut self, now: Instant, what: String) -> News {
        let lived = now.saturating_duration_since(self.started);
        let Some(pause) = self.deaths.died(now, lived) else {
            self.state = State::GivenUp;
            return News::GivenUp(self.given_up(&what));
        };
        self.state = State::Rests(now + pause);
        let pause = pause.as_secs();
        News::Died(format!(
            "{what}\nit is started again in {pause} s; the others go on"
        ))
    }

    fn given_up(&self, what: &str) -> CliError {
        let error = CliError::numbered(
            Exit::Unexpected,
            &KeepError::GivenUp {
                name: self.launch.name.clone(),
                deaths: DEATHS_MAX,
                window_s: WINDOW.as_secs(),
            },
        );
        let what = format!("{}; the last time: {what}", error.what);
        CliError { what, ..error }
            .next(format!("{} tells more", self.launch.log.display()))
            .next("the others go on; when the cause is mended, end all (Ctrl-C) and start again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tends until something is told.
    fn next_news(running: &Processes, now: Instant) -> News {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(news) = running.tend(now).pop() {
                return news;
            }
            assert!(Instant::now() < end, "nothing happened");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_ends_is_started_again_after_longer_and_longer_pauses_and_given_up_at_last() {
        let folder = tempfile::tempdir().unwrap();
        let (running, log) = (Processes::new(1 << 20), folder.path().join("log"));
        // This test's own program, which does not know that flag and says so.
        let started = running.start("thing", &["--no-such-flag"], &[], &log);
        started.unwrap();
        let mut now = Instant::now();
        for pause_s in [1, 2, 4, 8] {
            let News::Died(text) = next_news(&running, now) else {
                panic!("it was not told")
            };
            for words in [
                "the thing ended by itself (exit status: ",
                "no-such-flag",
                &format!("it is started again in {pause_s} s"),
            ] {
                assert!(text.contains(words), "{words} in\n{text}");
            }
            let early = now + Duration::from_millis(pause_s * 1_000 - 1);
            assert!(running.tend(early).is_empty(), "it rests");
            now += Duration::from_secs(pause_s);
            assert!(matches!(next_news(&running, now), News::Started(_)));
        }
        let News::GivenUp(error) = next_news(&running, now) else {
            panic!("it was not given up")
        };
        assert_eq!(error.code.as_deref(), Some("NP6300"));
        let words = "the thing ended 5 times within 60 s and is not started again; the last time:";
        assert!(error.what.starts_with(words), "{}", error.what);
        assert!(error.what.contains("no-such-flag"), "{}", error.what);
        assert!(running.tend(now + Duration::from_secs(3_600)).is_empty());
        assert!(!running.is_any_left());
    }
}
