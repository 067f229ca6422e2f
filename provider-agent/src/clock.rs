//! The machine's own time, as it goes on over restarts of the agent.

use std::fs;
use std::io;

use nix::libc::{CLOCK_MONOTONIC, clock_gettime, timespec};
use nupeer_primitives::{Hash, blake2b_256};

/// Names a boot of the machine, and measures time within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineClock {
    boot: Hash,
}

/// Where the kernel says which boot this is (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl MachineClock {
    /// The clock of this boot.
    ///
    /// # Errors
    /// The kernel does not name its boot.
    pub fn open() -> io::Result<Self> {
        let boot = blake2b_256(&[fs::read_to_string(BOOT_ID)?.trim().as_bytes()]);
        Ok(MachineClock { boot })
    }

    /// Which boot this is.
    pub fn boot(&self) -> Hash {
        self.boot
    }

    /// Time since some moment of this boot, in ms: the same for every process, never set back, and standing still while the
    /// machine sleeps (clock_gettime(2), `CLOCK_MONOTONIC`). The standard library has the same clock but lets nobody keep its value.
    #[allow(unsafe_code)]
    pub fn now_ms(&self) -> u64 {
        let mut time = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the kernel writes one `timespec`, to where one is.
        let done = unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
        if done != 0 {
            // Only for clocks that do not exist; standing still bills nothing.
            return 0;
        }
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        seconds.unwrap_or(0).saturating_mul(1_000) + nanos.unwrap_or(0) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_within_one_boot() {
        let clock = MachineClock::open().unwrap();
        let before = clock.now_ms();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(clock.now_ms() >= before + 19);
        assert_eq!(MachineClock::open().unwrap(), clock);
    }
}
