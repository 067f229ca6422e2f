//! Auxiliary data: metadata and scripts that no rule but their own form and hash is about (Conway CDDL, `auxiliary_data`).

use crate::cbor::{DecodeError, Length, Major, Reader};
use crate::native_script;
use crate::script::{PlutusVersion, Script};
use std::collections::BTreeSet;

const WHAT: &str = "auxiliary data";
const AUXILIARY_TAG: u64 = 259;

/// The longest string in metadata, in bytes (Shelley ledger, `validMetadatum`).
const STRING_LENGTH_MAX: usize = 64;

/// Auxiliary data as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuxiliaryData<'a> {
    /// The bytes, which the body's hash is over.
    pub raw: &'a [u8],
    /// The longest string in the metadata, in bytes: the ledger allows 64.
    pub longest_string_bytes: usize,
    /// The Plutus scripts.
    pub plutus_scripts: Vec<Script<'a>>,
}

impl<'a> AuxiliaryData<'a> {
    /// The longest string that metadata may hold, in bytes.
    pub const STRING_LENGTH_MAX: usize = STRING_LENGTH_MAX;

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.position();
        let mut data = Self {
            raw: &[],
            longest_string_bytes: 0,
            plutus_scripts: Vec::new(),
        };
        match reader.peek()? {
            Major::Map => data.decode_metadata(reader)?,
            Major::Array => data.decode_pair(reader)?,
            _ => data.decode_tagged(reader)?,
        }
        data.raw = reader.since(start);
        Ok(data)
    }

    /// `[metadata, native scripts]`: Allegra and Mary.
    fn decode_pair(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let record = reader.record(2, WHAT)?;
        self.decode_metadata(reader)?;
        decode_native_scripts(reader)?;
        reader.close(record, WHAT)
    }

    /// `259({? 0: metadata, ? 1: native scripts, ? 2 to 4: Plutus scripts})`: since Alonzo.
    fn decode_tagged(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        if reader.tag(WHAT)? != AUXILIARY_TAG {
            return Err(reader.unexpected("tag 259"));
        }
        let mut seen = BTreeSet::new();
        let mut length = reader.map(WHAT)?;
        while reader.more(&mut length)? {
            let key = reader.unsigned("a key of auxiliary data")?;
            if !seen.insert(key) {
                return Err(DecodeError::Duplicate { what: WHAT });
            }
            match key {
                0 => self.decode_metadata(reader)?,
                1 => decode_native_scripts(reader)?,
                2 => self.decode_plutus_scripts(reader, PlutusVersion::V1)?,
                3 => self.decode_plutus_scripts(reader, PlutusVersion::V2)?,
                4 => self.decode_plutus_scripts(reader, PlutusVersion::V3)?,
                key => return Err(DecodeError::UnknownKey { what: WHAT, key }),
            }
        }
        Ok(())
    }

    fn decode_plutus_scripts(
        &mut self,
        reader: &mut Reader<'a>,
        version: PlutusVersion,
    ) -> Result<(), DecodeError> {
        let mut length = reader.array("Plutus scripts in auxiliary data")?;
        while reader.more(&mut length)? {
            let script = reader.bytes("a Plutus script")?;
            self.plutus_scripts.push(Script::Plutus(version, script));
        }
        Ok(())
    }

    fn decode_metadata(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut labels = BTreeSet::new();
        let mut length = reader.map("metadata")?;
        while reader.more(&mut length)? {
            if !labels.insert(reader.unsigned("a metadata label")?) {
                return Err(DecodeError::Duplicate { what: "metadata" });
            }
            self.decode_metadatum(reader)?;
        }
        Ok(())
    }

    /// One metadatum of any depth, without recursion.
    fn decode_metadatum(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut open: Vec<(Length, bool, bool)> = Vec::new();
        loop {
            self.enter(reader, &mut open)?;
            loop {
                let Some((items, is_map, value_due)) = open.last_mut() else {
                    return Ok(());
                };
                if *value_due {
                    *value_due = false;
                    break;
                }
                if reader.more(items)? {
                    *value_due = *is_map;
                    break;
                }
                open.pop();
            }
        }
    }

    fn enter(
        &mut self,
        reader: &mut Reader<'_>,
        open: &mut Vec<(Length, bool, bool)>,
    ) -> Result<(), DecodeError> {
        let what = "a metadatum";
        match reader.peek()? {
            Major::Unsigned | Major::Negative => {
                reader.integer(what)?;
            }
            Major::Bytes => {
                let length = reader.chunked_bytes(usize::MAX, what)?;
                self.longest_string_bytes = self.longest_string_bytes.max(length);
            }
            Major::Text => {
                let length = reader.chunked_text(what)?;
                self.longest_string_bytes = self.longest_string_bytes.max(length);
            }
            Major::Array => open.push((reader.array(what)?, false, false)),
            Major::Map => open.push((reader.map(what)?, true, false)),
            Major::Tag | Major::Simple => return Err(reader.unexpected(what)),
        }
        Ok(())
    }
}

fn decode_native_scripts(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let mut length = reader.array("native scripts in auxiliary data")?;
    while reader.more(&mut length)? {
        native_script::check(reader)?;
    }
    Ok(())
}
