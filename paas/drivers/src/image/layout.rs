//! From the bytes of an archive to the manifest, the configuration and the layers of one image.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom};

use oci_spec::image::{
    Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout, Os,
};
use serde::de::DeserializeOwned;

use super::config::RunConfig;
use super::entries::{Bounded, Entries, Kind, reading};
use super::path::normalise;
use super::{ImageDigest, ImageError, Limits};

/// Where a blob's bytes are in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    position: u64,
    size: u64,
}

/// A layer of an image, not yet verified: that happens as it is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest its bytes must have.
    pub digest: ImageDigest,
    /// Bytes in the archive.
    pub size_bytes: u64,
    /// Whether it is gzip over tar, or tar alone.
    pub gzip: bool,
    /// Where its bytes start in the archive.
    pub position: u64,
}

/// An image as its archive describes it: manifest and configuration are verified, the layers are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The manifest's digest, which is the image's name.
    pub digest: ImageDigest,
    /// What to run in it.
    pub config: RunConfig,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

/// Reads the layout of an image archive out of `bytes`, taking the one manifest that fits this machine. Pure: for
/// checks before anything touches a disk, and for fuzzing.
///
/// # Errors
/// See [`ImageError`]; layers are found but not read.
pub fn parse_layout(bytes: &[u8], limits: &Limits) -> Result<Layout, ImageError> {
    read_layout(&mut Cursor::new(bytes), limits, None)
}

/// As [`parse_layout`], from anything that can be read twice, taking the manifest `wanted` if one is named.
pub(super) fn read_layout<R: Read + Seek>(
    reader: &mut R,
    limits: &Limits,
    wanted: Option<&ImageDigest>,
) -> Result<Layout, ImageError> {
    let mut blobs = Blobs::index(reader, limits)?;
    let layout: OciLayout = blobs.file("oci-layout", "the archive has no oci-layout")?;
    if layout.image_layout_version() != "1.0.0" {
        return Err(ImageError::NotALayout("its version is not 1.0.0"));
    }
    let index: ImageIndex = blobs.file("index.json", "the archive has no index.json")?;
    let mut manifests = Vec::new();
    blobs.collect(&index, 0, &mut manifests)?;
    let chosen = choose(&manifests, wanted)?;
    let (digest, manifest): (_, ImageManifest) = blobs.document("manifest", chosen)?;
    let (_, configuration): (_, ImageConfiguration) =
        blobs.document("configuration", manifest.config())?;
    let layers = blobs.layers(&manifest)?;
    Ok(Layout {
        digest,
        config: RunConfig::from_image(&configuration)?,
        layers,
    })
}

/// The files of an archive by name.
struct Blobs<'a, R> {
    reader: &'a mut R,
    limits: &'a Limits,
    files: BTreeMap<String, Place>,
}

impl<'a, R: Read + Seek> Blobs<'a, R> {
    fn index(reader: &'a mut R, limits: &'a Limits) -> Result<Self, ImageError> {
        reader
            .seek(SeekFrom::Start(0))
            .map_err(|error| ImageError::io("reading the archive", error))?;
        let bytes_max = limits.archive_bytes_max;
        let bounded = Bounded::new(&mut *reader, "the archive", bytes_max, bytes_max);
        let mut entries = Entries::new(
            bounded,
            limits.archive_entries_max,
            limits.archive_entries_max,
        );
        let mut files = BTreeMap::new();
        while let Some(entry) = entries.next(limits)? {
            if entry.kind != Kind::File {
                continue;
            }
            let path = normalise(&entry.path, limits)?;
            if let Some(name) = path.to_str() {
                files.entry(name.to_owned()).or_insert(Place {
                    position: entry.position,
                    size: entry.size,
                });
            }
        }
        Ok(Blobs {
            reader,
            limits,
            files,
        })
    }

    /// The bytes of a small file of the archive.
    fn bytes(&mut self, what: &'static str, place: Place) -> Result<Vec<u8>, ImageError> {
        if place.size > self.limits.json_bytes_max {
            return Err(ImageError::TooLarge {
                what,
                maximum: self.limits.json_bytes_max,
            });
        }
        self.reader
            .seek(SeekFrom::Start(place.position))
            .map_err(|error| ImageError::io("reading the archive", error))?;
        let mut bytes = Vec::new();
        self.reader
            .by_ref()
            .take(place.size)
            .read_to_end(&mut bytes)
            .map_err(reading)?;
        Ok(bytes)
    }

    /// A document that the layout finds by name.
    fn file<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        absent: &'static str,
    ) -> Result<T, ImageError> {
        let place = *self.files.get(name).ok_or(ImageError::NotALayout(absent))?;
        json(name, &self.bytes(name, place)?)
    }

    /// A document that a descriptor finds by digest.
    fn document<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        descriptor: &Descriptor,
    ) -> Result<(ImageDigest, T), ImageError> {
        let (digest, place) = self.find(what, descriptor)?;
        let bytes = self.bytes(what, place)?;
        let provided = ImageDigest::of(&bytes);
        if provided != digest {
            return Err(ImageError::DigestMismatch {
                what,
                expected: digest,
                provided,
            });
        }
        Ok((digest, json(what, &bytes)?))
    }

    fn find(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
    ) -> Result<(ImageDigest, Place), ImageError> {
        let digest: ImageDigest = descriptor.digest().as_ref().parse()?;
        let name = format!("blobs/sha256/{}", digest.hex());
        let place = *self
            .files
            .get(&name)
            .ok_or(ImageError::MissingBlob { what, digest })?;
        if place.size != descriptor.size() {
            return Err(ImageError::SizeMismatch {
                what,
                expected: descriptor.size(),
                provided: place.size,
            });
        }
        Ok((digest, place))
    }

    /// Every manifest that `index` and the indexes it names lead to.
    fn collect(
        &mut self,
        index: &ImageIndex,
        depth: usize,
        into: &mut Vec<Descriptor>,
    ) -> Result<(), ImageError> {
        for descriptor in index.manifests() {
            if into.len() >= self.limits.manifests_max {
                return Err(ImageError::TooMany {
                    what: "manifests",
                    maximum: self.limits.manifests_max as u64,
                });
            }
            match descriptor.media_type() {
                MediaType::ImageManifest => into.push(descriptor.clone()),
                MediaType::ImageIndex if depth < self.limits.index_depth_max => {
                    let (_, inner): (_, ImageIndex) = self.document("index", descriptor)?;
                    self.collect(&inner, depth + 1, into)?;
                }
                MediaType::ImageIndex => {
                    let maximum = self.limits.index_depth_max as u64;
                    return Err(ImageError::TooMany {
                        what: "nested indexes",
                        maximum,
                    });
                }
                // Signatures and the like lie beside images; they are not asked for.
                _ => {}
            }
        }
        Ok(())
    }

    fn layers(&self, manifest: &ImageManifest) -> Result<Vec<Layer>, ImageError> {
        if manifest.layers().len() > self.limits.layers_max {
            return Err(ImageError::TooMany {
                what: "layers",
                maximum: self.limits.layers_max as u64,
            });
        }
        let layer = |descriptor: &Descriptor| {
            let gzip = match descriptor.media_type() {
                MediaType::ImageLayer => false,
                MediaType::ImageLayerGzip => true,
                other => {
                    return Err(ImageError::MediaType(
                        other.to_string().chars().take(120).collect(),
                    ));
                }
            };
            let (digest, place) = self.find("layer", descriptor)?;
            Ok(Layer {
                digest,
                size_bytes: place.size,
                gzip,
                position: place.position,
            })
        };
        manifest.layers().iter().map(layer).collect()
    }
}

/// The manifest `wanted`, or the only one for this kind of machine.
fn choose<'m>(
    manifests: &'m [Descriptor],
    wanted: Option<&ImageDigest>,
) -> Result<&'m Descriptor, ImageError> {
    if let Some(wanted) = wanted {
        let text = wanted.to_string();
        let named = manifests
            .iter()
            .find(|descriptor| descriptor.digest().as_ref() == text);
        return named.ok_or_else(|| ImageError::NoManifest(format!("is {text}")));
    }
    let fits = |descriptor: &&Descriptor| match descriptor.platform() {
        None => true,
        Some(platform) => {
            *platform.os() == Os::Linux && *platform.architecture() == Arch::default()
        }
    };
    let fitting: Vec<_> = manifests.iter().filter(fits).collect();
    match fitting.as_slice() {
        [only] => Ok(only),
        [] => Err(ImageError::NoManifest(format!(
            "for linux on {}",
            Arch::default()
        ))),
        several => Err(ImageError::Ambiguous {
            provided: several.len(),
        }),
    }
}

fn json<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| ImageError::Document {
        what,
        reason: error.to_string(),
    })
}
