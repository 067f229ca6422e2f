//! Finds the end of CBOR items (RFC 8949) in bytes from strangers: total, without recursion, with a bound on size and depth.
//!
//! Everything that arrives over a socket passes through [`Scanner`] before any decoder sees it, since those recurse.

use thiserror::Error;

/// Why bytes are not one acceptable item.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScanError {
    /// A head that RFC 8949 reserves, or a break outside of an indefinite item.
    #[error("not CBOR at offset {offset}")]
    Malformed {
        /// Where, in bytes.
        offset: usize,
    },
    /// The item nests deeper than allowed.
    #[error("nested deeper than {maximum}")]
    TooDeep {
        /// The greatest depth allowed.
        maximum: usize,
    },
    /// The item says it is longer than allowed.
    #[error("longer than {maximum} bytes")]
    TooLong {
        /// The greatest length allowed, in bytes.
        maximum: usize,
    },
    /// The bytes end inside the item.
    #[error("ends inside an item, at offset {offset}")]
    Incomplete {
        /// How many bytes there are.
        offset: usize,
    },
}

/// What an open item still waits for.
#[derive(Clone, Copy, Debug)]
enum Open {
    Items(u64),
    Break,
}

/// Bounds on one item.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The greatest length in bytes.
    pub bytes: usize,
    /// The greatest nesting depth; tags count.
    pub depth: usize,
}

/// Scans one item. Keeps its place, so that an item arriving in many pieces costs no more than one arriving whole.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    position: usize,
    open: Vec<Open>,
    finished: bool,
}

/// The first byte of an item and the number after it.
struct Head {
    major: u8,
    argument: Option<u64>,
    len: usize,
}

impl Scanner {
    /// A scanner at the start of an item.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            position: 0,
            open: Vec::new(),
            finished: false,
        }
    }

    /// Goes on scanning. `bytes` begins where the item begins and may have grown since the last call. Gives the item's
    /// length once all of it is there.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        while !self.finished {
            let Some(head) = self.head(bytes)? else {
                return Ok(None);
            };
            self.enter(&head)?;
        }
        Ok((self.position <= bytes.len()).then_some(self.position))
    }

    fn head(&self, bytes: &[u8]) -> Result<Option<Head>, ScanError> {
        let Some(&first) = bytes.get(self.position) else {
            return Ok(None);
        };
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1usize << (info - 24),
            31 if (2..=5).contains(&major) || major == 7 => 0,
            _ => {
                return Err(ScanError::Malformed {
                    offset: self.position,
                });
            }
        };
        let Some(tail) = bytes.get(self.position + 1..self.position + 1 + width) else {
            return Ok(None);
        };
        let wide = tail
            .iter()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
        let argument = match info {
            31 => None,
            0..=23 => Some(u64::from(info)),
            _ => Some(wide),
        };
        Ok(Some(Head {
            major,
            argument,
            len: 1 + width,
        }))
    }

    fn enter(&mut self, head: &Head) -> Result<(), ScanError> {
        let offset = self.position;
        self.move_by(head.len as u64)?;
        match (head.major, head.argument) {
            (0 | 1 | 7, Some(_)) => self.complete(),
            (2 | 3, Some(len)) => {
                self.move_by(len)?;
                self.complete();
            }
            (4 | 5, Some(0)) => self.complete(),
            (4, Some(count)) => self.push(Open::Items(count))?,
            (5, Some(count)) => self.push(Open::Items(count.saturating_mul(2)))?,
            (6, Some(_)) => self.push(Open::Items(1))?,
            (2..=5, None) => self.push(Open::Break)?,
            _ => match self.open.pop() {
                Some(Open::Break) => self.complete(),
                _ => return Err(ScanError::Malformed { offset }),
            },
        }
        Ok(())
    }

    fn push(&mut self, open: Open) -> Result<(), ScanError> {
        let (maximum, bytes) = (self.limits.depth, self.limits.bytes);
        if self.open.len() >= maximum {
            return Err(ScanError::TooDeep { maximum });
        }
        // Each item takes a byte at least, so a count beyond the limit can be refused at once.
        if matches!(open, Open::Items(count) if count > bytes as u64) {
            return Err(ScanError::TooLong { maximum: bytes });
        }
        self.open.push(open);
        Ok(())
    }

    fn move_by(&mut self, len: u64) -> Result<(), ScanError> {
        let maximum = self.limits.bytes;
        let moved = usize::try_from(len)
            .ok()
            .and_then(|len| self.position.checked_add(len));
        self.position = moved
            .filter(|end| *end <= maximum)
            .ok_or(ScanError::TooLong { maximum })?;
        Ok(())
    }

    /// An item ended: so do the items of which it was the last.
    fn complete(&mut self) {
        loop {
            match self.open.last_mut() {
                None => self.finished = true,
                Some(Open::Items(left)) if *left <= 1 => {
                    self.open.pop();
                    continue;
                }
                Some(Open::Items(left)) => *left -= 1,
                Some(Open::Break) => {}
            }
            return;
        }
    }
}

/// Takes the items of a record apart without decoding them.
#[derive(Debug)]
pub(crate) struct Slices<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Slices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Enters an array of exactly `count` items; tells whether a break must follow them.
    pub(crate) fn array(&mut self, count: u8) -> Result<bool, ScanError> {
        let malformed = ScanError::Malformed {
            offset: self.position,
        };
        match self.list(4)? {
            None => Ok(true),
            Some(len) if len == u64::from(count) => Ok(false),
            Some(_) => Err(malformed),
        }
    }

    /// The next item's bytes.
    pub(crate) fn item(&mut self) -> Result<&'a [u8], ScanError> {
        let rest = self.rest();
        let limits = Limits {
            bytes: rest.len(),
            depth: rest.len(),
        };
        let len = match Scanner::new(limits).advance(rest) {
            Ok(Some(len)) => len,
            Ok(None) | Err(ScanError::TooLong { .. }) => {
                return Err(ScanError::Incomplete {
                    offset: self.bytes.len(),
                });
            }
            Err(error) => return Err(error),
        };
        self.position += len;
        Ok(&rest[..len])
    }

    /// Enters an array (`major` 4) or map (5) of any length: how many items follow, or none if a break ends them.
    fn list(&mut self, major: u8) -> Result<Option<u64>, ScanError> {
        let limits = Limits {
            bytes: self.bytes.len(),
            depth: 0,
        };
        let head = Scanner::new(limits).head(self.rest())?;
        let head = head.ok_or(ScanError::Incomplete {
            offset: self.bytes.len(),
        })?;
        if head.major != major {
            return Err(ScanError::Malformed {
                offset: self.position,
            });
        }
        self.position += head.len;
        Ok(head
            .argument
            .map(|count| count.saturating_mul(u64::from(major - 3))))
    }

    /// The items of an array (`major` 4), or the keys and values of a map (5), that fills the bytes.
    pub(crate) fn items(bytes: &'a [u8], major: u8) -> Result<Vec<&'a [u8]>, ScanError> {
        let mut slices = Self::new(bytes);
        let count = slices.list(major)?;
        let mut items = Vec::new();
        while count.map_or(slices.rest().first() != Some(&0xff), |count| {
            (items.len() as u64) < count
        }) {
            items.push(slices.item()?);
        }
        slices.finish(count.is_none())?;
        Ok(items)
    }

    /// Ends the record, and the bytes with it.
    pub(crate) fn finish(mut self, indefinite: bool) -> Result<(), ScanError> {
        if indefinite {
            if self.rest().first() != Some(&0xff) {
                return Err(ScanError::Malformed {
                    offset: self.position,
                });
            }
            self.position += 1;
        }
        match self.rest() {
            [] => Ok(()),
            _ => Err(ScanError::Malformed {
                offset: self.position,
            }),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bytes: 1_000,
        depth: 8,
    };

    fn scan(bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        Scanner::new(LIMITS).advance(bytes)
    }

    #[test]
    fn an_item_ends_where_rfc_8949_says() {
        let cases = [
            ("00ff", 1),
            ("8201820203", 5),
            ("9f01ff00", 3),
            ("bf0102ff", 4),
            ("5f41004100ff00", 6),
            ("d87980", 3),
            ("a10281f6", 4),
            ("1b00000000000000ff01", 9),
            ("f9000000", 3),
            ("8000", 1),
        ];
        for (bytes, len) in cases {
            assert_eq!(
                scan(&hex::decode(bytes).expect("hex")),
                Ok(Some(len)),
                "{bytes}"
            );
        }
    }

    #[test]
    fn what_cannot_become_an_item_is_refused_at_once() {
        let cases: [(&[u8], ScanError); 6] = [
            (&[0xff], ScanError::Malformed { offset: 0 }),
            (&[0x81, 0xff], ScanError::Malformed { offset: 1 }),
            (&[0x1c], ScanError::Malformed { offset: 0 }),
            (&[0xdf], ScanError::Malformed { offset: 0 }),
            (
                &[0x5a, 0xff, 0xff, 0xff, 0xff],
                ScanError::TooLong { maximum: 1_000 },
            ),
            (&[0x81; 9], ScanError::TooDeep { maximum: 8 }),
        ];
        for (bytes, error) in cases {
            assert_eq!(scan(bytes), Err(error), "{bytes:x?}");
        }
    }

    #[test]
    fn a_record_is_split_into_the_bytes_it_came_in() {
        for (bytes, indefinite) in [("82181a4101", false), ("9f181a4101ff", true)] {
            let bytes = hex::decode(bytes).expect("hex");
            let mut slices = Slices::new(&bytes);
            assert_eq!(slices.array(2), Ok(indefinite));
            assert_eq!(slices.item(), Ok(&[0x18, 0x1a][..]));
            assert_eq!(slices.item(), Ok(&[0x41, 0x01][..]));
            assert_eq!(slices.finish(indefinite), Ok(()));
        }
    }

    #[test]
    fn a_record_with_bytes_behind_it_is_refused() {
        let mut slices = Slices::new(&[0x81, 0x00, 0x00]);
        let _ = slices.array(1);
        let _ = slices.item();
        assert_eq!(
            slices.finish(false),
            Err(ScanError::Malformed { offset: 2 })
        );
    }

    proptest! {
        #[test]
        fn pieces_and_the_whole_are_judged_alike(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let whole = scan(&bytes);
            let mut pieces = Scanner::new(LIMITS);
            let mut last = Ok(None);
            for end in 0..=bytes.len() {
                last = pieces.advance(&bytes[..end]);
                if last != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(whole, last);
        }
    }
}
