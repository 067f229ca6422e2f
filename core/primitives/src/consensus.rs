//! Validators and the certificates by which they commit to a block. Anybody can check a certificate with this
//! module alone: no node has to be believed.

use minicbor::{Decode, Encode};

use crate::{Code, Hash, Hash28, Height, Numbered, PublicKey, Signature, cbor};

/// A validator: blake2b-224 of its consensus key.
pub type ValidatorId = Hash28;

/// A validator's consensus key and voting power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Validator {
    /// The ed25519 key that votes.
    #[n(0)]
    pub public_key: PublicKey,
    /// Its weight; above zero.
    #[n(1)]
    pub power: u64,
}

impl Validator {
    /// The name under which it votes.
    pub fn id(&self) -> ValidatorId {
        self.public_key.hash()
    }
}

/// The validators of a height, in the order of their ids, each once, with a total power that fits 64 bits thrice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    sorted: Vec<(ValidatorId, Validator)>,
    total_power: u64,
}

/// Why validators form no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// Nobody.
    #[error("no validators")]
    Empty,
    /// One key twice.
    #[error("validator {0} is named twice")]
    Duplicate(ValidatorId),
    /// A validator that counts for nothing.
    #[error("validator {0} has no power")]
    NoPower(ValidatorId),
    /// Powers whose sum could overflow a comparison.
    #[error("the powers add up to over {maximum}")]
    PowerOverflow {
        /// The largest total allowed.
        maximum: u64,
    },
}

impl Numbered for ValidatorSetError {
    fn code(&self) -> Code {
        match self {
            ValidatorSetError::Empty => Code(1030),
            ValidatorSetError::Duplicate(_) => Code(1031),
            ValidatorSetError::NoPower(_) => Code(1032),
            ValidatorSetError::PowerOverflow { .. } => Code(1033),
        }
    }
}

impl ValidatorSet {
    /// Largest total power: thrice it still fits 64 bits.
    pub const POWER_MAX: u64 = u64::MAX / 3;

    /// The set of `validators`, in whatever order they come.
    pub fn new(validators: impl IntoIterator<Item = Validator>) -> Result<Self, ValidatorSetError> {
        let mut sorted: Vec<_> = validators.into_iter().map(|v| (v.id(), v)).collect();
        sorted.sort_unstable_by_key(|(id, _)| *id);
        if sorted.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ValidatorSetError::Duplicate(pair[0].0));
        }
        if let Some((id, _)) = sorted.iter().find(|(_, v)| v.power == 0) {
            return Err(ValidatorSetError::NoPower(*id));
        }
        let total = sorted
            .iter()
            .try_fold(0u64, |sum, (_, v)| sum.checked_add(v.power));
        match total {
            Some(total_power) if total_power <= Self::POWER_MAX => Ok(ValidatorSet {
                sorted,
                total_power,
            }),
            _ => Err(ValidatorSetError::PowerOverflow {
                maximum: Self::POWER_MAX,
            }),
        }
    }

    /// The validators in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Validator> {
        self.sorted.iter().map(|(_, validator)| validator)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Never: a set has somebody in it.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The sum of all powers.
    pub fn total_power(&self) -> u64 {
        self.total_power
    }

    /// The validator of that id.
    pub fn get(&self, id: &ValidatorId) -> Option<&Validator> {
        self.sorted
            .binary_search_by_key(id, |(id, _)| *id)
            .ok()
            .map(|i| &self.sorted[i].1)
    }

    /// The id and validator at a position in the order of ids.
    pub fn at(&self, index: usize) -> Option<&(ValidatorId, Validator)> {
        self.sorted.get(index)
    }

    /// Whether `power` is more than two thirds of the total.
    pub fn is_quorum(&self, power: u64) -> bool {
        u128::from(power) * 3 > u128::from(self.total_power) * 2
    }

    /// What a block header commits to: a hash over all ids, keys and powers.
    pub fn hash(&self) -> Hash {
        let validators: Vec<&Validator> = self.iter().collect();
        crate::blake2b_256(&[b"nupeer/validators/1", &cbor::encode(&validators)])
    }
}

/// What every validator signs to commit `block` at `height` in `round`. The signer is not in it, so all sign one
/// message. `network` is the genesis id.
pub fn precommit_preimage(network: &Hash, height: Height, round: u32, block: &Hash) -> Vec<u8> {
    let mut out = b"nupeer/precommit/1".to_vec();
    out.extend_from_slice(&network.0);
    out.extend_from_slice(&height.0.to_be_bytes());
    out.extend_from_slice(&round.to_be_bytes());
    out.extend_from_slice(&block.0);
    out
}

/// More than two thirds of the power committed to one block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Certificate {
    /// The block's height.
    #[n(0)]
    pub height: Height,
    /// The round in which it was committed.
    #[n(1)]
    pub round: u32,
    /// The hash of the block's header.
    #[n(2)]
    pub block: Hash,
    /// Who signed, with the signature over [`precommit_preimage`], in the order of ids.
    #[n(3)]
    pub signatures: Vec<(ValidatorId, Signature)>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A signer who is no validator of that height.
    #[error("{0} is no validator at that height")]
    UnknownSigner(ValidatorId),
    /// Signers out of order, or one twice.
    #[error("signers are not in ascending order at {0}")]
    OutOfOrder(ValidatorId),
    /// A signature of another text or key.
    #[error("the signature of {0} does not verify")]
    BadSignature(ValidatorId),
    /// Too few.
    #[error("power {provided} of {total} signed; more than two thirds are needed")]
    NoQuorum {
        /// Power that signed.
        provided: u64,
        /// Power of all.
        total: u64,
    },
}

impl Numbered for CertificateError {
    fn code(&self) -> Code {
        match self {
            CertificateError::UnknownSigner(_) => Code(1040),
            CertificateError::OutOfOrder(_) => Code(1041),
            CertificateError::BadSignature(_) => Code(1042),
            CertificateError::NoQuorum { .. } => Code(1043),
        }
    }
}

impl Certificate {
    /// Checks that more than two thirds of `validators`' power signed this block on this network.
    pub fn verify(
        &self,
        network: &Hash,
        validators: &ValidatorSet,
    ) -> Result<(), CertificateError> {
        let message = precommit_preimage(network, self.height, self.round, &self.block);
        let mut provided = 0u64;
        let mut last = None;
        for (id, signature) in &self.signatures {
            if last >= Some(id) {
                return Err(CertificateError::OutOfOrder(*id));
            }
            last = Some(id);
            let validator = validators
                .get(id)
                .ok_or(CertificateError::UnknownSigner(*id))?;
            if !validator.public_key.verifies(&message, signature) {
                return Err(CertificateError::BadSignature(*id));
            }
            // Each validator is counted once, so the sum stays below the set's total.
            provided = provided.saturating_add(validator.power);
        }
        if validators.is_quorum(provided) {
            Ok(())
        } else {
            Err(CertificateError::NoQuorum {
                provided,
                total: validators.total_power(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const NETWORK: Hash = Hash([9; 32]);

    fn keys(n: u8) -> Vec<SigningKey> {
        let mut keys: Vec<_> = (1..=n).map(|i| SigningKey::from_bytes(&[i; 32])).collect();
        keys.sort_by_key(|key| PublicKey(key.verifying_key().to_bytes()).hash());
        keys
    }

    fn validator(key: &SigningKey) -> Validator {
        Validator {
            public_key: PublicKey(key.verifying_key().to_bytes()),
            power: 1,
        }
    }

    fn certificate(signers: &[SigningKey]) -> Certificate {
        let (height, round, block) = (Height(7), 1, Hash([3; 32]));
        let message = precommit_preimage(&NETWORK, height, round, &block);
        let sign = |key: &SigningKey| {
            (
                validator(key).id(),
                Signature(key.sign(&message).to_bytes()),
            )
        };
        Certificate {
            height,
            round,
            block,
            signatures: signers.iter().map(sign).collect(),
        }
    }

    fn set(keys: &[SigningKey]) -> ValidatorSet {
        ValidatorSet::new(keys.iter().map(validator)).unwrap()
    }

    #[test]
    fn three_of_four_commit_and_two_do_not() {
        let keys = keys(4);
        assert_eq!(
            certificate(&keys[..3]).verify(&NETWORK, &set(&keys)),
            Ok(())
        );
        let refused = certificate(&keys[..2]).verify(&NETWORK, &set(&keys));
        assert_eq!(
            refused,
            Err(CertificateError::NoQuorum {
                provided: 2,
                total: 4
            })
        );
    }

    #[test]
    fn exactly_two_thirds_is_no_quorum() {
        let keys = keys(3);
        let refused = certificate(&keys[..2]).verify(&NETWORK, &set(&keys));
        assert_eq!(
            refused,
            Err(CertificateError::NoQuorum {
                provided: 2,
                total: 3
            })
        );
    }

    #[test]
    fn one_signer_does_not_count_twice() {
        let keys = keys(4);
        let mut cheat = certificate(&keys[..2]);
        cheat.signatures.push(cheat.signatures[1]);
        let refused = cheat.verify(&NETWORK, &set(&keys));
        assert_eq!(
            refused,
            Err(CertificateError::OutOfOrder(validator(&keys[1]).id()))
        );
    }

    #[test]
    fn an_outsider_another_network_and_another_round_are_refused() {
        let keys = keys(4);
        let whole = certificate(&keys);
        let first = validator(&keys[0]).id();
        assert_eq!(
            whole.verify(&NETWORK, &set(&keys[1..])),
            Err(CertificateError::UnknownSigner(first))
        );
        assert_eq!(
            whole.verify(&Hash::ZERO, &set(&keys)),
            Err(CertificateError::BadSignature(first))
        );
        let moved = Certificate { round: 2, ..whole };
        assert_eq!(
            moved.verify(&NETWORK, &set(&keys)),
            Err(CertificateError::BadSignature(first))
        );
    }

    #[test]
    fn sets_without_sense_are_refused() {
        let one = validator(&keys(1)[0]);
        assert_eq!(ValidatorSet::new([]), Err(ValidatorSetError::Empty));
        assert_eq!(
            ValidatorSet::new([one, one]),
            Err(ValidatorSetError::Duplicate(one.id()))
        );
        assert_eq!(
            ValidatorSet::new([Validator { power: 0, ..one }]),
            Err(ValidatorSetError::NoPower(one.id()))
        );
        let maximum = ValidatorSet::POWER_MAX;
        let heavy = Validator {
            power: maximum + 1,
            ..one
        };
        assert_eq!(
            ValidatorSet::new([heavy]),
            Err(ValidatorSetError::PowerOverflow { maximum })
        );
    }

    #[test]
    fn the_precommit_preimage_is_pinned() {
        let bytes = precommit_preimage(&NETWORK, Height(7), 1, &Hash([3; 32]));
        let tail = format!(
            "{}000000000000000700000001{}",
            "09".repeat(32),
            "03".repeat(32)
        );
        assert_eq!(
            hex::encode(bytes),
            hex::encode("nupeer/precommit/1") + &tail
        );
    }
}
