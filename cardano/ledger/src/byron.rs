//! Byron-era (bootstrap) addresses: who may spend from them, on which network, and how large their attributes are.
//!
//! Source: Byron ledger specification, `address` in `byron.cddl`; Shelley formal specification, section "Bootstrap witnesses"
//! (<https://github.com/IntersectMBO/cardano-ledger/releases/latest/download/shelley-ledger.pdf>). The Byron decoder takes no indefinite
//! lengths, and the shortest form only of an address's type, derivation path and network magic.

use super::cbor::{DecodeError, Length, Reader};
use cryptoxide::digest::Digest;
use cryptoxide::sha3::Sha3_256;
use pallas_crypto::hash::Hasher;

const WHAT: &str = "a Byron address";
const ATTRIBUTES: &str = "a Byron address's attributes";

/// What an address's root is hashed from begins so: `[0, [0, 64 bytes], attributes]`.
const ROOT_PREFIX: [u8; 6] = [0x83, 0x00, 0x82, 0x00, 0x58, 0x40];

/// A Byron-era address as far as the ledger looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByronAddress {
    /// The hash of spending key, chain code and attributes: who may spend.
    pub root: [u8; 28],
    /// 0 when the attributes name a test network, otherwise 1.
    pub network: u8,
    /// What the attributes hold besides the network, in bytes: the ledger allows 64.
    pub attributes_bytes: usize,
}

impl ByronAddress {
    /// `[24(payload), crc32]`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        definite(reader.array(WHAT)?, 2, &reader)?;
        if reader.tag("tag 24")? != 24 {
            return Err(reader.unexpected("tag 24"));
        }
        let payload = reader.bytes("a Byron address's payload")?;
        if reader.unsigned("a Byron address's checksum")? != u64::from(crc32(payload)) {
            return Err(reader.unexpected("the checksum of the Byron address before it"));
        }
        reader.finish(WHAT)?;
        parse_payload(payload)
    }
}

/// `[root, attributes, 0 / 2]`: addresses of keys and of redemptions.
fn parse_payload(payload: &[u8]) -> Result<ByronAddress, DecodeError> {
    let mut reader = Reader::new(payload);
    definite(reader.array(WHAT)?, 3, &reader)?;
    let root = *reader.fixed::<28>("a Byron address's root")?;
    let (network, attributes_bytes) = parse_attributes(&mut reader)?;
    if !matches!(shortest(&mut reader, "a Byron address's type")?, 0 | 2) {
        return Err(DecodeError::OutOfRange {
            what: "a Byron address's type",
        });
    }
    reader.finish(WHAT)?;
    Ok(ByronAddress {
        root,
        network,
        attributes_bytes,
    })
}

/// `{? 1: derivation path, ? 2: network magic, * 0..255: bytes}` in ascending order, each value a byte string around its own CBOR.
fn parse_attributes(reader: &mut Reader<'_>) -> Result<(u8, usize), DecodeError> {
    let Length::Definite(count) = reader.map(ATTRIBUTES)? else {
        return Err(reader.unexpected("a definite map of attributes"));
    };
    let (mut network, mut bytes, mut last) = (1, 0, None);
    for _ in 0..count {
        let key = reader.unsigned(ATTRIBUTES)?;
        if key > 0xff || last.is_some_and(|last| last >= key) {
            return Err(DecodeError::OutOfRange { what: ATTRIBUTES });
        }
        last = Some(key);
        let value = reader.bytes(ATTRIBUTES)?;
        match key {
            1 => bytes += derivation_path(value)?.len(),
            2 => {
                check_magic(value)?;
                network = 0;
            }
            _ => bytes += value.len(),
        }
    }
    Ok((network, bytes))
}

fn derivation_path(value: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(value);
    let path = reader.bytes("a derivation path")?;
    reader.finish("a derivation path")?;
    if value.len() == head_bytes(path.len() as u64) + path.len() {
        Ok(path)
    } else {
        Err(reader.unexpected("the shortest form of a derivation path"))
    }
}

fn check_magic(value: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(value);
    let magic = shortest(&mut reader, "a network magic")?;
    reader.finish("a network magic")?;
    u32::try_from(magic)
        .map(|_| ())
        .map_err(|_| DecodeError::OutOfRange {
            what: "a network magic",
        })
}

/// A number in its shortest form.
fn shortest(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, DecodeError> {
    let start = reader.position();
    let value = reader.unsigned(what)?;
    if reader.position() - start == head_bytes(value) {
        Ok(value)
    } else {
        Err(reader.unexpected("the shortest form of a number"))
    }
}

/// How many bytes the shortest head with this argument has.
fn head_bytes(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn definite(length: Length, count: u64, reader: &Reader<'_>) -> Result<(), DecodeError> {
    if length == Length::Definite(count) {
        Ok(())
    } else {
        Err(reader.unexpected("the fields of a Byron address"))
    }
}

/// The root of the address that a key, its chain code and attributes (as CBOR) belong to.
pub(crate) fn root_of(key: &[u8; 32], chain_code: &[u8], attributes: &[u8]) -> [u8; 28] {
    let mut sha = Sha3_256::new();
    for part in [&ROOT_PREFIX, key.as_slice(), chain_code, attributes] {
        sha.input(part);
    }
    let mut digest = [0; 32];
    sha.result(&mut digest);
    *Hasher::<224>::hash(&digest)
}

/// CRC-32 (ISO-HDLC, as in Ethernet), bit by bit: addresses are short.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

/// Byron addresses and witnesses for tests.
#[cfg(test)]
pub(crate) mod samples {
    use crate::testing::{bytes, list, unsigned};

    /// A chain code.
    pub(crate) const CHAIN_CODE: [u8; 32] = [9; 32];

    /// The attributes of an address on mainnet.
    pub(crate) const MAINNET: [u8; 1] = [0xa0];

    /// A key's address on mainnet.
    pub(crate) fn address_of(key: &[u8; 32]) -> Vec<u8> {
        address_with(super::root_of(key, &CHAIN_CODE, &MAINNET), &MAINNET)
    }

    /// A bootstrap witness for such an address.
    pub(crate) fn witness(key: &[u8; 32], signature: &[u8; 64]) -> Vec<u8> {
        let parts = [key.as_slice(), signature, &CHAIN_CODE, &MAINNET];
        list(&parts.map(bytes))
    }

    /// An address with this root and these attributes (as CBOR).
    pub(crate) fn address_with(root: [u8; 28], attributes: &[u8]) -> Vec<u8> {
        let payload = list(&[bytes(&root), attributes.to_vec(), unsigned(0)]);
        let checksum = unsigned(u64::from(super::crc32(&payload)));
        list(&[[vec![0xd8, 0x18], bytes(&payload)].concat(), checksum])
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{address_of, address_with};
    use super::*;
    use crate::testing::{CLOCK, TestKey, TxBuilder, bytes, input, list, output_at, unsigned};
    use crate::{Ledger, ProtocolParameters, Settings};
    use proptest::prelude::*;

    /// An address with the key, chain code and attributes it was made from; from the test data of pragma-org/amaru (Apache-2.0).
    const ADDRESS: &str = "82d818584583581c65b1fe57f0ed455254aacf1486c448d7f34038c4c445fa905de33d8ea201581e581c66e1b3a99eb32c018ee2ffb3de7a95f38cbb131e29701348138511e0024101001a2e1ee14c";
    const KEY: &str = "d59ec5ed32f67079f20d0e0d4146d7f19db515836adeb3956a739b62ff9d489f";
    const CHAIN_CODE: &str = "b3db22d54df4d54b96cb2cf7c731d643559cd7ddf351943de2e417aef2069d81";
    const EXTRAS: &str =
        "a201581e581c66e1b3a99eb32c018ee2ffb3de7a95f38cbb131e29701348138511e0024101";

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hex")
    }

    #[test]
    fn a_root_is_hashed_from_key_chain_code_and_attributes() {
        let address = ByronAddress::parse(&unhex(ADDRESS)).expect("an address");
        let key: [u8; 32] = unhex(KEY).try_into().expect("a key");
        let root = root_of(&key, &unhex(CHAIN_CODE), &unhex(EXTRAS));
        assert_eq!(address.root, root);
        assert_eq!((address.network, address.attributes_bytes), (0, 28));
    }

    #[test]
    fn another_checksum_is_refused() {
        let mut bytes = unhex(ADDRESS);
        *bytes.last_mut().expect("a byte") ^= 1;
        let expected = "the checksum of the Byron address before it";
        assert_eq!(
            ByronAddress::parse(&bytes),
            Err(DecodeError::Unexpected {
                expected,
                offset: bytes.len()
            })
        );
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn attributes_say_the_network_and_the_rest_is_counted() {
        for (attributes, expected) in [
            ("a0", Ok((1, 0))),
            ("a102451a4170cb17", Ok((0, 0))),
            ("a10142410a", Ok((1, 1))),
            ("a1014358010a", Err(())),
            ("a102421807", Err(())),
            ("a2014100024101", Err(())),
            ("a1184043010203", Ok((1, 3))),
            ("a202410101420a0a", Err(())),
            ("bf024101ff", Err(())),
            ("a119010043010203", Err(())),
            ("a10249ffffffffffffffffff", Err(())),
            ("a102491b0000000100000000", Err(())),
        ] {
            let address = ByronAddress::parse(&address_with([7; 28], &unhex(attributes)));
            let found = address.map(|address| (address.network, address.attributes_bytes));
            assert_eq!(found.map_err(|_| ()), expected, "{attributes}");
        }
    }

    #[test]
    fn the_payload_has_a_root_attributes_and_a_known_type() {
        let wrap = |payload: &[u8]| {
            let tagged = [&[0xd8, 0x18], bytes(payload).as_slice()].concat();
            list(&[tagged, unsigned(u64::from(crc32(payload)))])
        };
        let payload = |kind: u64| list(&[bytes(&[7; 28]), vec![0xa0], unsigned(kind)]);
        for (kind, known) in [(0, true), (1, false), (2, true), (3, false)] {
            let parsed = ByronAddress::parse(&wrap(&payload(kind)));
            assert_eq!(parsed.is_ok(), known, "{kind}");
        }
        let long = list(&[bytes(&[7; 28]), vec![0xa0], vec![0x18, 0x00]]);
        let (expected, offset) = ("the shortest form of a number", long.len());
        assert_eq!(
            ByronAddress::parse(&wrap(&long)),
            Err(DecodeError::Unexpected { expected, offset })
        );
        let trailing = [payload(0), vec![0]].concat();
        assert_eq!(
            ByronAddress::parse(&wrap(&trailing)),
            Err(DecodeError::TrailingBytes {
                what: WHAT,
                count: 1
            })
        );
    }

    #[test]
    fn an_output_at_a_byron_address_is_made_and_spent() {
        let settings = Settings {
            parameters: ProtocolParameters::conway_v10(),
            network: 1,
            clock: CLOCK,
        };
        let ours = address_of(&TestKey::new(1).public());
        let utxos = [(input(0), output_at(&ours, 5_000_000))];
        let mut ledger = Ledger::genesis(settings, utxos).expect("a genesis");
        let tx = TxBuilder::new()
            .input(input(0))
            .output(output_at(&ours, 4_000_000))
            .fee(1_000_000);
        let unsigned = ledger.validate(&tx.clone().build(), 5);
        let predicate = unsigned.expect_err("no witness").predicate_name();
        assert_eq!(predicate, "MissingVKeyWitnessesUTXOW");
        let signed = tx.sign_byron(&[1]).build();
        let valid = ledger.validate(&signed, 5).expect("a valid transaction");
        let _undo = ledger.apply(&valid).expect("applied");
        assert_eq!(ledger.utxo_by_address(&ours).count(), 1);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = ByronAddress::parse(&bytes);
            let _ = parse_payload(&bytes);
        }
    }
}
