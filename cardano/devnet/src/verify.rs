//! Verification of Praos headers and of chains of blocks: what a node checks before it looks at transactions.
//!
//! The rules are those of `updateChainDepState` in ouroboros-consensus (Praos): operational certificate, KES signature, VRF
//! proof, leadership; around them the envelope (previous hash, slot, block number) and the body's hash and size.

use std::collections::BTreeMap;

use num_bigint::BigUint;
use num_rational::Ratio;
use nupeer_primitives::{Code, Numbered};
use pallas_crypto::{
    hash::{Hash, Hasher},
    key::ed25519,
};
use thiserror::Error;
use vrf_dalek::vrf03::{PublicKey03, VrfProof03};

use crate::{
    block::{BlockBody, BlockError, split_block},
    header::Header,
    keys::{kes_verifies, opcert_message, vrf_input},
    nonce::{Nonces, leader_value},
    profile::{MAX_KES_EVOLUTIONS, Profile},
};

/// Why a header, or the block under it, is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not a header's CBOR.
    #[error("not a header: {reason}")]
    Decode {
        /// What the decoder said.
        reason: String,
    },
    /// A key, proof or signature of another length than its kind has.
    #[error("{field} has {provided} bytes, expected {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// Bytes found.
        provided: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// Not a block's CBOR.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The block does not follow the one before it.
    #[error("follows {provided:?}, the chain's tip is {expected:?}")]
    PreviousHash {
        /// The header's previous hash; none for the first block.
        provided: Option<Hash<32>>,
        /// The tip's hash.
        expected: Option<Hash<32>>,
    },
    /// The slot is not after the one before.
    #[error("slot {provided}, the earliest possible is {minimum}")]
    Slot {
        /// The header's slot.
        provided: u64,
        /// The slot after the tip's.
        minimum: u64,
    },
    /// Not the next block number.
    #[error("block number {provided}, expected {expected}")]
    BlockNumber {
        /// The header's number.
        provided: u64,
        /// The number after the tip's.
        expected: u64,
    },
    /// The issuer is no registered pool.
    #[error("no pool {pool} is registered")]
    UnknownPool {
        /// The issuer's id.
        pool: Hash<28>,
    },
    /// The pool registered another VRF key.
    #[error("VRF key hash {provided}, registered is {expected}")]
    VrfKey {
        /// The hash of the header's VRF key.
        provided: Hash<32>,
        /// The hash the pool registered.
        expected: Hash<32>,
    },
    /// The VRF proof does not verify under the slot and the epoch's nonce.
    #[error("the VRF proof does not verify for slot {slot}")]
    VrfProof {
        /// The header's slot.
        slot: u64,
    },
    /// The VRF output is not the one its proof proves.
    #[error("the VRF output is not the proof's")]
    VrfOutput,
    /// The pool does not lead this slot.
    #[error("the pool does not lead slot {slot}")]
    NotLeader {
        /// The header's slot.
        slot: u64,
    },
    /// The certificate's first period lies in the future.
    #[error("certificate from KES period {provided}, the slot lies in {maximum}")]
    CertificateTooNew {
        /// The certificate's first period.
        provided: u64,
        /// The slot's period.
        maximum: u64,
    },
    /// The certificate's last period is over.
    #[error("KES period {provided}, the certificate ends before {end}")]
    CertificateExpired {
        /// The slot's period.
        provided: u64,
        /// The first period past the certificate.
        end: u64,
    },
    /// The certificate is not signed by the issuer.
    #[error("the operational certificate is not signed by its issuer")]
    CertificateSignature,
    /// The certificate's counter went backwards.
    #[error("certificate counter {provided}, the last was {minimum}")]
    CounterTooSmall {
        /// The certificate's counter.
        provided: u64,
        /// The last one seen.
        minimum: u64,
    },
    /// The certificate's counter skipped a number.
    #[error("certificate counter {provided}, at most {maximum}")]
    CounterTooLarge {
        /// The certificate's counter.
        provided: u64,
        /// One more than the last seen.
        maximum: u64,
    },
    /// The KES signature does not verify.
    #[error("the KES signature does not verify in evolution {evolution}")]
    KesSignature {
        /// The evolution of the key that ought to have signed.
        evolution: u64,
    },
    /// The body is not the one the header commits to.
    #[error("the body hashes to {provided}, the header says {expected}")]
    BodyHash {
        /// The body's hash.
        provided: Hash<32>,
        /// The header's field.
        expected: Hash<32>,
    },
    /// The body has another size than the header says.
    #[error("the body has {provided} bytes, the header says {expected}")]
    BodySize {
        /// The body's size.
        provided: u64,
        /// The header's field.
        expected: u64,
    },
}

impl Numbered for HeaderError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Decode { .. } => 7100,
            Self::Length { .. } => 7101,
            Self::Block(_) => 7102,
            Self::PreviousHash { .. } => 7103,
            Self::Slot { .. } => 7104,
            Self::BlockNumber { .. } => 7105,
            Self::UnknownPool { .. } => 7106,
            Self::VrfKey { .. } => 7107,
            Self::VrfProof { .. } => 7108,
            Self::VrfOutput => 7109,
            Self::NotLeader { .. } => 7110,
            Self::CertificateTooNew { .. } => 7111,
            Self::CertificateExpired { .. } => 7112,
            Self::CertificateSignature => 7113,
            Self::CounterTooSmall { .. } => 7114,
            Self::CounterTooLarge { .. } => 7115,
            Self::KesSignature { .. } => 7116,
            Self::BodyHash { .. } => 7117,
            Self::BodySize { .. } => 7118,
        })
    }
}

/// What a header is judged by: the network's figures and the state of the chain at its slot.
#[derive(Clone, Debug)]
pub struct HeaderContext {
    /// The epoch's nonce.
    pub epoch_nonce: Hash<32>,
    /// Slots in a KES period.
    pub kes_period_slots: u64,
    /// How often a KES key may evolve.
    pub kes_evolutions_max: u64,
    /// The active slot coefficient. The pool counts as holding all stake: there are no stake snapshots yet.
    pub active_slot_coefficient: Ratio<u64>,
    /// The hash of the VRF key the pool registered.
    pub vrf_key_hash: Hash<32>,
    /// The last certificate counter seen of this pool; `None` before its first block.
    pub counter: Option<u64>,
}

impl Header {
    /// Checks the header by itself, without its place in the chain: VRF and leadership, then certificate and signature.
    pub fn verify(&self, context: &HeaderContext) -> Result<(), HeaderError> {
        self.verify_vrf(context)?;
        self.verify_leader(&context.active_slot_coefficient)?;
        let evolution = self.verify_period(context)?;
        self.verify_certificate()?;
        self.verify_counter(context.counter)?;
        let hot_vkey = &self.body.operational_cert.operational_cert_hot_vkey;
        if !kes_verifies(hot_vkey, evolution, &self.body_bytes, &self.signature) {
            return Err(HeaderError::KesSignature { evolution });
        }
        Ok(())
    }

    fn verify_vrf(&self, context: &HeaderContext) -> Result<(), HeaderError> {
        let (slot, expected) = (self.body.slot, context.vrf_key_hash);
        let provided = Hasher::<256>::hash(&self.body.vrf_vkey);
        if provided != expected {
            return Err(HeaderError::VrfKey { provided, expected });
        }
        let refused = HeaderError::VrfProof { slot };
        let key: [u8; 32] = self
            .body
            .vrf_vkey
            .as_slice()
            .try_into()
            .map_err(|_| refused.clone())?;
        let proof: [u8; 80] = self
            .body
            .vrf_result
            .1
            .as_slice()
            .try_into()
            .map_err(|_| refused.clone())?;
        let proof = VrfProof03::from_bytes(&proof).map_err(|_| refused.clone())?;
        let input = vrf_input(slot, &context.epoch_nonce);
        let output = proof
            .verify(&PublicKey03::from_bytes(&key), input.as_ref())
            .map_err(|_| refused)?;
        if output[..] != self.body.vrf_result.0[..] {
            return Err(HeaderError::VrfOutput);
        }
        Ok(())
    }

    /// Praos' threshold 1 − (1 − f)^σ is f itself for σ = 1.
    fn verify_leader(&self, coefficient: &Ratio<u64>) -> Result<(), HeaderError> {
        let value = BigUint::from_bytes_be(leader_value(&self.body.vrf_result.0).as_ref());
        let maximum = BigUint::from(1u8) << 256;
        if value * *coefficient.denom() >= maximum * *coefficient.numer() {
            return Err(HeaderError::NotLeader {
                slot: self.body.slot,
            });
        }
        Ok(())
    }

    fn verify_period(&self, context: &HeaderContext) -> Result<u64, HeaderError> {
        let start = self.body.operational_cert.operational_cert_kes_period;
        let end = start.saturating_add(context.kes_evolutions_max);
        let period = self.body.slot / context.kes_period_slots.max(1);
        if start > period {
            return Err(HeaderError::CertificateTooNew {
                provided: start,
                maximum: period,
            });
        }
        if period >= end {
            return Err(HeaderError::CertificateExpired {
                provided: period,
                end,
            });
        }
        Ok(period - start)
    }

    fn verify_certificate(&self) -> Result<(), HeaderError> {
        let certificate = &self.body.operational_cert;
        let issuer: Result<[u8; 32], _> = self.body.issuer_vkey.as_slice().try_into();
        let sigma: Result<[u8; 64], _> = certificate.operational_cert_sigma.as_slice().try_into();
        let (Ok(issuer), Ok(sigma)) = (issuer, sigma) else {
            return Err(HeaderError::CertificateSignature);
        };
        let message = opcert_message(
            &certificate.operational_cert_hot_vkey,
            certificate.operational_cert_sequence_number,
            certificate.operational_cert_kes_period,
        );
        if !ed25519::PublicKey::from(issuer).verify(message, &ed25519::Signature::from(sigma)) {
            return Err(HeaderError::CertificateSignature);
        }
        Ok(())
    }

    /// Checks that `body` is the one this header commits to.
    pub fn verify_body(&self, body: &BlockBody<'_>) -> Result<(), HeaderError> {
        let (provided, expected) = (body.hash(), self.body.block_body_hash);
        if provided != expected {
            return Err(HeaderError::BodyHash { provided, expected });
        }
        let (provided, expected) = (body.size(), self.body.block_body_size);
        if provided != expected {
            return Err(HeaderError::BodySize { provided, expected });
        }
        Ok(())
    }

    /// A pool's first certificate has counter 0 or 1; later ones the same as before or one more.
    fn verify_counter(&self, last: Option<u64>) -> Result<(), HeaderError> {
        let provided = self.body.operational_cert.operational_cert_sequence_number;
        let minimum = last.unwrap_or(0);
        let maximum = minimum.saturating_add(1);
        if provided < minimum {
            return Err(HeaderError::CounterTooSmall { provided, minimum });
        }
        if provided > maximum {
            return Err(HeaderError::CounterTooLarge { provided, maximum });
        }
        Ok(())
    }
}

/// The last block of a chain, as the next one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its slot.
    pub slot: u64,
    /// Its hash.
    pub hash: Hash<32>,
    /// Its number.
    pub block_number: u64,
}

/// The last certificate seen of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastCertificate {
    /// Its counter.
    pub counter: u64,
    /// Its first KES period.
    pub kes_period: u64,
}

/// What of a chain decides over its next header: Praos' chain-dependent state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainState {
    /// The network's figures.
    pub profile: Profile,
    /// The last block; none at the origin.
    pub tip: Option<Tip>,
    /// The nonces.
    pub nonces: Nonces,
    /// The last certificate of each pool that has issued a block.
    pub certificates: BTreeMap<Hash<28>, LastCertificate>,
}

/// The registered pools: the hash of each one's VRF key, by pool id.
pub type Pools = BTreeMap<Hash<28>, Hash<32>>;

impl ChainState {
    /// The state before the first block.
    pub fn origin(profile: Profile, genesis: Hash<32>) -> Self {
        Self {
            profile,
            tip: None,
            nonces: Nonces::initial(genesis),
            certificates: BTreeMap::new(),
        }
    }

    /// The number and the earliest slot of the next block.
    pub fn next(&self) -> (u64, u64) {
        match self.tip {
            Some(tip) => (
                tip.block_number.saturating_add(1),
                tip.slot.saturating_add(1),
            ),
            None => (0, 0),
        }
    }

    /// The state after a block with this header, which is believed.
    pub fn advance(&self, header: &Header) -> Self {
        let body = &header.body;
        let certificate = LastCertificate {
            counter: body.operational_cert.operational_cert_sequence_number,
            kes_period: body.operational_cert.operational_cert_kes_period,
        };
        let mut certificates = self.certificates.clone();
        certificates.insert(header.pool(), certificate);
        let nonces = self.nonces.tick(self.profile, body.slot);
        let nonces = nonces.apply(self.profile, body.slot, body.prev_hash, &body.vrf_result.0);
        let tip = Tip {
            slot: body.slot,
            hash: header.hash,
            block_number: body.block_number,
        };
        Self {
            profile: self.profile,
            tip: Some(tip),
            nonces,
            certificates,
        }
    }

    /// Checks an era-tagged block as this chain's next one, all but its transactions, and gives the state after it.
    pub fn verify_block(&self, pools: &Pools, raw: &[u8]) -> Result<Self, HeaderError> {
        let header = self.link(raw)?;
        header.verify(&self.context(pools, &header)?)?;
        Ok(self.advance(&header))
    }

    /// Checks only that a block follows this chain and has the body its header commits to, not who made it.
    pub(crate) fn link(&self, raw: &[u8]) -> Result<Header, HeaderError> {
        let (header, body) = split_block(raw)?;
        let header = Header::decode(header)?;
        self.verify_envelope(&header)?;
        header.verify_body(&body)?;
        Ok(header)
    }

    fn verify_envelope(&self, header: &Header) -> Result<(), HeaderError> {
        let (number, minimum) = self.next();
        let (provided, expected) = (header.body.prev_hash, self.tip.map(|tip| tip.hash));
        if provided != expected {
            return Err(HeaderError::PreviousHash { provided, expected });
        }
        if header.body.slot < minimum {
            return Err(HeaderError::Slot {
                provided: header.body.slot,
                minimum,
            });
        }
        if header.body.block_number != number {
            return Err(HeaderError::BlockNumber {
                provided: header.body.block_number,
                expected: number,
            });
        }
        Ok(())
    }

    fn context(&self, pools: &Pools, header: &Header) -> Result<HeaderContext, HeaderError> {
        let pool = header.pool();
        let vrf_key_hash = *pools.get(&pool).ok_or(HeaderError::UnknownPool { pool })?;
        Ok(HeaderContext {
            epoch_nonce: self.nonces.tick(self.profile, header.body.slot).active,
            kes_period_slots: self.profile.kes_period_slots(),
            kes_evolutions_max: MAX_KES_EVOLUTIONS,
            active_slot_coefficient: Ratio::from_integer(1),
            vrf_key_hash,
            counter: self.certificates.get(&pool).map(|last| last.counter),
        })
    }
}
