//! Transaction outputs, old (array) and new (map) form, by reference to the bytes they came in.

use super::address::Address;
use super::cbor::{DecodeError, Major, Reader};
use super::data::{self, DatumHash};
use super::script::Script;
use super::value::Value;

/// An output's datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum<'a> {
    /// None.
    Absent,
    /// A hash; whoever spends the output shows the datum.
    Hash(DatumHash),
    /// The datum itself, as CBOR.
    Inline(&'a [u8]),
}

/// A transaction output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<'a> {
    /// The whole output as it came: min-UTxO counts these bytes.
    pub raw: &'a [u8],
    /// The address's bytes.
    pub address_bytes: &'a [u8],
    /// What the address says.
    pub address: Address,
    /// Lovelace and assets.
    pub value: Value,
    /// The datum.
    pub datum: Datum<'a>,
    /// A script that later transactions may refer to.
    pub script: Option<Script<'a>>,
}

impl<'a> Output<'a> {
    /// Reads an output that fills `bytes` completely.
    ///
    /// # Errors
    /// When the bytes are no output of the Conway CDDL.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let output = Self::decode(&mut reader)?;
        reader.finish("an output")?;
        Ok(output)
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.position();
        let mut output = match reader.peek()? {
            Major::Map => decode_map(reader)?,
            _ => decode_array(reader)?,
        };
        output.raw = reader.since(start);
        Ok(output)
    }
}

/// `[address, value, ? datum hash]`: Shelley to Alonzo.
fn decode_array<'a>(reader: &mut Reader<'a>) -> Result<Output<'a>, DecodeError> {
    let mut length = reader.array("an output")?;
    let mut fields = Fields::default();
    for _ in 0..2 {
        if !reader.more(&mut length)? {
            return Err(reader.unexpected("an output of two or three fields"));
        }
        match fields.address {
            None => fields.address = Some(reader.bytes("an address")?),
            Some(_) => fields.value = Some(Value::decode(reader)?),
        }
    }
    if reader.more(&mut length)? {
        fields.datum = Some(Datum::Hash(*reader.fixed::<32>("a datum hash")?));
        if reader.more(&mut length)? {
            return Err(reader.unexpected("an output of two or three fields"));
        }
    }
    fields.finish()
}

/// `{0: address, 1: value, ? 2: datum, ? 3: script}`: since Babbage.
fn decode_map<'a>(reader: &mut Reader<'a>) -> Result<Output<'a>, DecodeError> {
    let mut length = reader.map("an output")?;
    let mut fields = Fields::default();
    while reader.more(&mut length)? {
        let fresh = match reader.unsigned("an output's key")? {
            0 => fields
                .address
                .replace(reader.bytes("an address")?)
                .is_none(),
            1 => fields.value.replace(Value::decode(reader)?).is_none(),
            2 => fields.datum.replace(decode_datum(reader)?).is_none(),
            3 => fields.script.replace(decode_script(reader)?).is_none(),
            key => {
                return Err(DecodeError::UnknownKey {
                    what: "an output",
                    key,
                });
            }
        };
        if !fresh {
            return Err(DecodeError::Duplicate { what: "an output" });
        }
    }
    fields.finish()
}

#[derive(Default)]
struct Fields<'a> {
    address: Option<&'a [u8]>,
    value: Option<Value>,
    datum: Option<Datum<'a>>,
    script: Option<Script<'a>>,
}

impl<'a> Fields<'a> {
    fn finish(self) -> Result<Output<'a>, DecodeError> {
        let missing = |field| DecodeError::MissingField {
            what: "an output",
            field,
        };
        let address_bytes = self.address.ok_or(missing("address"))?;
        Ok(Output {
            raw: &[],
            address_bytes,
            address: Address::parse(address_bytes)?,
            value: self.value.ok_or(missing("value"))?,
            datum: self.datum.unwrap_or(Datum::Absent),
            script: self.script,
        })
    }
}

/// `[0, hash] / [1, 24(bytes)]`.
fn decode_datum<'a>(reader: &mut Reader<'a>) -> Result<Datum<'a>, DecodeError> {
    let record = reader.record(2, "a datum option")?;
    let datum = match reader.unsigned("a datum option's kind")? {
        0 => Datum::Hash(*reader.fixed::<32>("a datum hash")?),
        1 => Datum::Inline(embedded(reader, data::check)?),
        key => {
            return Err(DecodeError::UnknownKey {
                what: "a datum option",
                key,
            });
        }
    };
    reader.close(record, "a datum option")?;
    Ok(datum)
}

fn decode_script<'a>(reader: &mut Reader<'a>) -> Result<Script<'a>, DecodeError> {
    embedded(reader, Script::decode)
}

/// `24(bytes)`: a byte string that holds exactly one item.
fn embedded<'a, T>(
    reader: &mut Reader<'a>,
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    if reader.tag("tag 24")? != 24 {
        return Err(reader.unexpected("tag 24"));
    }
    let mut inner = Reader::new(reader.bytes("an embedded item")?);
    let item = decode(&mut inner)?;
    inner.finish("an embedded item")?;
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ADDRESS: &str = "581d6093c191b1094746961f6f00fba27f3d8eff6a66490baf806d4e179fd8";

    fn parse(bytes: &str) -> Result<usize, DecodeError> {
        let bytes = hex::decode(bytes).expect("hex");
        Output::parse(&bytes).map(|output| output.raw.len())
    }

    #[test]
    fn both_forms_are_read() {
        let hash = "5820".to_owned() + &"11".repeat(32);
        for form in [
            format!("82{ADDRESS}00"),
            format!("83{ADDRESS}00{hash}"),
            format!("a200{ADDRESS}0100"),
            format!("bf00{ADDRESS}0100028201d8184100ff"),
            format!("a300{ADDRESS}0100028200{hash}"),
            format!("a300{ADDRESS}010003d818458203424100"),
        ] {
            assert_eq!(parse(&form), Ok(form.len() / 2), "{form}");
        }
    }

    #[test]
    fn a_key_named_twice_an_unknown_key_and_a_missing_field_are_refused() {
        let duplicate = Err(DecodeError::Duplicate { what: "an output" });
        assert_eq!(parse(&format!("a300{ADDRESS}01000100")), duplicate);
        assert_eq!(
            parse(&format!("a300{ADDRESS}01000400")),
            Err(DecodeError::UnknownKey {
                what: "an output",
                key: 4
            })
        );
        assert_eq!(
            parse(&format!("a100{ADDRESS}")),
            Err(DecodeError::MissingField {
                what: "an output",
                field: "value"
            })
        );
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Output::parse(&bytes);
        }
    }
}
