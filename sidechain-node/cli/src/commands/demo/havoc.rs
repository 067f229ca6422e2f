//! The demo under `kill -9`: any process or all of them, at random moments, started again as they were. What the story promises must
//! come true all the same.

use std::{sync::mpsc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{error::Outcome, processes::Processes};

/// Between one kill and the next.
const PAUSE_MS: std::ops::Range<u64> = 1_000..4_000;
/// One kill in so many takes all processes at once.
const ALL_IN: u32 = 5;

/// Kills until it is ended.
pub(super) struct Havoc {
    stop: mpsc::Sender<()>,
    done: mpsc::Receiver<Outcome<u32>>,
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
        let (told, done) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = told.send(kill(&running, seed, kills, &stopped, &tell));
            drop(running);
            // Processes end with the thread that started them (prctl(2), PR_SET_PDEATHSIG): this one stays.
            loop {
                std::thread::park();
            }
        });
        Havoc { stop, done }
    }

    /// Ends it; how often it killed.
    pub(super) fn end(self) -> Outcome<u32> {
        let _ = self.stop.send(());
        self.done.recv().unwrap_or(Ok(0))
    }
}

fn kill(
    running: &Processes,
    seed: u64,
    kills: u32,
    stopped: &mpsc::Receiver<()>,
    tell: &impl Fn(String),
) -> Outcome<u32> {
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
        let named = running.kill_and_restart(&chosen)?;
        tell(format!("killed and started again: {}", named.join(", ")));
    }
    Ok(kills)
}
