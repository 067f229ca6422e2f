//! Children that do not outlive a test, however it ends.

use std::{os::unix::process::CommandExt, process::Command};

use nix::sys::prctl;
pub use nix::sys::signal::Signal;

/// What `command` starts gets `signal` when the thread that starts it ends, be it by `kill -9`.
pub fn dies_with_us(command: &mut Command, signal: Signal) -> &mut Command {
    // SAFETY: one async-signal-safe system call between fork and exec.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || Ok(prctl::set_pdeathsig(signal)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Child, Stdio},
        thread,
    };

    use super::*;

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let started = thread::spawn(|| -> std::io::Result<Child> {
            // Reads until its input ends, which it never does: the other end is ours.
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped());
            dies_with_us(&mut command, Signal::SIGKILL).spawn()
        });
        let mut child = started.join().expect("no panic").expect("a child");
        // `wait` would close its input first.
        let input = child.stdin.take();
        let status = child.wait().expect("ends");
        drop(input);
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    }
}
