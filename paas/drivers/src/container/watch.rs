//! Who attends a container, told by a lock that the kernel takes back when its holder dies.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, c_short, flock};
use serde::de::DeserializeOwned;

use super::cgroup::{Group, process};
use super::paths::Paths;
use super::shim::Init;

/// A lock over a whole file that belongs to its open file description (fcntl(2), `F_OFD_SETLK`): unlike the standard
/// library's, it can be asked about without being taken.
fn whole_file() -> flock {
    flock {
        l_type: F_WRLCK as c_short,
        l_whence: SEEK_SET as c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Holds the lock on `file` for as long as it is open. Returns whether it was free.
pub(super) fn hold(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a shim holds the lock of this container.
pub(super) fn is_attended(paths: &Paths) -> bool {
    let mut lock = whole_file();
    let asked = File::open(paths.lock())
        .is_ok_and(|file| fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)).is_ok());
    asked && lock.l_type != F_UNLCK as c_short
}

/// The shim that attends this container.
pub(super) fn attending(paths: &Paths) -> Option<OwnedFd> {
    let pid = fs::read_to_string(paths.lock()).ok()?.parse().ok()?;
    let shim = process(pid)?;
    // Checked after the handle was opened: while the lock is held, the number in it is the holder's.
    is_attended(paths).then_some(shim)
}

/// The container's first process, while it is in its cgroup.
pub(super) fn first_process(paths: &Paths, group: &Group) -> Option<OwnedFd> {
    let init: Init = read(&paths.init())?;
    let first = process(init.pid)?;
    group.processes().ok()?.contains(&init.pid).then_some(first)
}

/// A small JSON file of ours; none when it is absent or was cut off.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_while_it_is_held_and_asking_does_not_take_it() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths(folder.path().to_owned());
        assert!(!is_attended(&paths), "there is no file yet");
        let file = File::create(paths.lock()).unwrap();
        assert!(!is_attended(&paths));
        assert!(hold(&file).unwrap());
        assert!(is_attended(&paths) && is_attended(&paths));
        assert!(!hold(&File::create(paths.lock()).unwrap()).unwrap());
        drop(file);
        assert!(!is_attended(&paths));
    }
}
