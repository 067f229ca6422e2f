//! Image archives as an attacker would make them, and a place to unpack them at.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nupeer_paas_drivers::image::{ImageDigest, ImageError, Limits, Options, Ownership, unpack};
use tar::EntryType;

/// One entry as an attacker would write it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: EntryType,
    pub(crate) path: String,
    pub(crate) target: String,
    pub(crate) mode: u32,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn entry(kind: EntryType, path: &str, target: &str) -> Entry {
    let bytes = if kind == EntryType::Regular {
        b"new".to_vec()
    } else {
        Vec::new()
    };
    Entry {
        kind,
        path: path.into(),
        target: target.into(),
        mode: 0o755,
        bytes,
    }
}

pub(crate) fn dir(path: &str) -> Entry {
    entry(EntryType::Directory, path, "")
}

pub(crate) fn file(path: &str) -> Entry {
    entry(EntryType::Regular, path, "")
}

pub(crate) fn symlink(path: &str, target: &str) -> Entry {
    entry(EntryType::Symlink, path, target)
}

pub(crate) fn hard_link(path: &str, target: &str) -> Entry {
    entry(EntryType::Link, path, target)
}

/// A layer with exactly these bytes in its headers: the `tar` crate refuses to write most of what is tested here.
pub(crate) fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let raw = header.as_old_mut();
        let put =
            |field: &mut [u8], text: &str| field[..text.len()].copy_from_slice(text.as_bytes());
        put(&mut raw.name, &entry.path);
        put(&mut raw.linkname, &entry.target);
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(entry.bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, entry.bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn blob(media_type: &str, bytes: &[u8]) -> String {
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
        ImageDigest::of(bytes),
        bytes.len()
    )
}

pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image archive around `layers`, each with its media type.
pub(crate) fn archive(layers: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let config =
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
            .to_vec();
    let list: Vec<String> = layers
        .iter()
        .map(|(kind, bytes)| blob(kind, bytes))
        .collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        blob("application/vnd.oci.image.config.v1+json", &config),
        list.join(",")
    )
    .into_bytes();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        blob(MANIFEST, &manifest)
    )
    .into_bytes();
    let mut blobs = vec![config, manifest];
    blobs.extend(layers.iter().map(|(_, bytes)| bytes.clone()));
    wrap(&index, &blobs)
}

pub(crate) fn wrap(index: &[u8], blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    add("index.json", index);
    for bytes in blobs {
        add(
            &format!("blobs/sha256/{}", ImageDigest::of(bytes).hex()),
            bytes,
        );
    }
    builder.into_inner().unwrap()
}

pub(crate) fn options() -> Options {
    Options {
        limits: Limits::default(),
        ownership: Ownership::Unpacker,
        expected: None,
    }
}

/// A folder with something worth attacking beside the root to unpack into.
pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("treasure")).unwrap();
        fs::write(folder.path().join("treasure/gold"), "mine").unwrap();
        Ground { folder }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn unpack(&self, archive: &[u8]) -> Result<(), ImageError> {
        self.unpack_with(archive, &options())
    }

    pub(crate) fn unpack_with(&self, archive: &[u8], options: &Options) -> Result<(), ImageError> {
        unpack(&mut Cursor::new(archive), options, &self.root()).map(drop)
    }

    /// What lies beside the root is untouched.
    pub(crate) fn is_untouched(&self) -> bool {
        let listed = fs::read_dir(self.folder.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name != "treasure" && name != "root"
        });
        let treasure = fs::read_dir(self.folder.path().join("treasure"))
            .unwrap()
            .count();
        let gold = self.folder.path().join("treasure/gold");
        listed.count() == 0
            && treasure == 1
            && fs::read_to_string(&gold).is_ok_and(|text| text == "mine")
            && fs::metadata(gold).unwrap().permissions().mode() & 0o7777 == 0o644
    }
}
