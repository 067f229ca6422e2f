//! A container's output on disk: the last two segments of a stream that may go on for ever.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::driver::{LOG_BYTES_MAX, LogChunk};

/// How many segments are kept: a full one, and the one being written.
const SEGMENTS_KEPT: usize = 2;

/// Appends to the output in `folder`.
pub(super) struct LogWriter {
    folder: PathBuf,
    segment_bytes_max: u64,
    start: u64,
    length: u64,
    file: File,
}

impl LogWriter {
    /// Goes on where the output in `folder` ended.
    pub(super) fn open(folder: &Path, segment_bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let start = segments(folder)?.last().copied().unwrap_or(0);
        let file = append(folder, start)?;
        let length = file.metadata()?.len();
        Ok(LogWriter {
            folder: folder.to_owned(),
            segment_bytes_max,
            start,
            length,
            file,
        })
    }

    /// Appends `bytes`, starting a new segment and dropping the oldest where one is full.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.length >= self.segment_bytes_max {
                self.rotate()?;
            }
            let room = usize::try_from(self.segment_bytes_max - self.length).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.file.write_all(now)?;
            self.length += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.start += self.length;
        self.length = 0;
        self.file = append(&self.folder, self.start)?;
        let segments = segments(&self.folder)?;
        for start in segments.iter().rev().skip(SEGMENTS_KEPT) {
            fs::remove_file(self.folder.join(name(*start)))?;
        }
        Ok(())
    }
}

/// Output from the byte `from` on, at most [`LOG_BYTES_MAX`] of it and from one segment.
pub(super) fn read(folder: &Path, from: u64) -> io::Result<LogChunk> {
    let segments = match segments(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found?,
    };
    let Some(oldest) = segments.first() else {
        return Ok(LogChunk {
            from: 0,
            bytes: Vec::new(),
            next: 0,
        });
    };
    let from = from.max(*oldest);
    let start = segments
        .iter()
        .rev()
        .find(|start| **start <= from)
        .unwrap_or(oldest);
    let mut file = match File::open(folder.join(name(*start))) {
        // Rotated away since it was listed: the reader asks again and gets what is there then.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(LogChunk {
                from,
                bytes: Vec::new(),
                next: from,
            });
        }
        found => found?,
    };
    let from = from.min(start + file.metadata()?.len());
    file.seek(SeekFrom::Start(from - start))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let next = from + bytes.len() as u64;
    Ok(LogChunk { from, bytes, next })
}

fn append(folder: &Path, start: u64) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(name(start)))
}

/// A segment's name is the byte of the whole output at which it starts, so that names sort as the output ran.
fn name(start: u64) -> String {
    format!("{start:020}.log")
}

fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        starts.extend(
            name.to_str()
                .and_then(|name| name.strip_suffix(".log"))
                .and_then(|start| start.parse::<u64>().ok()),
        );
    }
    starts.sort_unstable();
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(folder: &Path, mut from: u64) -> (u64, Vec<u8>) {
        let (mut start, mut bytes) = (None, Vec::new());
        loop {
            let chunk = read(folder, from).unwrap();
            start.get_or_insert(chunk.from);
            if chunk.bytes.is_empty() {
                return (start.unwrap(), bytes);
            }
            bytes.extend(chunk.bytes);
            from = chunk.next;
        }
    }

    #[test]
    fn nothing_written_reads_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_all(&folder.path().join("absent"), 7), (0, Vec::new()));
    }

    #[test]
    fn reading_past_the_end_says_where_the_end_is() {
        let folder = tempfile::tempdir().unwrap();
        LogWriter::open(folder.path(), 10)
            .unwrap()
            .write(b"abc")
            .unwrap();
        assert_eq!(
            read(folder.path(), 99).unwrap(),
            LogChunk {
                from: 3,
                bytes: Vec::new(),
                next: 3
            }
        );
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_end_of_what_was_written(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..20),
            reopen in 0usize..20,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = LogWriter::open(folder.path(), 64).unwrap();
            for (place, part) in parts.iter().enumerate() {
                if place == reopen {
                    writer = LogWriter::open(folder.path(), 64).unwrap();
                }
                writer.write(part).unwrap();
            }
            let whole = parts.concat();
            let (from, kept) = read_all(folder.path(), 0);
            prop_assert_eq!(&whole[from as usize..], &kept[..]);
            prop_assert!(kept.len() <= 128);
            prop_assert!(kept.len() >= whole.len().min(64));
        }
    }
}
