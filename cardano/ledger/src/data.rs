//! The form of Plutus data (Conway CDDL, `plutus_data`), checked without recursion.

use super::cbor::{DecodeError, Length, Major, Reader};
use pallas_crypto::hash::Hasher;

/// blake2b-256 of a datum's bytes.
pub type DatumHash = [u8; 32];

/// The longest piece of a byte string in Plutus data, in bytes: longer strings come in chunks.
const CHUNK_LENGTH_MAX: usize = 64;
const WHAT: &str = "Plutus data";

/// Reads one well-formed datum and returns its bytes.
pub(crate) fn check<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let start = reader.position();
    let mut open: Vec<Open> = Vec::new();
    loop {
        enter(reader, &mut open)?;
        loop {
            let Some(level) = open.last_mut() else {
                return Ok(reader.since(start));
            };
            if level.next(reader)? {
                break;
            }
            open.pop();
        }
    }
}

/// The hash by which outputs and witnesses name a datum.
pub fn datum_hash(datum: &[u8]) -> DatumHash {
    *Hasher::<256>::hash(datum)
}

/// A list or map whose items are being read.
struct Open {
    items: Length,
    /// A map's value is due before its next key.
    is_map: bool,
    value_due: bool,
}

impl Open {
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
        if self.value_due {
            self.value_due = false;
            return Ok(true);
        }
        let more = reader.more(&mut self.items)?;
        self.value_due = more && self.is_map;
        Ok(more)
    }
}

fn enter(reader: &mut Reader<'_>, open: &mut Vec<Open>) -> Result<(), DecodeError> {
    match reader.peek()? {
        Major::Unsigned | Major::Negative => {
            reader.integer(WHAT)?;
        }
        Major::Bytes => {
            reader.chunked_bytes(CHUNK_LENGTH_MAX, "a byte string in Plutus data")?;
        }
        Major::Array => {
            let items = reader.array(WHAT)?;
            open.push(Open {
                items,
                is_map: false,
                value_due: false,
            });
        }
        Major::Map => {
            let items = reader.map(WHAT)?;
            open.push(Open {
                items,
                is_map: true,
                value_due: false,
            });
        }
        Major::Tag => enter_tagged(reader, open)?,
        Major::Text | Major::Simple => return Err(reader.unexpected(WHAT)),
    }
    Ok(())
}

fn enter_tagged(reader: &mut Reader<'_>, open: &mut Vec<Open>) -> Result<(), DecodeError> {
    match reader.tag(WHAT)? {
        2 | 3 => {
            reader.chunked_bytes(CHUNK_LENGTH_MAX, "a big integer in Plutus data")?;
            return Ok(());
        }
        121..=127 | 1280..=1400 => {}
        102 => {
            // The evaluator takes the pair in definite form only.
            if reader.array(WHAT)? != Length::Definite(2) {
                return Err(reader.unexpected("a definite pair after tag 102"));
            }
            reader.unsigned("a constructor's number")?;
        }
        key => {
            return Err(DecodeError::UnknownKey {
                what: "a tag of Plutus data",
                key,
            });
        }
    }
    let items = reader.array("a constructor's fields")?;
    open.push(Open {
        items,
        is_map: false,
        value_due: false,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &str) -> Result<usize, DecodeError> {
        let bytes = hex::decode(bytes).expect("hex");
        check(&mut Reader::new(&bytes)).map(<[u8]>::len)
    }

    #[test]
    fn every_form_is_read_to_its_end() {
        let forms = [
            "00",
            "20",
            "4101",
            "80",
            "9fff",
            "d87980",
            "d87a9f01ff",
            "d8668218ff8101",
            "a1010a",
            "bf4100d87980ff",
            "c24101",
            "5f41014102ff",
            "a10181a20102034100",
        ];
        for form in forms {
            assert_eq!(length(form), Ok(form.len() / 2), "{form}");
        }
    }

    #[test]
    fn what_is_not_plutus_data_is_refused() {
        let long = "5841".to_owned() + &"00".repeat(65);
        for form in ["f6", "6161", "a101", "d87801", "d8184100", long.as_str()] {
            assert!(length(form).is_err(), "{form}");
        }
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let mut bytes = vec![0x81; 500_000];
        bytes.push(0x80);
        assert_eq!(
            check(&mut Reader::new(&bytes)).map(<[u8]>::len),
            Ok(500_001)
        );
    }
}
