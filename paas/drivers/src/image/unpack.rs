//! An uploaded archive becomes a root filesystem, or is refused and leaves nothing.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entries::{Bounded, Entries, reading};
use super::layout::read_layout;
use super::tree::{IMPLIED_MODE, Owner, ROOT, Tree};
use super::{ImageDigest, ImageError, Layer, Limits, RunConfig, layer};

/// Directories that a container's own filesystems are mounted on. An image that has links or files there could lead
/// a mount astray.
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

/// Who owns the unpacked files on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// Whoever unpacks: for looking into an image without being root.
    Unpacker,
    /// User and group `n` of the image become `base + n`, as a user namespace of `count` ids from `base` sees them.
    /// Ids of the image beyond `count` become its `nobody`.
    Shifted {
        /// First id on this machine.
        base: u32,
        /// How many ids.
        count: u32,
    },
}

impl Ownership {
    /// Nobody, as Linux numbers it where an id cannot be represented.
    const NOBODY: u32 = 65_534;

    pub(super) fn on_host(self, owner: Owner) -> Option<(u32, u32)> {
        let Ownership::Shifted { base, count } = self else {
            return None;
        };
        let shift = |id: u64| {
            let inside = u32::try_from(id).ok().filter(|id| *id < count);
            base.saturating_add(inside.unwrap_or(Self::NOBODY.min(count.saturating_sub(1))))
        };
        Some((shift(owner.uid), shift(owner.gid)))
    }
}

/// How to unpack.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds on the upload.
    pub limits: Limits,
    /// Who is to own the files.
    pub ownership: Ownership,
    /// The image that must be in the archive; none takes the only one that fits this machine.
    pub expected: Option<ImageDigest>,
}

/// An image on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The image's name.
    pub digest: ImageDigest,
    /// What to run in it.
    pub config: RunConfig,
}

/// Unpacks the image archive in `reader` into `dest`, which must not exist. All digests are verified; on any refusal
/// `dest` is gone again.
///
/// # Errors
/// See [`ImageError`].
pub fn unpack<R: Read + Seek>(
    reader: &mut R,
    options: &Options,
    dest: &Path,
) -> Result<Unpacked, ImageError> {
    let layout = read_layout(reader, &options.limits, options.expected.as_ref())?;
    fs::create_dir(dest).map_err(|error| ImageError::io("making the new root", error))?;
    let done = layers(reader, options, &layout.layers, dest);
    if done.is_err() {
        // The refusal matters more than whether its remains could be removed; the store sweeps again at its start.
        let _ = fs::remove_dir_all(dest);
    }
    done.map(|()| Unpacked {
        digest: layout.digest,
        config: layout.config,
    })
}

fn layers<R: Read + Seek>(
    reader: &mut R,
    options: &Options,
    layers: &[Layer],
    dest: &Path,
) -> Result<(), ImageError> {
    let tree = Tree::open(dest, options.ownership)?;
    tree.directory(Path::new(""), IMPLIED_MODE, ROOT)?;
    let mut left = Left {
        bytes: options.limits.unpacked_bytes_max,
        entries: options.limits.entries_max,
    };
    for layer in layers {
        one(reader, layer, &tree, &options.limits, &mut left)?;
    }
    for name in MOUNT_POINTS {
        let path = PathBuf::from(name);
        if !tree.exists(&path)? {
            tree.directory(&path, IMPLIED_MODE, ROOT)?;
        } else if !tree.has_directory(&path)? {
            return Err(ImageError::Reserved(name));
        }
    }
    Ok(())
}

/// What all layers together may still use.
struct Left {
    bytes: u64,
    entries: u64,
}

fn one<R: Read + Seek>(
    reader: &mut R,
    layer: &Layer,
    tree: &Tree,
    limits: &Limits,
    left: &mut Left,
) -> Result<(), ImageError> {
    reader
        .seek(SeekFrom::Start(layer.position))
        .map_err(|error| ImageError::io("reading the archive", error))?;
    let mut hashed = Hashed {
        inner: reader.take(layer.size_bytes),
        hasher: Sha256::new(),
    };
    if layer.gzip {
        stream(MultiGzDecoder::new(&mut hashed), tree, limits, left)?;
    } else {
        stream(&mut hashed, tree, limits, left)?;
    }
    // What a decompressor or the end mark left unread belongs to the digest too.
    io::copy(&mut hashed, &mut io::sink()).map_err(reading)?;
    let provided = ImageDigest(hashed.hasher.finalize().into());
    if provided == layer.digest {
        return Ok(());
    }
    Err(ImageError::DigestMismatch {
        what: "layer",
        expected: layer.digest,
        provided,
    })
}

fn stream<R: Read>(
    from: R,
    tree: &Tree,
    limits: &Limits,
    left: &mut Left,
) -> Result<(), ImageError> {
    let bounded = Bounded::new(
        from,
        "the unpacked image",
        left.bytes,
        limits.unpacked_bytes_max,
    );
    let mut entries = Entries::new(bounded, left.entries, limits.entries_max);
    layer::apply(&mut entries, tree, limits)?;
    left.entries = entries.entries_left();
    left.bytes = entries.into_inner().left();
    Ok(())
}

/// A reader that hashes what it gives.
struct Hashed<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hasher.update(&into[..count]);
        Ok(count)
    }
}
