//! The demo under `kill -9`: any process or all of them, at random moments, started again as they were. What the story promises must
//! come true all the same.

use std::{sync::mpsc, thread::JoinHandle, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{error::Outcome, processes::Processes};

/// Between one kill and the next.
const PAUSE_MS: std::ops::Range<u64> = 1_500..6_000;
/// One kill in so many takes all processes at once.
const ALL_IN: u32 = 5;

/// Kills until it is dropped.
pub(super) struct Havoc {
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<Outcome<u32>>>,
}

impl Havoc {
    /// Kills `kills` times, by this seed. Each is told.
    pub(super) fn begin(
        running: Processes,
        seed: u64,
        kills: u32,
        tell: impl Fn(String) + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut random = StdRng::seed_from_u64(seed);
            for done in 0..kills {
                let pause = Duration::from_millis(random.gen_range(PAUSE_MS));
                if stopped.recv_timeout(pause) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return Ok(done);
                }
                let count = running.count();
                let chosen: Vec<usize> = if random.gen_ratio(1, ALL_IN) {
                    (0..count).collect()
                } else {
                    vec![random.gen_range(0..count.max(1))]
                };
                let named = running.kill_and_restart(&chosen);
                tell(format!("killed and started again: {}", named?.join(", ")));
            }
            Ok(kills)
        });
        Havoc {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; how often it killed.
    pub(super) fn end(mut self) -> Outcome<u32> {
        let _ = self.stop.send(());
        let thread = self.thread.take().map(JoinHandle::join);
        match thread {
            Some(Ok(outcome)) => outcome,
            _ => Ok(0),
        }
    }
}

impl Drop for Havoc {
    fn drop(&mut self) {
        let _ = self.stop.send(());
    }
}
