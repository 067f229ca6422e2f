//! CBOR of outputs (Conway CDDL, `transaction_output`).
//!
//! Written by hand: decoders that build Plutus data as a tree fall over data nested deeper than the stack when they
//! drop it, and anyone can put such data at anyone's address.

use minicbor::{
    Decoder, Encoder,
    data::{IanaTag, Type},
};
use nupeer_primitives::{AssetId, Hash};
use pallas_addresses::Address;

use super::{Datum, Output};
use crate::{Script, ScriptLanguage, Value};

/// Why bytes are no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an output: {0}")]
pub struct OutputError(pub String);

impl From<minicbor::decode::Error> for OutputError {
    fn from(error: minicbor::decode::Error) -> Self {
        OutputError(error.to_string())
    }
}

type Decoded<T> = Result<T, minicbor::decode::Error>;
type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

pub(super) fn encode(output: &Output) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    let written = write_output(&mut e, output);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    e.into_writer()
}

fn write_output(e: &mut Encoder<Vec<u8>>, output: &Output) -> Written {
    let optional = usize::from(output.datum.is_some()) + usize::from(output.script.is_some());
    e.map(2 + optional as u64)?;
    e.u8(0)?.bytes(&output.address.to_vec())?;
    write_value(e.u8(1)?, &output.value)?;
    if let Some(datum) = &output.datum {
        write_datum(e.u8(2)?, datum)?;
    }
    if let Some(script) = &output.script {
        e.u8(3)?
            .tag(IanaTag::Cbor)?
            .bytes(&script_reference(script))?;
    }
    Ok(())
}

/// `coin` or `[coin, {policy: {name: amount}}]`, keys in ascending order.
fn write_value(e: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    if !value.has_tokens() {
        return e.u64(value.coin())?.ok();
    }
    let policies = value.policies();
    e.array(2)?.u64(value.coin())?.map(policies.len() as u64)?;
    for (policy, names) in policies {
        e.bytes(&policy.0)?.map(names.len() as u64)?;
        for (name, amount) in names {
            e.bytes(name)?.u64(amount)?;
        }
    }
    Ok(())
}

pub(crate) fn encoded_value_bytes(value: &Value) -> u64 {
    let mut e = Encoder::new(Vec::new());
    let written = write_value(&mut e, value);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    e.into_writer().len() as u64
}

fn write_datum(e: &mut Encoder<Vec<u8>>, datum: &Datum) -> Written {
    match datum {
        Datum::Hash(hash) => e.array(2)?.u8(0)?.bytes(&hash.0)?.ok(),
        Datum::Inline(data) => e.array(2)?.u8(1)?.tag(IanaTag::Cbor)?.bytes(data)?.ok(),
    }
}

/// `[language, script]`, where a native script stands as it is and a Plutus script as a byte string.
fn script_reference(script: &Script) -> Vec<u8> {
    let mut bytes = vec![0x82, script.language as u8];
    match script.language {
        ScriptLanguage::Native => bytes.extend_from_slice(&script.bytes),
        _ => {
            let mut e = Encoder::new(&mut bytes);
            let written = e.bytes(&script.bytes).is_ok();
            debug_assert!(written, "a vector takes every byte");
        }
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Output, OutputError> {
    let mut d = Decoder::new(bytes);
    let output = match d.datatype()? {
        Type::Map | Type::MapIndef => read_map(&mut d)?,
        _ => read_legacy(&mut d)?,
    };
    match d.position() == bytes.len() {
        true => Ok(output),
        false => Err(OutputError("bytes after its end".into())),
    }
}

fn read_map(d: &mut Decoder<'_>) -> Result<Output, OutputError> {
    let (mut address, mut value, mut datum, mut script) = (None, None, None, None);
    let length = d.map()?;
    let mut read = 0;
    while more(d, length, &mut read)? {
        match d.u8()? {
            0 => address = Some(read_address(d)?),
            1 => value = Some(read_value(d)?),
            2 => datum = Some(read_datum(d)?),
            3 => script = Some(read_script(d)?),
            key => return Err(OutputError(format!("a field {key}"))),
        }
    }
    let missing = |what: &str| OutputError(format!("no {what}"));
    let (address, value) = (
        address.ok_or_else(|| missing("address"))?,
        value.ok_or_else(|| missing("value"))?,
    );
    Ok(Output {
        address,
        value,
        datum,
        script,
    })
}

/// `[address, value, ? datum_hash]`, the form before Babbage, still allowed.
fn read_legacy(d: &mut Decoder<'_>) -> Result<Output, OutputError> {
    let length = d.array()?;
    let (address, value) = (read_address(d)?, read_value(d)?);
    let mut read = 2;
    let datum = more(d, length, &mut read)?
        .then(|| d.decode::<Hash>())
        .transpose()?;
    let more_after = length.is_none() && more(d, length, &mut read)?;
    match more_after || length.is_some_and(|length| length > 3) {
        true => Err(OutputError("more than three fields".into())),
        false => Ok(Output {
            address,
            value,
            datum: datum.map(Datum::Hash),
            script: None,
        }),
    }
}

fn read_address(d: &mut Decoder<'_>) -> Result<Address, OutputError> {
    Address::from_bytes(&d.decode::<minicbor::bytes::ByteVec>()?)
        .map_err(|e| OutputError(e.to_string()))
}

fn read_value(d: &mut Decoder<'_>) -> Result<Value, OutputError> {
    if !matches!(d.datatype()?, Type::Array | Type::ArrayIndef) {
        return Ok(Value::lovelace(d.u64()?));
    }
    let indefinite = d.array()?.is_none();
    let mut value = Value::lovelace(d.u64()?);
    let (length, mut read) = (d.map()?, 0);
    while more(d, length, &mut read)? {
        let policy = d.decode()?;
        let (length, mut read) = (d.map()?, 0);
        while more(d, length, &mut read)? {
            let asset = AssetId::Native {
                policy,
                name: d.bytes()?.to_vec(),
            };
            value.set(asset, d.u64()?);
        }
    }
    if indefinite {
        d.skip()?;
    }
    Ok(value)
}

fn read_datum(d: &mut Decoder<'_>) -> Result<Datum, OutputError> {
    d.array()?;
    match d.u8()? {
        0 => Ok(Datum::Hash(d.decode()?)),
        1 => Ok(Datum::Inline(read_wrapped(d)?)),
        kind => Err(OutputError(format!("a datum of kind {kind}"))),
    }
}

fn read_script(d: &mut Decoder<'_>) -> Result<Script, OutputError> {
    let bytes = read_wrapped(d)?;
    let mut d = Decoder::new(&bytes);
    d.array()?;
    let language = match d.u8()? {
        0 => ScriptLanguage::Native,
        1 => ScriptLanguage::PlutusV1,
        2 => ScriptLanguage::PlutusV2,
        3 => ScriptLanguage::PlutusV3,
        language => return Err(OutputError(format!("a script of language {language}"))),
    };
    let bytes = match language {
        // As it came: another encoding would have another hash.
        ScriptLanguage::Native => bytes.get(d.position()..).unwrap_or_default().to_vec(),
        _ => d.decode::<minicbor::bytes::ByteVec>()?.to_vec(),
    };
    Ok(Script { language, bytes })
}

/// Tag 24: CBOR in a byte string.
fn read_wrapped(d: &mut Decoder<'_>) -> Decoded<Vec<u8>> {
    let at = d.position();
    match d.tag()? == IanaTag::Cbor.tag() {
        true => d
            .decode::<minicbor::bytes::ByteVec>()
            .map(|bytes| bytes.to_vec()),
        false => Err(minicbor::decode::Error::message("expected embedded CBOR").at(at)),
    }
}

/// Whether another entry follows in a map or array of `length`, or of unknown length, of which `read` were read.
fn more(d: &mut Decoder<'_>, length: Option<u64>, read: &mut u64) -> Decoded<bool> {
    *read += 1;
    match length {
        Some(length) => Ok(*read <= length),
        None if d.datatype()? == Type::Break => d.skip().map(|()| false),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{CardanoNetwork, Hash28, plutus::Data};
    use pallas_codec::minicbor as pallas_minicbor;
    use pallas_primitives::conway::TransactionOutput;
    use proptest::prelude::*;

    use super::*;
    use crate::address;

    fn output() -> Output {
        let address = address::enterprise(CardanoNetwork::Testnet, Hash28([1; 28]));
        let asset = AssetId::Native {
            policy: Hash28([2; 28]),
            name: b"t".to_vec(),
        };
        Output::new(address, Value::lovelace(2_000_000).with(asset, 7))
            .with_inline_datum(&Data::List(vec![Data::Int(1)]))
            .with_script(Script::plutus_v3(vec![0x43, 1, 2, 3]))
    }

    #[test]
    fn the_encoding_is_pinned() {
        let address = format!("00581d60{}", "01".repeat(28));
        let value = format!("01821a001e8480a1581c{}a1417407", "02".repeat(28));
        let datum = "028201d818439f01ff";
        let script = "03d818478203444301020 3".replace(' ', "");
        let bytes = output().to_cbor();
        assert_eq!(
            hex::encode(&bytes),
            format!("a4{address}{value}{datum}{script}")
        );
        assert_eq!(Output::from_cbor(&bytes), Ok(output()));
    }

    #[test]
    fn pallas_reads_the_same_bytes_and_writes_them_again() {
        let bytes = output().to_cbor();
        let read: TransactionOutput<'_> = pallas_minicbor::decode(&bytes).unwrap();
        assert_eq!(pallas_minicbor::to_vec(read).unwrap(), bytes);
    }

    #[test]
    fn the_older_form_is_read() {
        let hex = format!(
            "83581d60{}1a001e84805820{}",
            "01".repeat(28),
            "05".repeat(32)
        );
        let read = Output::from_cbor(&hex::decode(hex).unwrap()).unwrap();
        assert_eq!(read.datum, Some(Datum::Hash(Hash([5; 32]))));
        assert_eq!(read.value, Value::lovelace(2_000_000));
    }

    #[test]
    fn indefinite_lengths_are_read() {
        let hex = format!(
            "bf00581d60{}019f0 1bf581c{}bf417407ffffffff",
            "01".repeat(28),
            "02".repeat(28)
        );
        let read = Output::from_cbor(&hex::decode(hex.replace(' ', "")).unwrap()).unwrap();
        assert_eq!(read.value.tokens().count(), 1);
    }

    #[test]
    fn a_datum_nested_deeper_than_the_stack_does_no_harm() {
        let mut deep = output();
        let levels = 5_000_000;
        let mut data = vec![0x81; levels];
        data.push(0);
        deep.datum = Some(Datum::Inline(data));
        assert_eq!(Output::from_cbor(&deep.to_cbor()), Ok(deep));
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let mut bytes = output().to_cbor();
        bytes.push(0);
        assert_eq!(
            Output::from_cbor(&bytes),
            Err(OutputError("bytes after its end".into()))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Output::from_cbor(&bytes);
        }

        #[test]
        fn no_flipped_byte_makes_the_decoder_panic(at in 0usize..120, to: u8) {
            let mut bytes = output().to_cbor();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = Output::from_cbor(&bytes);
        }
    }
}
