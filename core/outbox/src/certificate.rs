//! The committee's certificate over something that spends one output on Cardano.

use nupeer_primitives::{Code, Hash, Numbered, PublicKey, Signature, blake2b_256};

use crate::{BridgeId, Committee, OutputReference};

const DOMAIN: &[u8; 16] = b"NuPeer/cert/v1--";

/// What is certified. The numbers are part of what is signed. 2 (hand-over) and 3 (recovery) are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An anchor; its body is the anchor's datum.
    Anchor = 1,
}

/// All that a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Magic of the Cardano network.
    pub network_magic: u32,
    /// The bridge.
    pub bridge_id: BridgeId,
    /// The committee's epoch.
    pub epoch: u64,
    /// What it is about.
    pub kind: Kind,
    /// The output that is spent with it: a certificate is good for one transaction.
    pub spent: OutputReference,
    /// Hash of the body's Plutus data.
    pub body_hash: Hash,
}

impl Statement {
    /// What members sign: `H(domain(16) ‖ network(4) ‖ bridge id(32) ‖ epoch(8) ‖ kind(1) ‖ spent(32 + 4) ‖ body(32))`.
    /// Every field has a fixed width, so no two statements have one preimage.
    pub fn digest(&self) -> Hash {
        blake2b_256(&[
            DOMAIN,
            &self.network_magic.to_be_bytes(),
            &self.bridge_id.0.0,
            &self.epoch.to_be_bytes(),
            &[self.kind as u8],
            &self.spent.to_bytes(),
            &self.body_hash.0,
        ])
    }
}

/// Why signatures make no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A signature by a key that is no member's.
    #[error("{key} is no member of the committee")]
    Outsider {
        /// The key.
        key: PublicKey,
    },
    /// A signature that its key did not make over this statement.
    #[error("the signature under {key} is not over this statement")]
    Invalid {
        /// The key.
        key: PublicKey,
    },
    /// Too few members signed.
    #[error("{provided} signatures where the quorum is {minimum}")]
    BelowQuorum {
        /// Members that signed.
        provided: usize,
        /// Members that must.
        minimum: usize,
    },
}

impl Numbered for CertificateError {
    fn code(&self) -> Code {
        match self {
            CertificateError::Outsider { .. } => Code(3062),
            CertificateError::Invalid { .. } => Code(3063),
            CertificateError::BelowQuorum { .. } => Code(3064),
        }
    }
}

/// Signatures in the committee's order, one slot per member, empty for who did not sign: the form of the redeemer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Vec<Option<Signature>>);

impl Certificate {
    /// Checks each signature and puts it in its member's slot; one member counts once. Signatures beyond the quorum
    /// are left out, the last first, since each costs 64 bytes and 53 M CPU steps on chain.
    pub fn assemble(
        committee: &Committee,
        digest: &Hash,
        signatures: impl IntoIterator<Item = (PublicKey, Signature)>,
    ) -> Result<Self, CertificateError> {
        let mut slots = vec![None; committee.keys().len()];
        for (key, signature) in signatures {
            let place = committee.keys().binary_search(&key);
            let place = place.map_err(|_| CertificateError::Outsider { key })?;
            if !key.verifies(&digest.0, &signature) {
                return Err(CertificateError::Invalid { key });
            }
            slots[place] = Some(signature);
        }
        let (provided, minimum) = (slots.iter().flatten().count(), committee.quorum());
        if provided < minimum {
            return Err(CertificateError::BelowQuorum { provided, minimum });
        }
        let mut wanted = minimum;
        for slot in slots.iter_mut().filter(|slot| slot.is_some()) {
            if wanted == 0 {
                *slot = None;
            }
            wanted = wanted.saturating_sub(1);
        }
        Ok(Certificate(slots))
    }

    /// The slots, in the committee's order.
    pub fn slots(&self) -> &[Option<Signature>] {
        &self.0
    }

    /// How many signed.
    pub fn signers(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn signer(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn key(seed: u8) -> PublicKey {
        PublicKey(signer(seed).verifying_key().to_bytes())
    }

    fn signed(seed: u8, digest: &Hash) -> (PublicKey, Signature) {
        (
            key(seed),
            Signature(signer(seed).sign(&digest.0).to_bytes()),
        )
    }

    fn committee() -> Committee {
        let keys = (1..=4).map(key).collect();
        Committee::new(BridgeId(Hash([7; 32])), 0, keys).expect("a committee")
    }

    const DIGEST: Hash = Hash([5; 32]);

    #[test]
    fn a_quorum_in_any_order_fills_the_members_slots() {
        let votes = [4, 2, 3].map(|seed| signed(seed, &DIGEST));
        let certificate =
            Certificate::assemble(&committee(), &DIGEST, votes).expect("a certificate");
        assert_eq!(certificate.signers(), 3);
        for (slot, member) in certificate.slots().iter().zip(committee().keys()) {
            assert!(slot.is_none_or(|signature| member.verifies(&DIGEST.0, &signature)));
        }
    }

    #[test]
    fn what_exceeds_the_quorum_is_left_out() {
        let votes = [1, 2, 3, 4].map(|seed| signed(seed, &DIGEST));
        let certificate =
            Certificate::assemble(&committee(), &DIGEST, votes).expect("a certificate");
        assert_eq!(
            certificate
                .slots()
                .iter()
                .map(Option::is_some)
                .collect::<Vec<_>>(),
            [true, true, true, false]
        );
    }

    #[test]
    fn one_member_signing_thrice_is_one_signature() {
        let votes = [signed(1, &DIGEST); 3];
        let error = CertificateError::BelowQuorum {
            provided: 1,
            minimum: 3,
        };
        assert_eq!(
            Certificate::assemble(&committee(), &DIGEST, votes),
            Err(error)
        );
    }

    #[test]
    fn an_outsiders_and_a_foreign_signature_are_refused() {
        let outsider = CertificateError::Outsider { key: key(9) };
        assert_eq!(
            Certificate::assemble(&committee(), &DIGEST, [signed(9, &DIGEST)]),
            Err(outsider)
        );
        let invalid = CertificateError::Invalid { key: key(1) };
        assert_eq!(
            Certificate::assemble(&committee(), &DIGEST, [signed(1, &Hash([6; 32]))]),
            Err(invalid)
        );
    }

    #[test]
    fn every_field_is_in_the_digest() {
        let spent = OutputReference {
            transaction_id: Hash([1; 32]),
            index: 0,
        };
        let base = Statement {
            network_magic: 42,
            bridge_id: BridgeId(Hash([7; 32])),
            epoch: 0,
            kind: Kind::Anchor,
            spent,
            body_hash: Hash([3; 32]),
        };
        for other in [
            Statement {
                network_magic: 1,
                ..base
            },
            Statement {
                bridge_id: BridgeId(Hash([8; 32])),
                ..base
            },
            Statement { epoch: 1, ..base },
            Statement {
                spent: OutputReference { index: 1, ..spent },
                ..base
            },
            Statement {
                body_hash: Hash([4; 32]),
                ..base
            },
        ] {
            assert_ne!(other.digest(), base.digest());
        }
    }
}
