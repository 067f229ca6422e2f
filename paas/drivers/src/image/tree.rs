//! The root that an image is unpacked into. Every path is resolved by the kernel with `openat2`, beneath the root and
//! without following a single link, so that no entry can reach outside whatever earlier entries were.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstatat, mkdirat};
use nix::unistd::{Gid, LinkatFlags, Uid, fchownat, linkat, symlinkat};

use super::ImageError;
use super::entries::reading;
use super::path::shown;
use super::unpack::Ownership;

/// Who owns an entry, in the image's own numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) uid: u64,
    pub(super) gid: u64,
}

/// Root owns what the image does not speak of.
pub(super) const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// Permissions of directories that an image implies without naming them.
pub(super) const IMPLIED_MODE: u32 = 0o755;

/// An open root.
pub(super) struct Tree {
    root: OwnedFd,
    ownership: Ownership,
}

impl Tree {
    /// Opens the directory `path`.
    pub(super) fn open(path: &Path, ownership: Ownership) -> Result<Self, ImageError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(path, flags, Mode::empty())
            .map_err(|errno| ImageError::sys("opening the new root", errno))?;
        Ok(Tree { root, ownership })
    }

    /// A directory at `path`; one that is there stays and takes on mode and owner.
    pub(super) fn directory(&self, path: &Path, mode: u32, owner: Owner) -> Result<(), ImageError> {
        let (parent, name) = match self.parent(path)? {
            Some(found) => found,
            None => return self.dress(self.root.as_fd(), Path::new("."), mode, owner),
        };
        if !self.is_directory(&parent, name) {
            self.remove_at(&parent, name)?;
            mkdirat(&parent, name, Mode::from_bits_truncate(0o700)).map_err(making)?;
        }
        self.dress(parent.as_fd(), name, mode, owner)
    }

    /// A file at `path` with the bytes of `body`; what was there goes.
    pub(super) fn file(
        &self,
        path: &Path,
        mode: u32,
        owner: Owner,
        body: &mut impl Read,
    ) -> Result<u64, ImageError> {
        let (parent, name) = self.fresh(path)?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let how = OpenHow::new()
            .flags(flags)
            .mode(Mode::from_bits_truncate(0o600))
            .resolve(beneath());
        let mut file = File::from(openat2(&parent, name, how).map_err(making)?);
        let written = copy(body, &mut file)?;
        self.own(parent.as_fd(), name, owner)?;
        fchmod(&file, permissions(mode)).map_err(making)?;
        Ok(written)
    }

    /// A symbolic link at `path`; what was there goes.
    pub(super) fn symlink(
        &self,
        path: &Path,
        target: &[u8],
        owner: Owner,
    ) -> Result<(), ImageError> {
        let (parent, name) = self.fresh(path)?;
        symlinkat(target, &parent, name).map_err(making)?;
        self.own(parent.as_fd(), name, owner)
    }

    /// A second name at `path` for the file at `target`; what was at `path` goes.
    pub(super) fn hard_link(&self, path: &Path, target: &Path) -> Result<(), ImageError> {
        let refuse = || ImageError::HardLink {
            path: text(path),
            target: text(target),
        };
        let (from, file) = self.existing_parent(target)?.ok_or_else(refuse)?;
        let stat = stat(&from, file).ok_or_else(refuse)?;
        if kind(&stat) != SFlag::S_IFREG || path == target {
            return Err(refuse());
        }
        let (parent, name) = self.fresh(path)?;
        // Making room for the new name may have removed the file it should name.
        linkat(&from, file, &parent, name, LinkatFlags::empty()).map_err(|errno| match errno {
            Errno::ENOENT => refuse(),
            errno => making(errno),
        })
    }

    /// Removes whatever is at `path`, if anything is.
    pub(super) fn remove(&self, path: &Path) -> Result<(), ImageError> {
        match self.existing_parent(path)? {
            Some((parent, name)) => self.remove_at(&parent, name),
            None => Ok(()),
        }
    }

    /// The names in the directory at `path`; none when there is no such directory.
    pub(super) fn names(&self, path: &Path) -> Result<Vec<PathBuf>, ImageError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let how = OpenHow::new().flags(flags).resolve(beneath());
        let directory = match openat2(&self.root, non_empty(path), how) {
            Ok(directory) => directory,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(Vec::new()),
            Err(errno) => return Err(ImageError::sys("reading a directory", errno)),
        };
        let read = |error| ImageError::io("reading a directory", error);
        let mut names = Vec::new();
        for entry in fs::read_dir(own_path(&directory)).map_err(read)? {
            names.push(PathBuf::from(entry.map_err(read)?.file_name()));
        }
        Ok(names)
    }

    /// Whether a directory, and no link to one, is at `path`.
    pub(super) fn has_directory(&self, path: &Path) -> Result<bool, ImageError> {
        Ok(self
            .existing_parent(path)?
            .is_some_and(|(parent, name)| self.is_directory(&parent, name)))
    }

    /// Whether anything is at `path`.
    pub(super) fn exists(&self, path: &Path) -> Result<bool, ImageError> {
        Ok(self
            .existing_parent(path)?
            .is_some_and(|(parent, name)| stat(&parent, name).is_some()))
    }

    /// The first `bytes_max` bytes of the file at `path`; none when there is no such file.
    pub(super) fn read(&self, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, ImageError> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .resolve(beneath());
        let file = match openat2(&self.root, path, how) {
            Ok(file) => File::from(file),
            Err(_) => return Ok(None),
        };
        let mut bytes = Vec::new();
        file.take(bytes_max)
            .read_to_end(&mut bytes)
            .map_err(|error| ImageError::io("reading a file", error))?;
        Ok(Some(bytes))
    }

    /// The parent directory of `path`, made where it is missing, and the last name; none for the root itself.
    fn parent<'p>(&self, path: &'p Path) -> Result<Option<(OwnedFd, &'p Path)>, ImageError> {
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        let above = path.parent().unwrap_or(Path::new(""));
        let parent = match self.open_directory(above) {
            Err(Errno::ENOENT) => {
                self.directory(above, IMPLIED_MODE, ROOT)?;
                self.open_directory(above)
            }
            found => found,
        };
        Ok(Some((
            parent.map_err(|errno| through(path, errno))?,
            Path::new(name),
        )))
    }

    /// As [`Tree::parent`], without making anything; none when a directory on the way is missing.
    fn existing_parent<'p>(
        &self,
        path: &'p Path,
    ) -> Result<Option<(OwnedFd, &'p Path)>, ImageError> {
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        match self.open_directory(path.parent().unwrap_or(Path::new(""))) {
            Ok(parent) => Ok(Some((parent, Path::new(name)))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(through(path, errno)),
        }
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat2(
            &self.root,
            non_empty(path),
            OpenHow::new().flags(flags).resolve(beneath()),
        )
    }

    /// The parent of `path` with nothing at its last name.
    fn fresh<'p>(&self, path: &'p Path) -> Result<(OwnedFd, &'p Path), ImageError> {
        let (parent, name) = self
            .parent(path)?
            .ok_or_else(|| ImageError::Path(text(path)))?;
        self.remove_at(&parent, name)?;
        Ok((parent, name))
    }

    fn remove_at(&self, parent: &OwnedFd, name: &Path) -> Result<(), ImageError> {
        let Some(stat) = stat(parent, name) else {
            return Ok(());
        };
        // The standard library's removal opens each level without following links; the parent is ours by descriptor.
        let path = own_path(parent).join(name);
        let removed = if kind(&stat) == SFlag::S_IFDIR {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.map_err(|error| ImageError::io("removing what a higher layer replaces", error))
    }

    fn is_directory(&self, parent: &OwnedFd, name: &Path) -> bool {
        stat(parent, name).is_some_and(|stat| kind(&stat) == SFlag::S_IFDIR)
    }

    /// Owner, then mode: changing an owner clears bits.
    fn dress(
        &self,
        parent: impl AsFd,
        name: &Path,
        mode: u32,
        owner: Owner,
    ) -> Result<(), ImageError> {
        self.own(&parent, name, owner)?;
        // Without following: `name` was just seen to be a directory in a tree that nobody else writes to.
        fchmodat(
            &parent,
            name,
            permissions(mode),
            FchmodatFlags::FollowSymlink,
        )
        .map_err(making)
    }

    fn own(&self, parent: impl AsFd, name: &Path, owner: Owner) -> Result<(), ImageError> {
        let Some((uid, gid)) = self.ownership.on_host(owner) else {
            return Ok(());
        };
        fchownat(
            &parent,
            name,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .map_err(making)
    }
}

/// Read, write, execute and the sticky bit. Set-user-ID and set-group-ID are dropped: a workload gains no privileges.
fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode & 0o1777)
}

fn beneath() -> ResolveFlag {
    ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV
}

fn non_empty(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

fn own_path(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn stat(parent: &OwnedFd, name: &Path) -> Option<FileStat> {
    fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn text(path: &Path) -> String {
    shown(path.as_os_str().as_bytes())
}

fn making(errno: Errno) -> ImageError {
    ImageError::sys("unpacking an entry", errno)
}

/// What a failed walk to a parent means: links give `ELOOP`, files `ENOTDIR`, ways out `EXDEV`.
fn through(path: &Path, errno: Errno) -> ImageError {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR | Errno::EXDEV => ImageError::ThroughLink(text(path)),
        errno => making(errno),
    }
}

/// Copies the bytes of an entry, telling a broken upload from a full disk.
fn copy(from: &mut impl Read, to: &mut File) -> Result<u64, ImageError> {
    let mut buffer = vec![0u8; 64 << 10];
    let mut total = 0u64;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(reading(error)),
        };
        to.write_all(&buffer[..count])
            .map_err(|error| ImageError::io("writing an entry", error))?;
        total += count as u64;
    }
}
