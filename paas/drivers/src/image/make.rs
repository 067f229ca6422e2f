//! Makes small OCI images without a registry: for the demo, for tests, and for tenants who have a folder and no
//! image tools. The same input gives the same bytes, hence the same digest, on every machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use oci_spec::OciSpecError;
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfigurationBuilder,
    ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder,
    RootFsBuilder, Sha256Digest,
};

use super::{ImageDigest, ImageError};

/// Commands that the busybox image offers by name; busybox itself knows many more.
const APPLETS: [&str; 31] = [
    "ash", "base64", "cat", "chmod", "cp", "date", "dd", "echo", "env", "false", "grep", "head",
    "hostname", "httpd", "id", "kill", "ls", "mkdir", "mount", "nc", "ps", "rm", "sed", "seq",
    "sh", "sleep", "tail", "true", "unshare", "wc", "yes",
];

/// What an image should run, beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The command with its arguments.
    pub argv: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    /// As [`super::RunConfig::user`].
    pub user: String,
    /// Where the command starts; empty for the root.
    pub working_dir: String,
    /// The TCP port the workload listens on.
    pub port: Option<u16>,
    /// Whether the layer is compressed.
    pub gzip: bool,
}

/// A made image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeImage {
    /// The archive to upload.
    pub archive: Vec<u8>,
    /// The image's name, for the lease.
    pub digest: ImageDigest,
}

/// One file of an image to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file with its bytes.
    File {
        /// What it holds.
        bytes: Vec<u8>,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
}

/// The files of an image to be made, by path; all belong to root.
pub type Files = BTreeMap<PathBuf, Node>;

/// An image with the files of `folder`: directories, files and symbolic links, nothing else.
///
/// # Errors
/// A file that cannot be read.
pub fn from_folder(folder: &Path, recipe: &Recipe) -> Result<MadeImage, ImageError> {
    let mut files = Files::new();
    collect(folder, Path::new(""), &mut files)
        .map_err(|error| ImageError::io("reading the folder", error))?;
    from_files(&files, recipe)
}

/// An image of a statically linked busybox, its common commands under `/bin`, an empty `/tmp`, and `extra` files.
///
/// # Errors
/// `busybox` cannot be read.
pub fn from_busybox(
    busybox: &Path,
    extra: &Files,
    recipe: &Recipe,
) -> Result<MadeImage, ImageError> {
    let bytes = fs::read(busybox).map_err(|error| ImageError::io("reading busybox", error))?;
    let mut files = Files::from([
        (PathBuf::from("tmp"), Node::Directory),
        (
            PathBuf::from("bin/busybox"),
            Node::File {
                bytes,
                executable: true,
            },
        ),
    ]);
    for applet in APPLETS {
        files.insert(
            Path::new("bin").join(applet),
            Node::Symlink(b"busybox".to_vec()),
        );
    }
    files.extend(
        extra
            .iter()
            .map(|(path, node)| (path.clone(), node.clone())),
    );
    from_files(&files, recipe)
}

/// The demo's workload: busybox serving `page` over HTTP at port 8080.
///
/// # Errors
/// `busybox` cannot be read.
pub fn web_server(busybox: &Path, page: &str) -> Result<MadeImage, ImageError> {
    let page = Node::File {
        bytes: page.as_bytes().to_vec(),
        executable: false,
    };
    let argv = ["/bin/httpd", "-f", "-vv", "-p", "8080", "-h", "/www"];
    let recipe = Recipe {
        argv: argv.map(str::to_owned).to_vec(),
        port: Some(8080),
        ..Recipe::default()
    };
    from_busybox(
        busybox,
        &Files::from([(PathBuf::from("www/index.html"), page)]),
        &recipe,
    )
}

/// An image with exactly `files`.
///
/// # Errors
/// A path that tar cannot hold.
pub fn from_files(files: &Files, recipe: &Recipe) -> Result<MadeImage, ImageError> {
    let tar = layer(files).map_err(|error| ImageError::io("making a layer", error))?;
    let diff_id = ImageDigest::of(&tar);
    let (layer, kind) = if recipe.gzip {
        (
            gzip(&tar).map_err(|error| ImageError::io("compressing a layer", error))?,
            MediaType::ImageLayerGzip,
        )
    } else {
        (tar, MediaType::ImageLayer)
    };
    archive(layer, kind, diff_id, recipe).map_err(|error| match error {
        OciSpecError::Io(error) => ImageError::io("making an image", error),
        other => ImageError::Config(other.to_string()),
    })
}

fn archive(
    layer: Vec<u8>,
    kind: MediaType,
    diff_id: ImageDigest,
    recipe: &Recipe,
) -> Result<MadeImage, OciSpecError> {
    let layer_descriptor = descriptor(kind, &layer)?.build()?;
    let config = configuration(diff_id, recipe)?;
    let config_descriptor = descriptor(MediaType::ImageConfig, &config)?.build()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(config_descriptor.clone())
        .layers(vec![layer_descriptor.clone()])
        .build()?
        .to_string()?
        .into_bytes();
    let platform = PlatformBuilder::default()
        .os(Os::Linux)
        .architecture(Arch::default())
        .build()?;
    let manifest_descriptor = descriptor(MediaType::ImageManifest, &manifest)?
        .platform(platform)
        .build()?;
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(vec![manifest_descriptor])
        .build()?
        .to_string()?
        .into_bytes();
    let layout = OciLayoutBuilder::default()
        .image_layout_version("1.0.0".to_owned())
        .build()?
        .to_string()?;
    let digest = ImageDigest::of(&manifest);
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, "oci-layout", layout.as_bytes())?;
    append(&mut builder, "index.json", &index)?;
    let manifest_name = format!("blobs/sha256/{}", digest.hex());
    append(&mut builder, &manifest_name, &manifest)?;
    append(&mut builder, &blob(&config_descriptor), &config)?;
    append(&mut builder, &blob(&layer_descriptor), &layer)?;
    Ok(MadeImage {
        archive: builder.into_inner()?,
        digest,
    })
}

fn configuration(diff_id: ImageDigest, recipe: &Recipe) -> Result<Vec<u8>, OciSpecError> {
    let mut config = ConfigBuilder::default()
        .cmd(recipe.argv.clone())
        .env(recipe.env.clone());
    if !recipe.user.is_empty() {
        config = config.user(recipe.user.clone());
    }
    if !recipe.working_dir.is_empty() {
        config = config.working_dir(recipe.working_dir.clone());
    }
    if let Some(port) = recipe.port {
        config = config.exposed_ports(vec![format!("{port}/tcp")]);
    }
    let root = RootFsBuilder::default()
        .typ("layers".to_owned())
        .diff_ids(vec![diff_id.to_string()])
        .build()?;
    let image = ImageConfigurationBuilder::default()
        .architecture(Arch::default())
        .os(Os::Linux)
        .config(config.build()?)
        .rootfs(root)
        .build()?;
    Ok(image.to_string()?.into_bytes())
}

fn descriptor(kind: MediaType, bytes: &[u8]) -> Result<DescriptorBuilder, OciSpecError> {
    let digest: Sha256Digest = ImageDigest::of(bytes).hex().parse()?;
    Ok(DescriptorBuilder::default()
        .media_type(kind)
        .size(bytes.len() as u64)
        .digest(digest))
}

fn blob(descriptor: &Descriptor) -> String {
    format!("blobs/sha256/{}", descriptor.digest().digest())
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) -> io::Result<()> {
    builder.append_data(
        &mut header(tar::EntryType::Regular, 0o644, bytes.len() as u64),
        name,
        bytes,
    )
}

/// A header that says nothing about the machine it was made on: no time, no owner but root.
fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn layer(files: &Files) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, node) in files {
        match node {
            Node::Directory => {
                // Scratch space is for everyone, as it is on any Linux.
                let mode = if path == Path::new("tmp") {
                    0o1777
                } else {
                    0o755
                };
                builder.append_data(
                    &mut header(tar::EntryType::Directory, mode, 0),
                    path,
                    io::empty(),
                )?;
            }
            Node::File { bytes, executable } => {
                let mode = if *executable { 0o755 } else { 0o644 };
                let mut header = header(tar::EntryType::Regular, mode, bytes.len() as u64);
                builder.append_data(&mut header, path, bytes.as_slice())?;
            }
            Node::Symlink(target) => {
                let target = std::ffi::OsStr::from_bytes(target);
                builder.append_link(
                    &mut header(tar::EntryType::Symlink, 0o777, 0),
                    path,
                    target,
                )?;
            }
        }
    }
    builder.into_inner()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn collect(folder: &Path, below: &Path, files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.insert(path.clone(), Node::Directory);
            collect(folder, &path, files)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            files.insert(path, Node::Symlink(target.as_os_str().as_bytes().to_vec()));
        } else if kind.is_file() {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            files.insert(
                path,
                Node::File {
                    bytes: fs::read(entry.path())?,
                    executable,
                },
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Limits, parse_layout};

    fn small() -> Files {
        Files::from([
            (PathBuf::from("bin"), Node::Directory),
            (
                PathBuf::from("bin/run"),
                Node::File {
                    bytes: b"#!/bin/sh\n".to_vec(),
                    executable: true,
                },
            ),
            (PathBuf::from("bin/also"), Node::Symlink(b"run".to_vec())),
        ])
    }

    /// Golden: uploads name images by this digest, so the bytes an image is made of may not move.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_same_files_have_the_same_digest_everywhere() {
        let recipe = Recipe {
            argv: vec!["/bin/run".into()],
            port: Some(8080),
            ..Recipe::default()
        };
        let made = from_files(&small(), &recipe).unwrap();
        assert_eq!(made, from_files(&small(), &recipe).unwrap());
        assert_eq!(
            made.digest.to_string(),
            "sha256:3140f07d556e714a99a56f328402e98b4d920e7b7e05df25d975980f9165a989"
        );
    }

    #[test]
    fn a_made_image_is_read_back() {
        for gzip in [false, true] {
            let recipe = Recipe {
                argv: vec!["/bin/run".into(), "now".into()],
                port: Some(81),
                gzip,
                ..Recipe::default()
            };
            let made = from_files(&small(), &recipe).unwrap();
            let layout = parse_layout(&made.archive, &Limits::default()).unwrap();
            assert_eq!(layout.digest, made.digest);
            assert_eq!(
                (
                    layout.config.argv.as_slice(),
                    layout.config.ports.as_slice()
                ),
                (recipe.argv.as_slice(), &[81][..])
            );
            assert_eq!(layout.layers.len(), 1);
            assert_eq!(layout.layers[0].gzip, gzip);
        }
    }
}
