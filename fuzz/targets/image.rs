//! An uploaded image: the first byte says whether the rest is the whole archive, or a layer (plain or gzip) in an archive that is else in
//! order, which random bytes would hardly get right. Whatever is refused leaves nothing; whatever is taken is found again;
//! and nothing is ever written beside the store.
#![no_main]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nupeer_paas_drivers::image::{ImageDigest, ImageStore, Limits, Ownership, parse_layout};

/// A folder that the run's script removes with the rest of its temporary files; the store lies in it, alone.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("nupeer-fuzz-image-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

static STORE: LazyLock<ImageStore> = LazyLock::new(|| {
    let store = ImageStore::open(&FOLDER.join("store"), limits(), Ownership::Unpacker);
    store.expect("a store")
});

fn limits() -> Limits {
    Limits {
        unpacked_bytes_max: 1 << 20,
        entries_max: 64,
        ..Limits::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&form, rest)) = bytes.split_first() else {
        return;
    };
    let archive = match form {
        0 => rest.to_vec(),
        form => around(rest, form % 2 == 0),
    };
    let Ok(layout) = parse_layout(&archive, &limits()) else {
        return;
    };
    let taken = STORE.import(&mut Cursor::new(&archive), &layout.digest);
    assert_eq!(names(&FOLDER), ["store"], "written beside the store");
    assert!(names(&FOLDER.join("store/unfinished")).is_empty());
    match taken {
        Ok(image) => {
            assert_eq!(STORE.get(&layout.digest).ok(), Some(image));
            STORE.remove(&layout.digest).expect("is removed");
        }
        Err(_) => assert_eq!(names(&FOLDER.join("store")), ["unfinished"]),
    }
});

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(|e| name(e).to_string_lossy().into_owned())
        .collect()
}

/// An archive in order, around `layer`.
fn around(layer: &[u8], gzip: bool) -> Vec<u8> {
    let suffix = if gzip { "+gzip" } else { "" };
    let digest = |bytes: &[u8]| ImageDigest::of(bytes).hex();
    let (layer_digest, layer_size) = (digest(layer), layer.len());
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/run"]}},"rootfs":{{"type":"layers","diff_ids":["sha256:{layer_digest}"]}}}}"#
    );
    let (config_digest, config_size) = (digest(config.as_bytes()), config.len());
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{config_digest}","size":{config_size}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar{suffix}","digest":"sha256:{layer_digest}","size":{layer_size}}}]}}"#
    );
    let (manifest_digest, manifest_size) = (digest(manifest.as_bytes()), manifest.len());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{manifest_digest}","size":{manifest_size}}}]}}"#
    );
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.as_slice(),
        ),
        ("index.json".to_owned(), index.as_bytes()),
        (
            format!("blobs/sha256/{manifest_digest}"),
            manifest.as_bytes(),
        ),
        (format!("blobs/sha256/{config_digest}"), config.as_bytes()),
        (format!("blobs/sha256/{layer_digest}"), layer),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let appended = archive.append_data(&mut header, name, bytes);
        appended.expect("memory takes every byte");
    }
    archive.into_inner().expect("memory takes every byte")
}
