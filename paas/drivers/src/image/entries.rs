//! The entries of a tar stream, read with a bound on everything.
//!
//! The headers are decoded by the `tar` crate; its own iterator is not used because it reads extension records
//! (long names, pax) into memory at whatever length they claim, and expands sparse files.

use std::io::{self, Read};

use super::path::shown;
use super::{ImageError, Limits, error::Exceeded};

/// Bytes of a tar block.
const BLOCK: usize = 512;
/// Longest extension record, in bytes: a pax header with two paths of the longest kind fits.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

/// A reader that fails once it has given more than `maximum` bytes.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    what: &'static str,
    maximum: u64,
}

impl<R> Bounded<R> {
    /// `left` of the `maximum` bytes of `what` remain for this reader.
    pub(super) fn new(inner: R, what: &'static str, left: u64, maximum: u64) -> Self {
        Bounded {
            inner,
            left,
            what,
            maximum,
        }
    }

    /// Bytes that may still be read.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::other(Exceeded {
                    what: self.what,
                    maximum: self.maximum,
                }));
            }
        }
        Ok(count)
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    /// A device node or a pipe, which images do not bring along.
    Device,
}

/// One entry; its bytes are read from the [`Entries`] it came from, before the next one.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Where its bytes start in the stream.
    pub(super) position: u64,
}

/// What extension records say about the entry that follows them.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
}

/// The entries of a tar stream.
pub(super) struct Entries<R> {
    reader: R,
    position: u64,
    /// Bytes of the present entry that nobody has read, and the padding behind them.
    body_left: u64,
    padding: u64,
    entries_left: u64,
    entries_max: u64,
}

impl<R: Read> Entries<R> {
    /// Reads `reader`, of which `entries_left` of `entries_max` entries may still come.
    pub(super) fn new(reader: R, entries_left: u64, entries_max: u64) -> Self {
        Entries {
            reader,
            position: 0,
            body_left: 0,
            padding: 0,
            entries_left,
            entries_max,
        }
    }

    /// How many entries may still come.
    pub(super) fn entries_left(&self) -> u64 {
        self.entries_left
    }

    /// The reader, for what follows the last entry.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// The next entry, or none at the end mark or the end of the stream.
    pub(super) fn next(&mut self, limits: &Limits) -> Result<Option<Entry>, ImageError> {
        let mut extension = Extension::default();
        loop {
            self.skip_body()?;
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            self.entries_left = self
                .entries_left
                .checked_sub(1)
                .ok_or(ImageError::TooMany {
                    what: "entries",
                    maximum: self.entries_max,
                })?;
            let header = tar::Header::from_byte_slice(&block);
            check_sum(header, &block)?;
            let size = header
                .entry_size()
                .map_err(|_| ImageError::Tar("an entry has no size"))?;
            match block[156] {
                b'x' => self.pax(size, &mut extension)?,
                b'g' => drop(self.record(size)?),
                b'L' => extension.path = Some(self.long_name(size)?),
                b'K' => extension.target = Some(self.long_name(size)?),
                kind => return self.entry(header, kind, size, extension, limits).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &tar::Header,
        kind: u8,
        size: u64,
        extension: Extension,
        limits: &Limits,
    ) -> Result<Entry, ImageError> {
        let path = extension
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let target = extension
            .target
            .or_else(|| header.link_name_bytes().map(|bytes| bytes.into_owned()))
            .unwrap_or_default();
        if path.len() > limits.path_bytes_max || target.len() > limits.path_bytes_max {
            return Err(ImageError::Path(shown(&path)));
        }
        let kind = match kind {
            // A plain file whose name ends in a slash is how tar before POSIX wrote a directory.
            b'0' | b'7' | 0 if path.last() == Some(&b'/') => Kind::Directory,
            b'0' | b'7' | 0 => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'5' => Kind::Directory,
            b'3' | b'4' | b'6' => Kind::Device,
            other => {
                return Err(ImageError::EntryKind {
                    path: shown(&path),
                    kind: other.into(),
                });
            }
        };
        let size = extension.size.unwrap_or(size);
        // Links and directories carry no bytes, whatever size they state (as GNU tar and libarchive read them).
        let body = if kind == Kind::File { size } else { 0 };
        self.expect_body(body);
        Ok(Entry {
            path,
            target,
            kind,
            size: body,
            mode: header
                .mode()
                .map_err(|_| ImageError::Tar("an entry has no mode"))?,
            uid: extension
                .uid
                .or_else(|| header.uid().ok())
                .unwrap_or(u64::MAX),
            gid: extension
                .gid
                .or_else(|| header.gid().ok())
                .unwrap_or(u64::MAX),
            position: self.position,
        })
    }

    /// The bytes of the entry that came last.
    pub(super) fn body(&mut self) -> Body<'_, R> {
        Body(self)
    }

    fn expect_body(&mut self, size: u64) {
        self.body_left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_body(&mut self) -> Result<(), ImageError> {
        let left = self.body_left.saturating_add(self.padding);
        self.body_left = 0;
        self.padding = 0;
        let skipped =
            io::copy(&mut self.reader.by_ref().take(left), &mut io::sink()).map_err(reading)?;
        self.position = self.position.saturating_add(skipped);
        if skipped < left {
            Err(ImageError::Tar("it ends within an entry"))
        } else {
            Ok(())
        }
    }

    /// The next header; none at the end mark (a block of zeroes) or where the stream ends between entries.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ImageError> {
        let mut block = [0u8; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ImageError::Tar("it ends within a header")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(reading(error)),
            }
        }
        self.position = self.position.saturating_add(BLOCK as u64);
        Ok((block != [0u8; BLOCK]).then_some(block))
    }

    /// The bytes of an extension record.
    fn record(&mut self, size: u64) -> Result<Vec<u8>, ImageError> {
        if size > EXTENSION_BYTES_MAX {
            return Err(ImageError::TooLarge {
                what: "an extension record",
                maximum: EXTENSION_BYTES_MAX,
            });
        }
        self.expect_body(size);
        let mut bytes = Vec::new();
        self.body().read_to_end(&mut bytes).map_err(reading)?;
        if (bytes.len() as u64) < size {
            Err(ImageError::Tar("it ends within a record"))
        } else {
            Ok(bytes)
        }
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, ImageError> {
        let mut name = self.record(size)?;
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    fn pax(&mut self, size: u64, extension: &mut Extension) -> Result<(), ImageError> {
        let record = self.record(size)?;
        for field in tar::PaxExtensions::new(&record) {
            let field = field.map_err(|_| ImageError::Tar("a pax record is malformed"))?;
            match field.key_bytes() {
                b"path" => extension.path = Some(field.value_bytes().to_vec()),
                b"linkpath" => extension.target = Some(field.value_bytes().to_vec()),
                b"size" => extension.size = Some(number(field.value_bytes())?),
                b"uid" => extension.uid = Some(number(field.value_bytes())?),
                b"gid" => extension.gid = Some(number(field.value_bytes())?),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(ImageError::EntryKind {
                        path: shown(key),
                        kind: 'S',
                    });
                }
                // Times, names of owners and extended attributes (file capabilities among them) stay behind.
                _ => {}
            }
        }
        Ok(())
    }
}

/// The bytes of one entry.
pub(super) struct Body<'a, R>(&'a mut Entries<R>);

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = into
            .len()
            .min(usize::try_from(self.0.body_left).unwrap_or(usize::MAX));
        let count = self.0.reader.read(&mut into[..wanted])?;
        self.0.body_left -= count as u64;
        self.0.position = self.0.position.saturating_add(count as u64);
        Ok(count)
    }
}

/// What a failed reading of a stream means: a limit, a broken compression, or a broken disk.
pub(super) fn reading(error: io::Error) -> ImageError {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            ImageError::Compression(error.to_string())
        }
        _ => ImageError::io("reading the archive", error),
    }
}

fn number(digits: &[u8]) -> Result<u64, ImageError> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(ImageError::Tar(
            "a pax record holds no number where one belongs",
        ))
}

/// POSIX ustar: the sum of the header's bytes, its own field read as spaces.
fn check_sum(header: &tar::Header, block: &[u8; BLOCK]) -> Result<(), ImageError> {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    match header.cksum() {
        Ok(provided) if provided == expected => Ok(()),
        _ => Err(ImageError::Tar("a header's checksum is wrong")),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Numbered;
    use proptest::prelude::*;

    use super::*;

    fn walk(bytes: &[u8], limits: &Limits) -> Result<Vec<Entry>, ImageError> {
        let mut entries = Entries::new(bytes, limits.entries_max, limits.entries_max);
        let mut found = Vec::new();
        while let Some(entry) = entries.next(limits)? {
            found.push(entry);
        }
        Ok(found)
    }

    fn archive(path: &str, bytes: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, bytes).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn long_names_are_read_whole() {
        let path = "d/".repeat(30) + &"n".repeat(200);
        let found = walk(&archive(&path, b"abc"), &Limits::default()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_slice(), found[0].size),
            (path.as_bytes(), 3)
        );
    }

    #[test]
    fn a_record_that_claims_gigabytes_is_refused_unread() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(8 << 30);
        header.set_mode(0);
        header.set_cksum();
        let error = walk(header.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(error.code().0, 8013);
    }

    #[test]
    fn a_truncated_or_altered_archive_is_refused() {
        let whole = archive("a", &[7; 1000]);
        assert_eq!(
            walk(&whole[..700], &Limits::default())
                .unwrap_err()
                .code()
                .0,
            8011
        );
        assert_eq!(
            walk(&whole[..300], &Limits::default())
                .unwrap_err()
                .code()
                .0,
            8011
        );
        let mut altered = whole;
        altered[0] ^= 1;
        assert_eq!(
            walk(&altered, &Limits::default()).unwrap_err().code().0,
            8011
        );
    }

    #[test]
    fn entries_are_counted() {
        let limits = Limits {
            entries_max: 0,
            ..Limits::default()
        };
        assert_eq!(
            walk(&archive("a", b""), &limits).unwrap_err().code().0,
            8014
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = walk(&bytes, &Limits::default());
        }

        #[test]
        fn no_altered_header_makes_the_reader_panic(place in 0usize..512, value: u8, size in 0usize..600) {
            let mut bytes = archive("some/path", &vec![1; size]);
            bytes[place] = value;
            let block: [u8; BLOCK] = bytes[..BLOCK].try_into().unwrap();
            let header = tar::Header::from_byte_slice(&block).clone();
            let mut header = header;
            header.set_cksum();
            bytes[..BLOCK].copy_from_slice(header.as_bytes());
            let _ = walk(&bytes, &Limits::default());
        }
    }
}
