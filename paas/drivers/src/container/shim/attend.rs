//! What a shim does while its container runs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::start::Running;
use crate::driver::Exit;

/// Output is taken in windows of this length, …
const WINDOW: Duration = Duration::from_millis(100);
/// … of at most this many bytes each. A container that writes faster waits: the shim's CPU is not on its bill.
const WINDOW_BYTES: usize = 1 << 20;
/// How long output of an ended container is waited for: a process outside may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Attends the container until it has ended, and notes how.
pub(super) fn attend(mut running: Running) -> ExitCode {
    let orphaned = serve(&mut running);
    let exit = reap(&running);
    let last = Instant::now() + LAST_WORDS;
    while readable(
        &running.output,
        last.saturating_duration_since(Instant::now()),
    ) && matches!(pump(&mut running), Ok(1..))
    {}
    if orphaned {
        // Nobody is left to remove it.
        let _ = running.group.kill().and_then(|()| running.group.remove());
    }
    match note(&running, exit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Moves output until the first process has ended. Returns whether the agent ended before.
fn serve(running: &mut Running) -> bool {
    let mut window = Instant::now();
    let mut taken = 0usize;
    let mut output_open = true;
    let mut orphaned = false;
    loop {
        if window.elapsed() >= WINDOW {
            (window, taken) = (Instant::now(), 0);
        }
        let listening = output_open && taken < WINDOW_BYTES;
        let mut fds = vec![PollFd::new(&running.init, PollFlags::IN)];
        if let (Some(agent), false) = (&running.agent, orphaned) {
            fds.push(PollFd::new(agent, PollFlags::IN));
        }
        if listening {
            fds.push(PollFd::new(&running.output, PollFlags::IN));
        }
        let patience =
            (output_open && !listening).then(|| timespec(WINDOW.saturating_sub(window.elapsed())));
        if poll(&mut fds, patience.as_ref()).is_err() {
            continue;
        }
        let events: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if events[0] {
            return orphaned;
        }
        if running.agent.is_some() && !orphaned && events[1] {
            orphaned = true;
            let _ = running.group.kill();
        }
        if listening && events[events.len() - 1] {
            match pump(running) {
                Ok(count @ 1..) => taken = taken.saturating_add(count),
                _ => output_open = false,
            }
        }
    }
}

/// Moves one buffer of output to the log. Returns how much; 0 at its end.
fn pump(running: &mut Running) -> io::Result<usize> {
    let mut buffer = [0u8; WINDOW_BYTES / 16];
    let count = running.output.read(&mut buffer)?;
    // A full disk costs the tenant output; it must not cost them the container.
    let _ = running.log.write(&buffer[..count]);
    Ok(count)
}

fn reap(running: &Running) -> Exit {
    let oom_kills = running
        .group
        .usage()
        .map(|usage| usage.oom_kills)
        .unwrap_or(0);
    let (code, signal) = loop {
        match waitpid(Pid::from_raw(running.pid), None) {
            Ok(WaitStatus::Exited(_, code)) => break (Some(code), None),
            Ok(WaitStatus::Signaled(_, signal, _)) => break (None, Some(signal as i32)),
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => break (None, None),
        }
    };
    Exit {
        code,
        signal,
        oom_kills,
    }
}

fn note(running: &Running, exit: Exit) -> io::Result<()> {
    failpoint!("shim-reaped");
    let unfinished = running.paths.folder().join("exit.unfinished");
    fs::write(&unfinished, serde_json::to_vec(&exit)?)?;
    failpoint!("shim-exit-written");
    fs::rename(unfinished, running.paths.exit())?;
    failpoint!("shim-exit-noted");
    Ok(())
}

fn readable(file: &File, patience: Duration) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&timespec(patience))), Ok(1..))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: duration.subsec_nanos().into(),
    }
}
