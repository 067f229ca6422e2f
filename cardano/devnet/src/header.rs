//! Praos headers as Babbage and Conway have them: decoding, and forging with a pool's keys.

use pallas_codec::{minicbor, utils::Bytes};
use pallas_crypto::hash::{Hash, Hasher};
use pallas_primitives::{
    VrfCert,
    babbage::{HeaderBody, OperationalCert},
};

use crate::{
    cbor::{ScanError, Slices},
    keys::{KES_SIGNATURE_BYTES, PoolKeys},
    verify::HeaderError,
};

/// The protocol version that the devnet's blocks carry: 10, Conway after Plomin.
pub const PROTOCOL_VERSION: (u64, u64) = (10, 0);

/// A decoded header, with the bytes that its hash and its signature are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The whole header as it came.
    pub raw: Vec<u8>,
    /// The fields that are signed.
    pub body: HeaderBody,
    /// The bytes of `body` as they came: what the KES key signed.
    pub body_bytes: Vec<u8>,
    /// The KES signature.
    pub signature: Vec<u8>,
    /// The block's hash: blake2b-256 of the whole header.
    pub hash: Hash<32>,
}

/// What a block says of itself; the rest of its header follows from the pool and the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) block_number: u64,
    pub(crate) slot: u64,
    pub(crate) prev_hash: Option<Hash<32>>,
    pub(crate) body_size: u64,
    pub(crate) body_hash: Hash<32>,
}

impl Header {
    /// Decodes a header and refuses keys, proofs and signatures of another length than theirs.
    pub fn decode(raw: &[u8]) -> Result<Self, HeaderError> {
        let (body_bytes, signature) = cut(raw).map_err(|e| HeaderError::Decode {
            reason: e.to_string(),
        })?;
        let decode_error = |e: minicbor::decode::Error| HeaderError::Decode {
            reason: e.to_string(),
        };
        let body: HeaderBody = minicbor::decode(body_bytes).map_err(decode_error)?;
        let signature: Bytes = minicbor::decode(signature).map_err(decode_error)?;
        let header = Self {
            raw: raw.to_vec(),
            body,
            body_bytes: body_bytes.to_vec(),
            signature: signature.to_vec(),
            hash: Hasher::<256>::hash(raw),
        };
        header.check_lengths()?;
        Ok(header)
    }

    fn check_lengths(&self) -> Result<(), HeaderError> {
        let certificate = &self.body.operational_cert;
        let fields = [
            ("issuer key", self.body.issuer_vkey.len(), 32),
            ("VRF key", self.body.vrf_vkey.len(), 32),
            ("VRF output", self.body.vrf_result.0.len(), 64),
            ("VRF proof", self.body.vrf_result.1.len(), 80),
            ("KES key", certificate.operational_cert_hot_vkey.len(), 32),
            (
                "certificate's signature",
                certificate.operational_cert_sigma.len(),
                64,
            ),
            ("KES signature", self.signature.len(), KES_SIGNATURE_BYTES),
        ];
        match fields
            .into_iter()
            .find(|(_, provided, expected)| provided != expected)
        {
            Some((field, provided, expected)) => Err(HeaderError::Length {
                field,
                provided,
                expected,
            }),
            None => Ok(()),
        }
    }

    /// The pool that issued the block.
    pub fn pool(&self) -> Hash<28> {
        Hasher::<224>::hash(&self.body.issuer_vkey)
    }
}

fn cut(raw: &[u8]) -> Result<(&[u8], &[u8]), ScanError> {
    let mut slices = Slices::new(raw);
    let indefinite = slices.array(2)?;
    let (body, signature) = (slices.item()?, slices.item()?);
    slices.finish(indefinite)?;
    Ok((body, signature))
}

/// Forges the header of `claim`: proves the pool's VRF under the epoch's nonce and signs with its KES key.
pub(crate) fn forge(
    pool: &mut PoolKeys,
    kes_period: u64,
    certificate: OperationalCert,
    epoch_nonce: &Hash<32>,
    claim: Claim,
) -> Header {
    let (proof, output) = pool.prove(claim.slot, epoch_nonce);
    let body = HeaderBody {
        block_number: claim.block_number,
        slot: claim.slot,
        prev_hash: claim.prev_hash,
        issuer_vkey: pool.issuer().into(),
        vrf_vkey: pool.vrf_public().to_vec().into(),
        vrf_result: VrfCert(output.to_vec().into(), proof.to_vec().into()),
        block_body_size: claim.body_size,
        block_body_hash: claim.body_hash,
        operational_cert: certificate,
        protocol_version: PROTOCOL_VERSION,
    };
    let body_bytes = encode(&body);
    let signature = pool.sign(kes_period, &body_bytes);
    let raw = [
        &[0x82],
        body_bytes.as_slice(),
        &encode(&Bytes::from(signature.clone())),
    ]
    .concat();
    Header {
        hash: Hasher::<256>::hash(&raw),
        raw,
        body,
        body_bytes,
        signature,
    }
}

fn encode<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    drop(minicbor::encode(value, &mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forged() -> Vec<u8> {
        let mut pool = PoolKeys::derive(42, 0);
        let certificate = pool.certificate(0, |_| 0);
        let hash = Hash::new([2; 32]);
        let claim = Claim {
            block_number: 7,
            slot: 9,
            prev_hash: None,
            body_size: 4,
            body_hash: hash,
        };
        forge(&mut pool, 0, certificate, &Hash::new([3; 32]), claim).raw
    }

    #[test]
    fn a_forged_header_decodes_to_what_was_claimed() {
        let header = Header::decode(&forged()).expect("a header");
        assert_eq!(
            (
                header.body.block_number,
                header.body.slot,
                header.body.block_body_size
            ),
            (7, 9, 4)
        );
        assert_eq!(
            (header.body.prev_hash, header.body.protocol_version),
            (None, (10, 0))
        );
        assert_eq!(header.pool(), PoolKeys::derive(42, 0).id());
    }

    #[test]
    fn forging_is_deterministic() {
        assert_eq!(forged(), forged());
    }

    #[test]
    fn every_truncation_is_refused() {
        let raw = forged();
        for end in 0..raw.len() {
            assert!(Header::decode(&raw[..end]).is_err(), "{end} bytes");
        }
    }
}
