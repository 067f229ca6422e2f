//! Verifying what a CIP-30 wallet's `signData` returns: a COSE_Sign1 message (CIP-8, RFC 9052) and a COSE_Key.
//!
//! Wallets differ in how they encode these, so the envelope is read leniently and the **signed** bytes, the
//! protected header and the payload, are taken exactly as they came.

use minicbor::{Decoder, Encoder, data::Type};

use crate::{Code, Numbered, PublicKey, Signature, blake2b_224};

/// Largest envelope that is read, in bytes: a header, a readable text and a signature need under 1,000.
pub const ENVELOPE_BYTES_MAX: usize = 4096;

/// What a wallet signed, once its signature is known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData {
    /// The address in the protected header.
    pub address: Vec<u8>,
    /// The key that signed.
    pub public_key: PublicKey,
    /// The text, or its blake2b-224 if `hashed`.
    pub payload: Vec<u8>,
    /// Whether the wallet signed the text's hash, as hardware wallets do for long texts.
    pub hashed: bool,
}

impl SignedData {
    /// Whether this is a signature of `text`.
    pub fn is_of(&self, text: &[u8]) -> bool {
        if self.hashed {
            self.payload == blake2b_224(text).0
        } else {
            self.payload == text
        }
    }
}

/// Why a wallet's signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cip8Error {
    /// Too long, truncated or of another shape.
    #[error("not a COSE_Sign1 message or COSE_Key: {0}")]
    Malformed(String),
    /// An algorithm other than EdDSA over ed25519.
    #[error("only EdDSA over Ed25519 is understood")]
    Algorithm,
    /// No address among the protected headers.
    #[error("the protected header names no address")]
    NoAddress,
    /// The signature is not over these headers and this payload by this key.
    #[error("the signature does not verify")]
    BadSignature,
}

impl Numbered for Cip8Error {
    fn code(&self) -> Code {
        match self {
            Cip8Error::Malformed(_) => Code(1020),
            Cip8Error::Algorithm => Code(1021),
            Cip8Error::NoAddress => Code(1022),
            Cip8Error::BadSignature => Code(1023),
        }
    }
}

impl From<minicbor::decode::Error> for Cip8Error {
    fn from(error: minicbor::decode::Error) -> Self {
        Cip8Error::Malformed(error.to_string())
    }
}

/// Verifies `cose_sign1` under `cose_key`. Whether the address belongs to the key is for the caller, who knows
/// which kind of address it expects.
pub fn verify(cose_sign1: &[u8], cose_key: &[u8]) -> Result<SignedData, Cip8Error> {
    if cose_sign1.len().max(cose_key.len()) > ENVELOPE_BYTES_MAX {
        return Err(Cip8Error::Malformed(format!(
            "over {ENVELOPE_BYTES_MAX} bytes"
        )));
    }
    let message = Sign1::read(cose_sign1)?;
    let public_key = read_key(cose_key)?;
    if !public_key.verifies(&message.to_be_signed(), &message.signature) {
        return Err(Cip8Error::BadSignature);
    }
    let Sign1 {
        address,
        payload,
        hashed,
        ..
    } = message;
    Ok(SignedData {
        address,
        public_key,
        payload,
        hashed,
    })
}

/// COSE header label of the algorithm, and the value for EdDSA (RFC 9053 §2.2).
const ALGORITHM: i128 = 1;
const EDDSA: i128 = -8;

struct Sign1 {
    protected: Vec<u8>,
    address: Vec<u8>,
    payload: Vec<u8>,
    hashed: bool,
    signature: Signature,
}

impl Sign1 {
    fn read(bytes: &[u8]) -> Result<Self, Cip8Error> {
        let mut d = Decoder::new(bytes);
        if d.datatype()? == Type::Tag {
            // RFC 9052 §2 allows tag 18 before the array.
            d.tag()?;
        }
        if d.array()?.is_some_and(|length| length != 4) {
            return Err(Cip8Error::Malformed(
                "a COSE_Sign1 message has four parts".into(),
            ));
        }
        let protected = d.bytes()?.to_vec();
        let address = read_protected(&protected)?;
        let hashed = read_hashed(&mut d)?;
        let payload = d.bytes()?.to_vec();
        let signature = d.bytes()?.try_into().map(Signature);
        let signature =
            signature.map_err(|_| Cip8Error::Malformed("a signature has 64 bytes".into()))?;
        Ok(Sign1 {
            protected,
            address,
            payload,
            hashed,
            signature,
        })
    }

    /// RFC 9052 §4.4: `["Signature1", protected, external_aad = h'', payload]`.
    fn to_be_signed(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let written = e.array(4).and_then(|e| e.str("Signature1"));
        let written = written
            .and_then(|e| e.bytes(&self.protected))
            .and_then(|e| e.bytes(&[]))
            .and_then(|e| e.bytes(&self.payload));
        debug_assert!(written.is_ok(), "a vector takes every byte");
        e.into_writer()
    }
}

/// The address of the protected header, whose algorithm must be EdDSA.
fn read_protected(bytes: &[u8]) -> Result<Vec<u8>, Cip8Error> {
    let (mut algorithm, mut address) = (None, None);
    each_entry(&mut Decoder::new(bytes), |label, d| {
        match label {
            Label::Number(ALGORITHM) => algorithm = Some(i128::from(d.int()?)),
            Label::Text("address") => address = Some(d.bytes()?.to_vec()),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    match algorithm {
        Some(EDDSA) => address.ok_or(Cip8Error::NoAddress),
        _ => Err(Cip8Error::Algorithm),
    }
}

fn read_hashed(d: &mut Decoder<'_>) -> Result<bool, Cip8Error> {
    let mut hashed = false;
    each_entry(d, |label, d| {
        match label {
            Label::Text("hashed") => hashed = d.bool()?,
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(hashed)
}

/// RFC 9053 §7.2: key type OKP (1), curve Ed25519 (−1: 6), x (−2).
fn read_key(bytes: &[u8]) -> Result<PublicKey, Cip8Error> {
    let (mut kind, mut curve, mut x) = (None, None, None);
    each_entry(&mut Decoder::new(bytes), |label, d| {
        match label {
            Label::Number(1) => kind = Some(i128::from(d.int()?)),
            Label::Number(-1) => curve = Some(i128::from(d.int()?)),
            Label::Number(-2) => x = Some(d.bytes()?.to_vec()),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    if (kind, curve) != (Some(1), Some(6)) {
        return Err(Cip8Error::Algorithm);
    }
    let x: Option<[u8; 32]> = x.and_then(|x| x.try_into().ok());
    x.map(PublicKey)
        .ok_or_else(|| Cip8Error::Malformed("an Ed25519 key has 32 bytes".into()))
}

enum Label<'a> {
    Number(i128),
    Text(&'a str),
}

/// Visits each entry of a map of definite or indefinite length; a label twice is refused, since readers would
/// differ in which they believe.
fn each_entry<'b>(
    d: &mut Decoder<'b>,
    mut visit: impl FnMut(Label<'b>, &mut Decoder<'b>) -> Result<(), minicbor::decode::Error>,
) -> Result<(), Cip8Error> {
    let length = d.map()?;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    while length.map_or_else(
        || d.datatype().map(|t| t != Type::Break),
        |n| Ok((seen.len() as u64) < n),
    )? {
        let start = d.position();
        let label = match d.datatype()? {
            Type::String => Label::Text(d.str()?),
            _ => Label::Number(d.int()?.into()),
        };
        let raw = d
            .input()
            .get(start..d.position())
            .unwrap_or_default()
            .to_vec();
        if seen.contains(&raw) {
            return Err(Cip8Error::Malformed("a header label twice".into()));
        }
        seen.push(raw);
        visit(label, d)?;
    }
    if length.is_none() {
        d.skip()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const ADDRESS: [u8; 29] = [0xe0; 29];

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn protected() -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        e.map(2)
            .unwrap()
            .u8(1)
            .unwrap()
            .i8(-8)
            .unwrap()
            .str("address")
            .unwrap()
            .bytes(&ADDRESS)
            .unwrap();
        e.into_writer()
    }

    fn envelope(protected: &[u8], payload: &[u8], hashed: bool) -> Vec<u8> {
        let unsigned = Sign1 {
            protected: protected.to_vec(),
            address: vec![],
            payload: payload.to_vec(),
            hashed,
            signature: Signature([0; 64]),
        };
        let signature = key().sign(&unsigned.to_be_signed()).to_bytes();
        let mut e = Encoder::new(Vec::new());
        e.array(4)
            .unwrap()
            .bytes(protected)
            .unwrap()
            .map(1)
            .unwrap()
            .str("hashed")
            .unwrap()
            .bool(hashed)
            .unwrap();
        e.bytes(payload).unwrap().bytes(&signature).unwrap();
        e.into_writer()
    }

    fn cose_key() -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        e.map(4)
            .unwrap()
            .u8(1)
            .unwrap()
            .u8(1)
            .unwrap()
            .u8(3)
            .unwrap()
            .i8(-8)
            .unwrap();
        e.i8(-1)
            .unwrap()
            .u8(6)
            .unwrap()
            .i8(-2)
            .unwrap()
            .bytes(key().verifying_key().as_bytes())
            .unwrap();
        e.into_writer()
    }

    #[test]
    fn a_good_signature_says_what_was_signed_and_under_which_address() {
        let signed = verify(&envelope(&protected(), b"text", false), &cose_key()).unwrap();
        assert_eq!(signed.address, ADDRESS);
        assert!(signed.is_of(b"text") && !signed.is_of(b"another text"));
    }

    #[test]
    fn a_signature_of_the_hash_counts_for_the_text() {
        let digest = blake2b_224(b"text").0;
        let signed = verify(&envelope(&protected(), &digest, true), &cose_key()).unwrap();
        assert!(signed.is_of(b"text"));
        let unhashed = verify(&envelope(&protected(), &digest, false), &cose_key()).unwrap();
        assert!(!unhashed.is_of(b"text"), "the mark decides, not the length");
    }

    #[test]
    fn a_changed_payload_no_longer_verifies() {
        let mut bytes = envelope(&protected(), b"text", false);
        let at = bytes.windows(4).position(|w| w == b"text").unwrap();
        bytes[at] = b'T';
        assert_eq!(verify(&bytes, &cose_key()), Err(Cip8Error::BadSignature));
    }

    #[test]
    fn missing_address_and_foreign_algorithms_are_named() {
        let no_address = [0xa1, 0x01, 0x27];
        assert_eq!(
            verify(&envelope(&no_address, b"x", false), &cose_key()),
            Err(Cip8Error::NoAddress)
        );
        let es256 = [0xa1, 0x01, 0x26];
        assert_eq!(
            verify(&envelope(&es256, b"x", false), &cose_key()),
            Err(Cip8Error::Algorithm)
        );
    }

    #[test]
    fn a_label_twice_is_refused() {
        let twice = [0xa2, 0x01, 0x27, 0x01, 0x27];
        let refused = verify(&envelope(&twice, b"x", false), &cose_key());
        assert_eq!(
            refused,
            Err(Cip8Error::Malformed("a header label twice".into()))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_verifier_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = verify(&bytes, &cose_key());
            let _ = verify(&envelope(&bytes, b"x", false), &bytes);
        }
    }
}
