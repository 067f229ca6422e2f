//! The log of a process that another one started: a file that is begun anew when it is full, with the one before kept beside it.
//!
//! The process itself sees to that, by rename(2) and dup2(2): nothing that is written is lost between, and no pipe fills while whoever started it stands
//! still. It holds for whatever is written to standard output and error, a panic's last words included.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::stat::fstat,
    unistd::{dup2_stderr, dup2_stdout},
};

/// Names the file that whoever started this process gave it as standard output and error.
const FILE: &str = "NUPEER_INTERNAL_LOG_FILE";
/// How long it may become, in bytes.
const BYTES_MAX: &str = "NUPEER_INTERNAL_LOG_BYTES_MAX";
/// How often its length is looked at: it grows over its bound by what is written meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What tells a process that `log` is its own, and how long it may become.
pub(crate) fn variables(log: &Path, bytes_max: u64) -> io::Result<[(&'static str, OsString); 2]> {
    let log = std::path::absolute(log)?.into_os_string();
    Ok([(FILE, log), (BYTES_MAX, bytes_max.to_string().into())])
}

/// Where the log before `log` is kept.
pub(crate) fn before(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// From now on this process keeps its log within its bounds, if it was given one.
pub(crate) fn keep_within_bounds() {
    let bytes_max = std::env::var(BYTES_MAX).ok();
    let bytes_max = bytes_max.and_then(|text| text.parse().ok());
    let (Some(log), Some(bytes_max)) = (std::env::var_os(FILE), bytes_max) else {
        return;
    };
    let keep = move || {
        loop {
            // A full disk, or a folder that is gone, is no reason to end: there is a next time.
            let _ = turn(log.as_ref(), bytes_max);
            std::thread::sleep(LOOK_EVERY);
        }
    };
    let _ = std::thread::Builder::new()
        .name("own-log".into())
        .spawn(keep);
}

fn turn(log: &Path, bytes_max: u64) -> io::Result<()> {
    if let Some(next) = next(io::stderr(), log, bytes_max)? {
        dup2_stdout(&next)?;
        dup2_stderr(&next)?;
    }
    Ok(())
}

/// The file to go on in, once the one that is written to is full; it is `log`, and what was written is beside it. None while it is not full, or where `log`
/// is another file than `written`: then it is somebody else's.
fn next(written: impl AsFd, log: &Path, bytes_max: u64) -> io::Result<Option<File>> {
    let own = fstat(written)?;
    if u64::try_from(own.st_size).is_ok_and(|bytes| bytes < bytes_max) {
        return Ok(None);
    }
    match fs::metadata(log) {
        Ok(there) if (there.dev(), there.ino()) != (own.st_dev, own.st_ino) => return Ok(None),
        Ok(_) => fs::rename(log, before(log))?,
        // Somebody removed it, or an earlier turn ended half-way.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let next = OpenOptions::new().create(true).append(true).open(log)?;
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn opened(log: &Path) -> File {
        let mut options = OpenOptions::new();
        options.create(true).append(true).open(log).unwrap()
    }

    #[test]
    fn a_full_log_is_kept_beside_the_next_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("validator-0.log");
        let mut written = opened(&log);
        let mut lines = Vec::new();
        for number in 0..100 {
            let line = format!("line {number}\n");
            written.write_all(line.as_bytes()).unwrap();
            lines.push(line);
            if let Some(next) = next(&written, &log, 200).unwrap() {
                // What is written to the old one before the switch is in the one that is kept.
                written.write_all(b"late\n").unwrap();
                let kept = fs::read_to_string(before(&log)).unwrap();
                assert_eq!(kept, lines.concat() + "late\n");
                assert!(kept.len() < 250, "{}", kept.len());
                lines.clear();
                written = next;
            }
            assert_eq!(fs::read_to_string(&log).unwrap(), lines.concat());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_somebody_removed_is_begun_anew_and_somebody_elses_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut written = opened(&log);
        written.write_all(&[b'x'; 300]).unwrap();
        fs::remove_file(&log).unwrap();
        assert!(next(&written, &log, 200).unwrap().is_some());
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
        // `log` is another file now than the one that is full.
        assert!(next(&written, &log, 200).unwrap().is_none());
        assert!(!before(&log).exists());
    }
}
