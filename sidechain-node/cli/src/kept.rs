//! Files that people must not lose: wallets, session keys, what belongs to leases, which chain is meant. Each is there whole, or as it was before,
//! whatever happens; and once writing returns it is on the disk.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::error::{CliError, Exit, Outcome, file_error};

/// Writes a file that did not exist, for its owner's eyes.
pub(crate) fn create(path: &Path, text: &str) -> Outcome<()> {
    named_once(path, text.as_bytes()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(path),
        _ => file_error(path, &error),
    })
}

/// Refuses a place where something is, before anybody is asked for what would be written there.
pub(crate) fn not_there(path: &Path) -> Outcome<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(is_there(path)),
        Err(_) => Ok(()),
    }
}

fn is_there(path: &Path) -> CliError {
    let what = format!("{} exists and is never overwritten", path.display());
    CliError::new(Exit::Refused, what).next("name another file, or move that one away")
}

/// Writes a file anew, for its owner's eyes; its folder is made where it is missing.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder(path))?;
    let beside = written(path, bytes)?;
    fs::rename(&beside, path)?;
    point("kept-renamed");
    File::open(folder(path))?.sync_all()
}

/// The file beside `path` that has its whole name and `what` after it, so that no two files share one.
pub(crate) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

/// Reads a file with a secret in it, which nobody else may have been able to read; `next` is what to do where others were.
pub(crate) fn read_secret(path: &Path, next: &str) -> Outcome<Zeroizing<String>> {
    let failed = |error: io::Error| file_error(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        let what = format!("{path} has mode {mode:03o}, which lets others in");
        return Err(CliError::new(Exit::Key, what).next(next));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The whole content under the name at once, or nothing under it; never over another file.
fn named_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let beside = written(path, bytes)?;
    let linked = fs::hard_link(&beside, path);
    point("kept-linked");
    fs::remove_file(&beside)?;
    point("kept-alone");
    match linked {
        // A file system without second names.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => write(path, bytes, true)?,
        linked => linked?,
    }
    File::open(folder(path))?.sync_all()
}

/// The content in a file beside `path`, on the disk. One that an earlier process left there is written over.
fn written(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    point("kept-before-write");
    write(&beside, bytes, false)?;
    point("kept-written");
    Ok(beside)
}

fn write(path: &Path, bytes: &[u8], is_new: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    let mut file = if is_new {
        options.create_new(true).open(path)?
    } else {
        options.create(true).truncate(true).open(path)?
    };
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// A place between two effects, at which tests let the work end.
#[cfg(not(test))]
fn point(_: &'static str) {}
#[cfg(test)]
use tests::pass as point;

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind},
    };

    use super::*;

    /// Every place of this file; `points_are_those_of_the_source` holds it to that.
    pub(crate) const POINTS: [&str; 5] = [
        "kept-before-write",
        "kept-written",
        "kept-renamed",
        "kept-linked",
        "kept-alone",
    ];

    thread_local! {
        /// Where this thread's work is to end.
        static DIES_AT: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    pub(super) fn pass(name: &'static str) {
        if DIES_AT.get() == Some(name) {
            DIES_AT.set(None);
            panic!("died at {name}");
        }
    }

    /// Does `work` up to `point`; whether it came that far.
    pub(crate) fn dies_at(point: &'static str, work: impl FnOnce()) -> bool {
        DIES_AT.set(Some(point));
        let died = catch_unwind(AssertUnwindSafe(work)).is_err();
        DIES_AT.set(None);
        died
    }

    #[test]
    fn points_are_those_of_the_source() {
        let source = include_str!("kept.rs");
        let names = source.split("point(\"").skip(1);
        let mut found: Vec<&str> = names.filter_map(|rest| rest.split('"').next()).collect();
        found.retain(|name| name.starts_with("kept-"));
        found.sort_unstable();
        let mut named = POINTS.to_vec();
        named.sort_unstable();
        assert_eq!(found, named);
    }

    #[test]
    fn a_new_file_is_whole_or_absent_wherever_writing_ends() {
        let mut reached = 0;
        for point in POINTS {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("wallet.json");
            let died = dies_at(point, || create(&path, "the words").unwrap());
            reached += usize::from(died);
            match fs::read_to_string(&path) {
                Ok(text) => assert_eq!(text, "the words", "{point}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{point}");
                    create(&path, "other words").unwrap();
                }
            }
            let kept = fs::read_to_string(&path).unwrap();
            let again = create(&path, "third words").unwrap_err();
            assert_eq!(again.exit, Exit::Refused, "{point}");
            assert_eq!(fs::read_to_string(&path).unwrap(), kept, "{point}");
        }
        assert_eq!(reached, 4);
    }

    #[test]
    fn a_replaced_file_is_the_old_one_or_the_new_one_wherever_writing_ends() {
        let mut reached = 0;
        for point in POINTS {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("leases").join("lease.json");
            replace(&path, b"old").unwrap();
            let died = dies_at(point, || replace(&path, b"new").unwrap());
            reached += usize::from(died);
            let text = fs::read_to_string(&path).unwrap();
            let is_new = !died || point == "kept-renamed";
            assert_eq!(text, if is_new { "new" } else { "old" }, "{point}");
            replace(&path, b"newer").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "newer", "{point}");
        }
        assert_eq!(reached, 3);
    }
}
