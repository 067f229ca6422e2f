//! How large an uploaded image may be.

/// Bounds on an image archive and on what it unpacks to. Whatever exceeds one is refused by name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive itself.
    pub archive_bytes_max: u64,
    /// Entries of the archive, which are blobs for the most part.
    pub archive_entries_max: u64,
    /// Bytes of one JSON document (index, manifest, configuration).
    pub json_bytes_max: u64,
    /// Manifests that all indexes together may name.
    pub manifests_max: usize,
    /// How deep indexes may name further indexes.
    pub index_depth_max: usize,
    /// Layers of one image.
    pub layers_max: usize,
    /// Entries of all layers together.
    pub entries_max: u64,
    /// Bytes of all layers together once decompressed, headers and padding included: this is what stops a
    /// decompression bomb.
    pub unpacked_bytes_max: u64,
    /// Bytes of one path or link target.
    pub path_bytes_max: usize,
    /// Folders a path may go down.
    pub path_depth_max: usize,
}

impl Default for Limits {
    /// Ample for a service image; an agent's configuration may say otherwise.
    fn default() -> Self {
        Limits {
            archive_bytes_max: 512 << 20,
            archive_entries_max: 1024,
            json_bytes_max: 1 << 20,
            manifests_max: 32,
            index_depth_max: 2,
            layers_max: 128,
            entries_max: 200_000,
            unpacked_bytes_max: 2 << 30,
            path_bytes_max: 4096,
            path_depth_max: 64,
        }
    }
}
