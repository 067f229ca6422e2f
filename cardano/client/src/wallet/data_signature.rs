//! Signing as a CIP-30 wallet's `signData` does: a COSE_Sign1 message and a COSE_Key (CIP-8, RFC 9052, RFC 9053).

use minicbor::Encoder;
use nupeer_primitives::blake2b_224;

use super::SigningKey;

/// The two byte strings that `signData` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSignature {
    /// `[protected, {"hashed": bool}, payload, signature]`.
    pub cose_sign1: Vec<u8>,
    /// The public key as an octet key pair.
    pub cose_key: Vec<u8>,
}

/// COSE labels and values (RFC 9053 §2.2, §7.2).
const ALGORITHM: u8 = 1;
const EDDSA: i8 = -8;
const KEY_TYPE: u8 = 1;
const KEY_TYPE_OKP: u8 = 1;
const KEY_ALGORITHM: u8 = 3;
const KEY_CURVE: i8 = -1;
const CURVE_ED25519: u8 = 6;
const KEY_X: i8 = -2;

pub(super) fn sign(
    key: &SigningKey,
    address: &[u8],
    payload: &[u8],
    hashed: bool,
) -> DataSignature {
    let protected = protected_header(address);
    let payload = if hashed {
        blake2b_224(payload).0.to_vec()
    } else {
        payload.to_vec()
    };
    let signature = key.sign(&signed_bytes(&protected, &payload));
    let cose_sign1 = write(|e| {
        e.array(4)?.bytes(&protected)?;
        e.map(1)?.str("hashed")?.bool(hashed)?;
        e.bytes(&payload)?.bytes(&signature.0)?.ok()
    });
    DataSignature {
        cose_sign1,
        cose_key: cose_key(&key.public_key().0),
    }
}

/// CIP-8: the address stands among the protected headers, so that the signature covers it.
fn protected_header(address: &[u8]) -> Vec<u8> {
    write(|e| {
        e.map(2)?
            .u8(ALGORITHM)?
            .i8(EDDSA)?
            .str("address")?
            .bytes(address)?
            .ok()
    })
}

/// RFC 9052 §4.4: the structure that is signed, without external data.
fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    write(|e| {
        e.array(4)?
            .str("Signature1")?
            .bytes(protected)?
            .bytes(&[])?
            .bytes(payload)?
            .ok()
    })
}

fn cose_key(public_key: &[u8; 32]) -> Vec<u8> {
    write(|e| {
        e.map(4)?
            .u8(KEY_TYPE)?
            .u8(KEY_TYPE_OKP)?
            .u8(KEY_ALGORITHM)?
            .i8(EDDSA)?;
        e.i8(KEY_CURVE)?
            .u8(CURVE_ED25519)?
            .i8(KEY_X)?
            .bytes(public_key)?
            .ok()
    })
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(fill: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = fill(&mut encoder);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    encoder.into_writer()
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::cip8;
    use proptest::prelude::*;

    use super::*;

    const ADDRESS: [u8; 29] = [0xe0; 29];

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    #[test]
    fn the_encoding_is_pinned() {
        let made = sign(&key(), &ADDRESS, b"hi", false);
        let address = hex::encode(ADDRESS);
        let message = hex::encode(&made.cose_sign1);
        let head = format!(
            "84582aa20127676164647265737358{:02x}{address}a166686173686564f4426869",
            29
        );
        assert!(message.starts_with(&head), "{message}");
        let public = key().public_key();
        assert_eq!(
            hex::encode(&made.cose_key),
            format!("a4010103272006215820{public}")
        );
    }

    proptest! {
        #[test]
        fn the_ledgers_verifier_accepts_every_signature(
            payload in prop::collection::vec(any::<u8>(), 0..400),
            hashed: bool,
        ) {
            let made = sign(&key(), &ADDRESS, &payload, hashed);
            let seen = cip8::verify(&made.cose_sign1, &made.cose_key).unwrap();
            prop_assert_eq!(seen.address.as_slice(), &ADDRESS[..]);
            prop_assert_eq!(seen.public_key, key().public_key());
            prop_assert!(seen.is_of(&payload) && seen.hashed == hashed);
        }
    }
}
