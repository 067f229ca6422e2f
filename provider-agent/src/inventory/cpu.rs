//! How fast the CPU is: a fixed amount of BLAKE2b by the wall clock, so that whatever else the machine does shows.

use std::thread;
use std::time::Instant;

use nupeer_primitives::blake2b_256;
use serde::{Deserialize, Serialize};

use super::{Effort, InventoryError, Samples};

/// Bytes hashed at a time: within the first-level cache of any CPU.
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// How fast it computes, in bytes of BLAKE2b-256 per second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSpeed {
    /// One thread alone.
    pub one_core: Samples,
    /// As many threads as there are cores, their bytes added up.
    pub all_cores: Samples,
    /// The end of the chain of hashes, which anyone can recompute: no work was left out.
    pub chain_end: String,
}

impl CpuSpeed {
    /// Measures one core, then `cores` at a time.
    pub(super) fn measure(cores: u32, effort: &Effort) -> Result<Self, InventoryError> {
        let (mut one_core, mut all_cores) = (Samples::default(), Samples::default());
        let mut chain_end = String::new();
        for _ in 0..effort.samples {
            chain_end = sample(1, effort.hashed_bytes, &mut one_core)?;
            sample(cores, effort.hashed_bytes, &mut all_cores)?;
        }
        Ok(CpuSpeed {
            one_core,
            all_cores,
            chain_end,
        })
    }
}

/// Hashes `bytes` on each of `threads` threads at once. Returns the end of their chain.
fn sample(threads: u32, bytes: u64, into: &mut Samples) -> Result<String, InventoryError> {
    let start = Instant::now();
    let (end, started) = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| thread::Builder::new().spawn_scoped(scope, || chain(bytes)))
            .collect();
        let mut end = Ok(String::new());
        for handle in handles {
            match handle {
                Ok(handle) => end = end.map(|_| handle.join().unwrap_or_default()),
                Err(source) => {
                    end = Err(InventoryError::Threads {
                        provided: threads,
                        source,
                    })
                }
            }
        }
        (end, threads)
    });
    into.push(bytes.saturating_mul(started.into()), start.elapsed());
    end
}

/// A chain of hashes over blocks that start with the hash before, so that no block can be hashed early or left out.
fn chain(bytes: u64) -> String {
    let mut block = vec![0u8; BLOCK_BYTES];
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        let hash = blake2b_256(&[&block]);
        block[..32].copy_from_slice(&hash.0);
    }
    block[..32]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_chain_is_the_same_on_every_machine() {
        assert_eq!(chain(0), "0".repeat(64));
        assert_eq!(
            chain(BLOCK_BYTES as u64),
            "087e8b8bdc8b93f4f83212c1d6c01af4c55d3c1d3412da45112e903df797c1cd"
        );
        assert_ne!(chain(2 * BLOCK_BYTES as u64), chain(BLOCK_BYTES as u64));
    }

    /// Threads for each core that keep it busy.
    const LOAD: usize = 12;
    /// Measurements of each kind.
    const ROUNDS: usize = 5;

    /// Runs `work` while every core is kept busy several times over.
    fn while_loaded<T>(cores: u32, work: impl FnOnce() -> T) -> T {
        let (stop, busy) = (
            AtomicBool::new(false),
            &Barrier::new(1 + LOAD * cores as usize),
        );
        let stop = &stop;
        thread::scope(|scope| {
            for _ in 0..LOAD * cores as usize {
                scope.spawn(move || {
                    busy.wait();
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::black_box(chain(BLOCK_BYTES as u64));
                    }
                });
            }
            busy.wait();
            let done = work();
            stop.store(true, Ordering::Relaxed);
            done
        })
    }

    #[test]
    fn a_busy_machine_measures_clearly_slower_than_an_idle_one() {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let effort = Effort {
            samples: 1,
            hashed_bytes: 16 << 20,
            ..Effort::default()
        };
        let measure = || CpuSpeed::measure(cores, &effort).unwrap();
        // In turns, so that what else runs on this machine meets both.
        let (idle, loaded): (Vec<_>, Vec<_>) = (0..ROUNDS)
            .map(|_| (measure(), while_loaded(cores, measure)))
            .unzip();
        // Twelve more threads per core leave a thirteenth of it. Whatever else runs meanwhile slows both down: of the idle ones, the one
        // that it spared most says how fast an idle machine is.
        for speed in [
            |measured: &CpuSpeed| measured.one_core.median(),
            |measured: &CpuSpeed| measured.all_cores.median(),
        ] {
            let best_idle = idle.iter().map(speed).max().unwrap();
            let mut under_load: Vec<u64> = loaded.iter().map(speed).collect();
            under_load.sort_unstable();
            assert!(
                under_load[ROUNDS / 2] * 4 < best_idle * 3,
                "{loaded:?} against {idle:?}"
            );
        }
        assert_eq!(loaded[0].chain_end, idle[0].chain_end);
    }
}
