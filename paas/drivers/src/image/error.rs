//! Why an image is refused.

use std::io;

use nupeer_primitives::{Code, Numbered};

use super::ImageDigest;

/// A reading of more bytes than a limit allows, carried through [`io::Error`] by the readers that count.
#[derive(Debug, thiserror::Error)]
#[error("{what}: more than {maximum} bytes")]
pub(super) struct Exceeded {
    pub(super) what: &'static str,
    pub(super) maximum: u64,
}

/// Why an image was refused. The numbers are NP8010 to NP8039.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The disk or the upload failed, not the image.
    #[error("while {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Not a tar archive, or a truncated one.
    #[error("not a tar archive: {0}")]
    Tar(&'static str),
    /// Not a gzip stream, or a truncated one.
    #[error("the layer cannot be decompressed: {0}")]
    Compression(String),
    /// More bytes than allowed.
    #[error("{what} has more than {maximum} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        maximum: u64,
    },
    /// More things than allowed.
    #[error("more than {maximum} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        maximum: u64,
    },
    /// No `index.json` or no `oci-layout` of version 1.
    #[error("not an OCI image layout: {0}")]
    NotALayout(&'static str),
    /// A document that is no JSON of its kind.
    #[error("the {what} is not what its media type says: {reason}")]
    Document {
        /// Which document.
        what: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// A descriptor names a blob that the archive lacks.
    #[error("the archive lacks the {what} {digest}")]
    MissingBlob {
        /// What kind of blob.
        what: &'static str,
        /// The digest named.
        digest: ImageDigest,
    },
    /// A blob's bytes are not those that its name promises.
    #[error("the {what} should be {expected} and is {provided}")]
    DigestMismatch {
        /// What kind of blob.
        what: &'static str,
        /// The digest promised.
        expected: ImageDigest,
        /// The digest of what is there.
        provided: ImageDigest,
    },
    /// A descriptor states another size than its blob has.
    #[error("the {what} should have {expected} bytes and has {provided}")]
    SizeMismatch {
        /// What kind of blob.
        what: &'static str,
        /// Bytes promised.
        expected: u64,
        /// Bytes there.
        provided: u64,
    },
    /// A digest that is not `sha256:` and 64 hex digits.
    #[error("{0:?} is no sha256 digest")]
    Digest(String),
    /// No manifest with the digest asked for, or none for this kind of machine.
    #[error("no manifest {0}")]
    NoManifest(String),
    /// Several manifests would do, and none was asked for.
    #[error("{provided} manifests fit this machine; name the digest of one")]
    Ambiguous {
        /// How many.
        provided: usize,
    },
    /// A media type that is not understood.
    #[error("media type {0:?} is not understood; layers are tar or tar+gzip")]
    MediaType(String),
    /// A path that starts at the host's root.
    #[error("absolute path {0:?}")]
    AbsolutePath(String),
    /// A path that goes up.
    #[error("the path {0:?} goes up")]
    ParentPath(String),
    /// A path too long, too deep, or with a zero byte.
    #[error("the path {0:?} is too long, too deep or no path")]
    Path(String),
    /// A path whose parent is a link or a file. Links are never followed, wherever they point.
    #[error(
        "{0:?} goes through something that is no directory of the image; links are not followed"
    )]
    ThroughLink(String),
    /// A symbolic link whose target leaves the image's root.
    #[error("the link {path:?} points out of the image's root to {target:?}")]
    LinkEscapes {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// A hard link to something that is no file of the image.
    #[error("the hard link {path:?} names {target:?}, which is no file of the image")]
    HardLink {
        /// The link.
        path: String,
        /// What it names.
        target: String,
    },
    /// An entry of a kind that images have no use for.
    #[error("{path:?} is of kind {kind:?}, which is not understood")]
    EntryKind {
        /// The entry.
        path: String,
        /// The tar type byte.
        kind: char,
    },
    /// `/dev`, `/proc` or `/sys` is something else than a directory.
    #[error("/{0} must be a directory")]
    Reserved(&'static str),
    /// A configuration that cannot be run.
    #[error("the image's configuration: {0}")]
    Config(String),
    /// A user or group name that the image's own files do not know.
    #[error("the image does not know the user or group {0:?}")]
    User(String),
    /// The store has no such image.
    #[error("no image {0} has been uploaded")]
    Unknown(ImageDigest),
}

impl ImageError {
    /// Names what was being done when `source` happened, unless it is one of our own limits in disguise.
    pub(super) fn io(doing: &'static str, source: io::Error) -> Self {
        match source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Exceeded>())
        {
            Some(Exceeded { what, maximum }) => ImageError::TooLarge {
                what,
                maximum: *maximum,
            },
            None => ImageError::Io { doing, source },
        }
    }

    /// As [`ImageError::io`], for the raw errors of system calls.
    pub(super) fn sys(doing: &'static str, errno: nix::Error) -> Self {
        ImageError::Io {
            doing,
            source: errno.into(),
        }
    }
}

impl Numbered for ImageError {
    fn code(&self) -> Code {
        Code(match self {
            ImageError::Io { .. } => 8010,
            ImageError::Tar(_) => 8011,
            ImageError::Compression(_) => 8012,
            ImageError::TooLarge { .. } => 8013,
            ImageError::TooMany { .. } => 8014,
            ImageError::NotALayout(_) => 8015,
            ImageError::Document { .. } => 8016,
            ImageError::MissingBlob { .. } => 8017,
            ImageError::DigestMismatch { .. } => 8018,
            ImageError::SizeMismatch { .. } => 8019,
            ImageError::Digest(_) => 8020,
            ImageError::NoManifest(_) => 8021,
            ImageError::Ambiguous { .. } => 8022,
            ImageError::MediaType(_) => 8023,
            ImageError::AbsolutePath(_) => 8024,
            ImageError::ParentPath(_) => 8025,
            ImageError::Path(_) => 8026,
            ImageError::ThroughLink(_) => 8027,
            ImageError::LinkEscapes { .. } => 8028,
            ImageError::HardLink { .. } => 8029,
            ImageError::EntryKind { .. } => 8030,
            ImageError::Reserved(_) => 8031,
            ImageError::Config(_) => 8032,
            ImageError::User(_) => 8033,
            ImageError::Unknown(_) => 8034,
        })
    }
}
