//! Credentials, DReps and anchors: what certificates, votes and proposals name people and documents by.

use crate::address::Credential;
use crate::cbor::{DecodeError, Reader};

/// The longest URL of an anchor or a pool's metadata, in bytes (Conway CDDL, `url`).
const URL_LENGTH_MAX: usize = 128;

/// Whom stake votes through (Conway CDDL, `drep`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DRep {
    /// A registered representative.
    Credential(Credential),
    /// Abstains from everything.
    AlwaysAbstain,
    /// Has no confidence in the committee.
    AlwaysNoConfidence,
}

/// A document elsewhere (Conway CDDL, `anchor`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor<'a> {
    /// Where it is said to be.
    pub url: &'a str,
    /// blake2b-256 of it.
    pub hash: &'a [u8; 32],
}

impl Credential {
    /// The hash, whichever it is of.
    pub fn hash(&self) -> &[u8; 28] {
        match self {
            Self::Key(hash) | Self::Script(hash) => hash,
        }
    }

    /// `[0, key hash] / [1, script hash]` that fills `bytes` completely.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let credential = Self::decode(&mut reader)?;
        reader.finish("a credential")?;
        Ok(credential)
    }

    /// `[0, key hash] / [1, script hash]` (Conway CDDL, `credential`).
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "a credential";
        let (kind, record) = reader.variant(what, |kind| (kind < 2).then_some(2))?;
        let hash = *reader.fixed::<28>("a credential's hash")?;
        reader.close(record, what)?;
        Ok(if kind == 0 {
            Self::Key(hash)
        } else {
            Self::Script(hash)
        })
    }
}

impl DRep {
    /// `[0, key hash] / [1, script hash] / [2] / [3]` that fills `bytes` completely.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let drep = Self::decode(&mut reader)?;
        reader.finish("a DRep")?;
        Ok(drep)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "a DRep";
        let (kind, record) = reader.variant(what, |kind| match kind {
            0 | 1 => Some(2),
            2 | 3 => Some(1),
            _ => None,
        })?;
        let drep = match kind {
            0 => Self::Credential(Credential::Key(*reader.fixed::<28>("a DRep's key hash")?)),
            1 => Self::Credential(Credential::Script(
                *reader.fixed::<28>("a DRep's script hash")?,
            )),
            2 => Self::AlwaysAbstain,
            _ => Self::AlwaysNoConfidence,
        };
        reader.close(record, what)?;
        Ok(drep)
    }
}

impl<'a> Anchor<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let record = reader.record(2, "an anchor")?;
        let anchor = Self {
            url: url(reader)?,
            hash: reader.fixed::<32>("an anchor's hash")?,
        };
        reader.close(record, "an anchor")?;
        Ok(anchor)
    }

    /// `anchor / nil`.
    pub(crate) fn decode_optional(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        if reader.null()? {
            Ok(None)
        } else {
            Self::decode(reader).map(Some)
        }
    }
}

/// A text of at most 128 bytes.
pub(super) fn url<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let url = reader.text("a URL")?;
    if url.len() > URL_LENGTH_MAX {
        return Err(DecodeError::TooLong {
            what: "a URL",
            provided: url.len(),
            maximum: URL_LENGTH_MAX,
        });
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes, list, unsigned};

    #[test]
    fn each_form_of_a_drep_is_read_and_no_other() {
        let with_hash = |kind| list(&[unsigned(kind), bytes(&[7; 28])]);
        let key = DRep::Credential(Credential::Key([7; 28]));
        let script = DRep::Credential(Credential::Script([7; 28]));
        assert_eq!(DRep::parse(&with_hash(0)), Ok(key));
        assert_eq!(DRep::parse(&with_hash(1)), Ok(script));
        assert_eq!(DRep::parse(&[0x81, 2]), Ok(DRep::AlwaysAbstain));
        assert_eq!(
            DRep::parse(&[0x9f, 3, 0xff]),
            Ok(DRep::AlwaysNoConfidence),
            "of indefinite length"
        );
        let unknown = DecodeError::UnknownKey {
            what: "a DRep",
            key: 4,
        };
        assert_eq!(DRep::parse(&[0x81, 4]), Err(unknown));
        let wrong_length = DecodeError::WrongLength {
            what: "a DRep",
            provided: 2,
            expected: 1,
        };
        assert_eq!(DRep::parse(&with_hash(2)), Err(wrong_length));
    }

    #[test]
    fn a_credential_is_a_key_or_a_script_and_nothing_follows_it() {
        let script = list(&[unsigned(1), bytes(&[7; 28])]);
        assert_eq!(Credential::parse(&script), Ok(Credential::Script([7; 28])));
        let followed = [script, vec![0]].concat();
        let trailing = DecodeError::TrailingBytes {
            what: "a credential",
            count: 1,
        };
        assert_eq!(Credential::parse(&followed), Err(trailing));
    }

    #[test]
    fn an_anchors_url_has_at_most_128_bytes() {
        for (length, is_read) in [(0, true), (128, true), (129, false)] {
            let url = [vec![0x78, length], vec![b'a'; usize::from(length)]].concat();
            let anchor = list(&[url, bytes(&[7; 32])]);
            let read = Anchor::decode(&mut Reader::new(&anchor));
            assert_eq!(read.is_ok(), is_read, "{length}");
        }
    }
}
