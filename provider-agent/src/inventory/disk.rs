//! How fast the disk below the data folder is: written with the drive's own acknowledgement, read past the page cache.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};
use serde::{Deserialize, Serialize};

use super::{Effort, InventoryError, Samples};

/// Bytes written or read at a time.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// What direct reads must be aligned to: no disk asks for more.
const ALIGNMENT: usize = 4096;
/// Small writes, each acknowledged, whose time tells a drive with a cache from one without.
const SYNCS: u32 = 8;

/// How fast the disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSpeed {
    /// Sequential writing, until the drive acknowledged.
    pub write: Samples,
    /// Sequential reading.
    pub read: Samples,
    /// Whether reads went past the page cache (`O_DIRECT`); else the cache was only asked to forget the file.
    pub read_direct: bool,
    /// The mean time in which a write of one block of 4 KiB is acknowledged.
    pub sync_us: u64,
}

impl DiskSpeed {
    /// Measures with a file in `folder`, which is gone afterwards.
    pub(super) fn measure(folder: &Path, effort: &Effort) -> Result<Self, InventoryError> {
        let scratch = Scratch(folder.join(format!("speed-{}.tmp", std::process::id())));
        let mut speed = DiskSpeed {
            write: Samples::default(),
            read: Samples::default(),
            read_direct: true,
            sync_us: 0,
        };
        let blocks = effort.disk_bytes / BLOCK_BYTES as u64;
        let bytes = blocks * BLOCK_BYTES as u64;
        for _ in 0..effort.samples {
            speed.write.push(bytes, scratch.write(blocks)?);
            let (time, direct) = scratch.read(blocks)?;
            speed.read.push(bytes, time);
            speed.read_direct &= direct;
        }
        speed.sync_us = scratch.sync_us()?;
        Ok(speed)
    }
}

/// A file that goes when measuring ends, however it ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Scratch {
    fn write(&self, blocks: u64) -> Result<Duration, InventoryError> {
        let failed = |source| InventoryError::Io {
            doing: "writing",
            path: self.0.clone(),
            source,
        };
        let block = noise();
        let start = Instant::now();
        let mut file = File::create(&self.0).map_err(failed)?;
        for _ in 0..blocks {
            file.write_all(&block).map_err(failed)?;
        }
        file.sync_data().map_err(failed)?;
        Ok(start.elapsed())
    }

    fn read(&self, blocks: u64) -> Result<(Duration, bool), InventoryError> {
        let failed = |source| InventoryError::Io {
            doing: "reading",
            path: self.0.clone(),
            source,
        };
        let direct = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_DIRECT.bits())
            .open(&self.0);
        let (mut file, is_direct) = match direct {
            Ok(file) => (file, true),
            // Some filesystems, such as older tmpfs, know no direct reads.
            Err(_) => (File::open(&self.0).map_err(failed)?, false),
        };
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
            .map_err(|errno| failed(errno.into()))?;
        let mut buffer = vec![0u8; BLOCK_BYTES + ALIGNMENT];
        let aligned = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let buffer = &mut buffer[aligned..aligned + BLOCK_BYTES];
        let start = Instant::now();
        for _ in 0..blocks {
            file.read_exact(buffer).map_err(failed)?;
        }
        Ok((start.elapsed(), is_direct))
    }

    fn sync_us(&self) -> Result<u64, InventoryError> {
        let failed = |source| InventoryError::Io {
            doing: "writing",
            path: self.0.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .open(&self.0)
            .map_err(failed)?;
        let start = Instant::now();
        for _ in 0..SYNCS {
            let done: io::Result<()> = file
                .write_all(&[7u8; ALIGNMENT])
                .and_then(|()| file.sync_data());
            done.map_err(failed)?;
        }
        Ok(u64::try_from(start.elapsed().as_micros() / u128::from(SYNCS)).unwrap_or(u64::MAX))
    }
}

/// A block that no drive or filesystem can compress: xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    while block.len() < BLOCK_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = DiskSpeed::measure(Path::new("/proc/absent"), &Effort::default()).unwrap_err();
        assert!(
            matches!(
                error,
                InventoryError::Io {
                    doing: "writing",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn noise_does_not_repeat() {
        let block = noise();
        assert_eq!(block.len(), BLOCK_BYTES);
        let words: std::collections::BTreeSet<&[u8]> = block.chunks(8).collect();
        assert_eq!(words.len(), BLOCK_BYTES / 8);
    }
}
