//! The images of one agent, by digest.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::syncfs;

use super::path::shown;
use super::tree::Tree;
use super::unpack::{Options, Ownership, Unpacked, unpack};
use super::{ImageDigest, ImageError, Limits};

/// Unpacked images under `<folder>/<digest>/{root,image.json}`. An image appears whole or not at all.
#[derive(Debug)]
pub struct ImageStore {
    folder: PathBuf,
    limits: Limits,
    ownership: Ownership,
    imports: AtomicU64,
    /// Held while it is looked whether an image is there, and put there or taken away accordingly.
    placing: Mutex<()>,
}

/// Where unfinished imports lie until they are renamed.
const UNFINISHED: &str = "unfinished";
/// What an image is, beside its root.
const DESCRIPTION: &str = "image.json";
/// How much of `/etc/passwd` or `/etc/group` is looked at, in bytes.
const NAMES_BYTES_MAX: u64 = 1 << 20;

impl ImageStore {
    /// Opens the store in `folder`, sweeping away what an import that was cut off left. One process per folder.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn open(folder: &Path, limits: Limits, ownership: Ownership) -> Result<Self, ImageError> {
        let unfinished = folder.join(UNFINISHED);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)
                .map_err(|error| ImageError::io("sweeping the image store", error))?;
            fail::fail_point!("images-swept");
        }
        fs::create_dir_all(&unfinished)
            .map_err(|error| ImageError::io("opening the image store", error))?;
        Ok(ImageStore {
            folder: folder.to_owned(),
            limits,
            ownership,
            imports: AtomicU64::new(0),
            placing: Mutex::new(()),
        })
    }

    /// Takes in an uploaded archive, which must hold the image `expected`. An image that is there already is checked all the
    /// same and then left as it is: whoever uploads it must have it, since its name alone is no secret.
    ///
    /// # Errors
    /// See [`ImageError`]; a refused upload leaves nothing.
    pub fn import<R: Read + Seek>(
        &self,
        reader: &mut R,
        expected: &ImageDigest,
    ) -> Result<Unpacked, ImageError> {
        let number = self.imports.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(UNFINISHED).join(number.to_string());
        let done = self.import_into(reader, expected, &folder);
        if done.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        done
    }

    fn import_into<R: Read + Seek>(
        &self,
        reader: &mut R,
        expected: &ImageDigest,
        folder: &Path,
    ) -> Result<Unpacked, ImageError> {
        let storing = |error| ImageError::io("storing an image", error);
        fail::fail_point!("image-before-import");
        fs::create_dir(folder).map_err(storing)?;
        fail::fail_point!("image-begun");
        let options = Options {
            limits: self.limits.clone(),
            ownership: self.ownership,
            expected: Some(*expected),
        };
        let unpacked = unpack(reader, &options, &folder.join("root"))?;
        fail::fail_point!("image-unpacked");
        let description = serde_json::to_vec(&unpacked).map_err(|error| storing(error.into()))?;
        fs::write(folder.join(DESCRIPTION), description).map_err(storing)?;
        fail::fail_point!("image-described");
        // Whoever is told that the image is here notes it and never asks for it again: it must outlive a power cut. One call for up to 200,000
        // files, of which a sync each would take minutes.
        File::open(folder)
            .and_then(|folder| syncfs(&folder).map_err(Into::into))
            .map_err(storing)?;
        fail::fail_point!("image-synced");
        if let Some(left) = self.place(expected, folder)? {
            fs::remove_dir_all(left).map_err(storing)?;
        }
        fail::fail_point!("image-stored");
        Ok(unpacked)
    }

    /// Puts what was unpacked in `folder` where the image belongs, unless it is there. Returns what is left over and to be removed.
    fn place(&self, digest: &ImageDigest, folder: &Path) -> Result<Option<PathBuf>, ImageError> {
        let storing = |error| ImageError::io("storing an image", error);
        // Two may have unpacked the same image: the second finds what the first was told is there.
        let _alone = self.alone();
        let left = match self.get(digest) {
            // It is there already, or somebody else took it in meanwhile; something may run from it.
            Ok(_) => return Ok(Some(folder.to_owned())),
            // Nothing can have been started from what says nothing of itself.
            Err(ImageError::Unknown(_) | ImageError::Document { .. }) => self.retire(digest)?,
            Err(error) => return Err(error),
        };
        fs::rename(folder, self.path(digest)).map_err(storing)?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(storing)?;
        Ok(left)
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image `digest`.
    ///
    /// # Errors
    /// [`ImageError::Unknown`] when it was never imported, [`ImageError::Document`] when what describes it is damaged: then taking it in anew
    /// replaces it.
    pub fn get(&self, digest: &ImageDigest) -> Result<Unpacked, ImageError> {
        let described = fs::read(self.path(digest).join(DESCRIPTION));
        let bytes = described.map_err(|error| match error.kind() {
            ErrorKind::NotFound => ImageError::Unknown(*digest),
            _ => ImageError::io("reading an image's description", error),
        })?;
        serde_json::from_slice(&bytes).map_err(|error| ImageError::Document {
            what: "image description",
            reason: error.to_string(),
        })
    }

    /// The images that are there.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn list(&self) -> Result<Vec<ImageDigest>, ImageError> {
        let listing = |error| ImageError::io("listing images", error);
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(listing)? {
            let name = entry.map_err(listing)?.file_name();
            let digest = name
                .to_str()
                .map(|digits| format!("sha256:{digits}").parse::<ImageDigest>());
            images.extend(digest.and_then(Result::ok));
        }
        images.sort_unstable();
        Ok(images)
    }

    /// The root of the image `digest`, which nobody may write to.
    pub fn root(&self, digest: &ImageDigest) -> PathBuf {
        self.path(digest).join("root")
    }

    /// Forgets the image `digest`; without effect when it is unknown. The caller knows that nothing runs from it.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn remove(&self, digest: &ImageDigest) -> Result<(), ImageError> {
        let retired = {
            let _alone = self.alone();
            self.retire(digest)?
        };
        fail::fail_point!("image-dying");
        retired.map_or(Ok(()), |dying| {
            fs::remove_dir_all(dying).map_err(|error| ImageError::io("removing an image", error))
        })
    }

    /// Takes an image away as a whole, so that a cut-off removal leaves none without half of its files. Returns where it lies now, none where there
    /// was none. Only within [`ImageStore::alone`].
    fn retire(&self, digest: &ImageDigest) -> Result<Option<PathBuf>, ImageError> {
        let path = self.path(digest);
        if !path.exists() {
            return Ok(None);
        }
        let number = self.imports.fetch_add(1, Ordering::Relaxed);
        let dying = self.folder.join(UNFINISHED).join(number.to_string());
        fail::fail_point!("image-before-removal");
        fs::rename(path, &dying).map_err(|error| ImageError::io("removing an image", error))?;
        Ok(Some(dying))
    }

    /// User and group ids for what the image calls its user, names being looked up in the image's own files.
    ///
    /// # Errors
    /// [`ImageError::User`] for a name that the image does not know.
    pub fn user(&self, image: &Unpacked) -> Result<(u32, u32), ImageError> {
        let tree = Tree::open(&self.root(&image.digest), self.ownership)?;
        let refuse = |name: &str| ImageError::User(shown(name.as_bytes()));
        let (user, group) = match image.config.user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (image.config.user.as_str(), None),
        };
        let (uid, login_gid) = match user {
            "" => (0, Some(0)),
            user => match user.parse() {
                Ok(uid) => (uid, None),
                Err(_) => find(&tree, "etc/passwd", user)?.ok_or_else(|| refuse(user))?,
            },
        };
        let gid = match group {
            None => login_gid.unwrap_or(0),
            Some(group) => match group.parse() {
                Ok(gid) => gid,
                Err(_) => {
                    find(&tree, "etc/group", group)?
                        .ok_or_else(|| refuse(group))?
                        .0
                }
            },
        };
        match self.ownership {
            Ownership::Shifted { count, .. } if uid >= count || gid >= count => {
                Err(refuse(&image.config.user))
            }
            _ => Ok((uid, gid)),
        }
    }

    fn path(&self, digest: &ImageDigest) -> PathBuf {
        self.folder.join(digest.hex())
    }
}

/// The third and fourth field (ids) of the line for `name` in a file like `/etc/passwd`.
fn find(tree: &Tree, file: &str, name: &str) -> Result<Option<(u32, Option<u32>)>, ImageError> {
    let Some(bytes) = tree.read(Path::new(file), NAMES_BYTES_MAX)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let id = fields.nth(1)?.parse().ok()?;
        Some((id, fields.next().and_then(|field| field.parse().ok())))
    }))
}
