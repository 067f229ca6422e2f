//! One layer, applied over those below it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::entries::{Entries, Entry, Kind};
use super::path::{link_target, normalise, shown};
use super::tree::{Owner, Tree};
use super::{ImageError, Limits};

/// How OCI marks a name of a lower layer as removed.
const WHITEOUT: &[u8] = b".wh.";
/// How OCI marks a directory whose lower content is hidden.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Applies the entries of one layer to `tree`. Device nodes and pipes are left out; set-user-ID bits, extended
/// attributes and times are dropped.
pub(super) fn apply<R: Read>(
    entries: &mut Entries<R>,
    tree: &Tree,
    limits: &Limits,
) -> Result<(), ImageError> {
    // What this layer brought: its own whiteouts hide lower layers only (OCI image-spec, layer.md "Whiteouts").
    let mut brought = BTreeSet::new();
    while let Some(entry) = entries.next(limits)? {
        let path = normalise(&entry.path, limits)?;
        match whiteout(&path) {
            Some(Whiteout::Name(hidden)) => hide(tree, &hidden, &brought)?,
            Some(Whiteout::Content(directory)) => hide_content(tree, &directory, &brought)?,
            None => {
                place(entries, tree, &entry, &path, limits)?;
                brought.insert(path);
            }
        }
    }
    Ok(())
}

fn place<R: Read>(
    entries: &mut Entries<R>,
    tree: &Tree,
    entry: &Entry,
    path: &Path,
    limits: &Limits,
) -> Result<(), ImageError> {
    let owner = Owner {
        uid: entry.uid,
        gid: entry.gid,
    };
    match entry.kind {
        Kind::Device => Ok(()),
        Kind::Directory => tree.directory(path, entry.mode, owner),
        Kind::File => {
            let written = tree.file(path, entry.mode, owner, &mut entries.body())?;
            if written < entry.size {
                Err(ImageError::Tar("it ends within an entry"))
            } else {
                Ok(())
            }
        }
        Kind::Symlink => {
            link_target(path, &entry.target, limits)?;
            tree.symlink(path, &entry.target, owner)
        }
        Kind::HardLink => tree.hard_link(path, &named(entry, path, limits)?),
    }
}

/// The file that a hard link names: a path from the image's root.
fn named(entry: &Entry, path: &Path, limits: &Limits) -> Result<PathBuf, ImageError> {
    normalise(&entry.target, limits).map_err(|_| ImageError::LinkEscapes {
        path: shown(path.as_os_str().as_bytes()),
        target: shown(&entry.target),
    })
}

enum Whiteout {
    Name(PathBuf),
    Content(PathBuf),
}

fn whiteout(path: &Path) -> Option<Whiteout> {
    let name = path.file_name()?.as_bytes();
    let parent = path.parent().unwrap_or(Path::new("")).to_owned();
    if name == OPAQUE {
        return Some(Whiteout::Content(parent));
    }
    let hidden = name.strip_prefix(WHITEOUT)?;
    // Other names in this space are bookkeeping of particular storage drivers, and hide nothing.
    if hidden.is_empty() || hidden.starts_with(WHITEOUT) || matches!(hidden, b"." | b"..") {
        return Some(Whiteout::Name(PathBuf::new()));
    }
    Some(Whiteout::Name(parent.join(OsStr::from_bytes(hidden))))
}

fn hide(tree: &Tree, path: &Path, brought: &BTreeSet<PathBuf>) -> Result<(), ImageError> {
    if path.as_os_str().is_empty() || brought.contains(path) {
        Ok(())
    } else {
        tree.remove(path)
    }
}

fn hide_content(
    tree: &Tree,
    directory: &Path,
    brought: &BTreeSet<PathBuf>,
) -> Result<(), ImageError> {
    for name in tree.names(directory)? {
        let path = directory.join(name);
        // In the set's order everything below a path follows it at once.
        let kept = brought
            .range(path.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&path));
        if !kept {
            tree.remove(&path)?;
        } else if tree.has_directory(&path)? {
            hide_content(tree, &path, brought)?;
        }
    }
    Ok(())
}
