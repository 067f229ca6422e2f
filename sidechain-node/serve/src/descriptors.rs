//! How many files this process may have open.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Open files that a process asks for; where the hard limit is lower, it is content with that. More than all bounds of node and agent come to, and few
/// enough for programs below us that walk through all descriptors.
pub const OPEN_FILES_WANTED: u64 = 65_536;

/// What is assumed where the kernel does not tell: the usual soft limit.
const OPEN_FILES_USUAL: u64 = 1024;

/// Raises the soft limit to [`OPEN_FILES_WANTED`] or the hard limit, whichever is lower; it is never lowered. Returns what holds now.
///
/// # Errors
/// The kernel refuses; what held before holds on.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(OPEN_FILES_WANTED);
    if soft >= wanted {
        return Ok(soft);
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    Ok(wanted)
}

/// Files that this process may have open now.
pub(crate) fn open_files_max() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(OPEN_FILES_USUAL, |(soft, _)| soft)
}
