//! What validators sign, and how it is checked.
//!
//! Every kind of statement has its own first bytes, and all but the peer proof name the chain. A precommit for a
//! block is signed exactly as [`precommit_preimage`] says, so that whoever has `nupeer_primitives` can check a
//! certificate. No statement contains its signer: the key tells.

use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};
use malachitebft_core_types::{
    NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use nupeer_primitives::consensus::precommit_preimage;
use nupeer_primitives::{Hash, Height, PublicKey, Signature};

use crate::context::{Announcement, BlockHeight, BlockProposal, BlockVote, Ctx};

mod guarded;

pub(crate) use guarded::{GuardedSigner, WITHHELD};

const PREVOTE: &[u8] = b"nupeer/prevote/1";
const PRECOMMIT_NIL: &[u8] = b"nupeer/precommit-nil/1";
const PROPOSAL: &[u8] = b"nupeer/proposal/1";
const ANNOUNCEMENT: &[u8] = b"nupeer/announcement/1";

/// The start of every statement: its kind, the chain, the height and the round. `Nil` stands as the largest
/// number, which no decoder lets in.
fn statement(kind: &[u8], network: &Hash, height: BlockHeight, round: Round) -> Vec<u8> {
    let mut out = kind.to_vec();
    out.extend_from_slice(&network.0);
    out.extend_from_slice(&height.0.to_be_bytes());
    out.extend_from_slice(&round.as_u32().unwrap_or(u32::MAX).to_be_bytes());
    out
}

fn put_option(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.push(u8::from(bytes.is_some()));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// What a vote's signature covers.
pub(crate) fn vote_preimage(network: &Hash, vote: &BlockVote) -> Vec<u8> {
    match (vote.kind, &vote.block, vote.round) {
        (VoteType::Precommit, NilOrVal::Val(block), Round::Some(round)) => {
            precommit_preimage(network, vote.height.into(), round, &block.0)
        }
        (VoteType::Precommit, ..) => statement(PRECOMMIT_NIL, network, vote.height, vote.round),
        (VoteType::Prevote, block, round) => {
            let mut out = statement(PREVOTE, network, vote.height, round);
            put_option(
                &mut out,
                match block {
                    NilOrVal::Val(block) => Some(&block.0.0),
                    NilOrVal::Nil => None,
                },
            );
            out
        }
    }
}

/// What a proposal's signature covers.
pub(crate) fn proposal_preimage(network: &Hash, proposal: &BlockProposal) -> Vec<u8> {
    let mut out = statement(PROPOSAL, network, proposal.height, proposal.round);
    let pol_round = proposal.pol_round.as_u32().map(u32::to_be_bytes);
    put_option(&mut out, pol_round.as_ref().map(|bytes| bytes.as_slice()));
    out.extend_from_slice(&proposal.block.0.0);
    out
}

/// What an announcement's signature covers.
pub(crate) fn announcement_preimage(network: &Hash, announcement: &Announcement) -> Vec<u8> {
    let Announcement {
        height,
        round,
        valid_round,
        block,
        length,
        ..
    } = announcement;
    let mut out = statement(ANNOUNCEMENT, network, (*height).into(), Round::new(*round));
    let valid_round = valid_round.map(u32::to_be_bytes);
    put_option(&mut out, valid_round.as_ref().map(|bytes| bytes.as_slice()));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&block.0);
    out
}

/// Signs for this validator whatever it is asked to.
#[derive(Clone)]
pub(crate) struct LocalSigner {
    network: Hash,
    key: SigningKey,
}

impl LocalSigner {
    pub(crate) fn new(network: Hash, key: SigningKey) -> Self {
        LocalSigner { network, key }
    }

    fn sign(&self, preimage: &[u8]) -> Signature {
        Signature(self.key.sign(preimage).to_bytes())
    }

    fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    /// Announces a block of `length` bytes as this validator's proposal.
    pub(crate) fn announce(
        &self,
        height: Height,
        round: u32,
        valid_round: Option<u32>,
        block: Hash,
        length: u64,
    ) -> Announcement {
        let proposer = self.public_key().hash();
        let signature = Signature([0; 64]);
        let unsigned = Announcement {
            height,
            round,
            valid_round,
            proposer,
            block,
            length,
            signature,
        };
        let signature = self.sign(&announcement_preimage(&self.network, &unsigned));
        Announcement {
            signature,
            ..unsigned
        }
    }

    /// Proves that the holder of the consensus key also holds the libp2p identity `peer_id`.
    pub(crate) fn prove_peer(&self, peer_id: Vec<u8>) -> ValidatorProof<Ctx> {
        let public_key = self.public_key().0.to_vec();
        let signature = self.sign(&ValidatorProof::<Ctx>::signing_bytes(&public_key, &peer_id));
        ValidatorProof::new(public_key, peer_id, signature)
    }
}

#[async_trait]
impl Signer<Ctx> for LocalSigner {
    async fn sign_vote(&self, vote: BlockVote) -> Result<SignedMessage<Ctx, BlockVote>, Error> {
        let signature = self.sign(&vote_preimage(&self.network, &vote));
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(
        &self,
        proposal: BlockProposal,
    ) -> Result<SignedMessage<Ctx, BlockProposal>, Error> {
        let signature = self.sign(&proposal_preimage(&self.network, &proposal));
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Ctx>,
        _: (),
    ) -> Result<SignedMessage<Ctx, ()>, Error> {
        // The policy of every height forbids extensions, so nobody asks.
        Err(Error::new())
    }

    async fn sign_validator_proof(
        &self,
        _: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Ctx>, Error> {
        Ok(self.prove_peer(peer_id))
    }
}

/// Checks everybody's signatures.
#[derive(Clone, Copy)]
pub(crate) struct StrictVerifier {
    network: Hash,
}

impl StrictVerifier {
    pub(crate) fn new(network: Hash) -> Self {
        StrictVerifier { network }
    }

    /// Whether `key` signed the announcement.
    pub(crate) fn announced_by(&self, announcement: &Announcement, key: &PublicKey) -> bool {
        let preimage = announcement_preimage(&self.network, announcement);
        key.verifies(&preimage, &announcement.signature)
    }
}

fn verdict(valid: bool) -> Result<VerificationResult, Error> {
    Ok(VerificationResult::from_bool(valid))
}

#[async_trait]
impl Verifier<Ctx> for StrictVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &BlockVote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        verdict(key.verifies(&vote_preimage(&self.network, vote), signature))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &BlockProposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        verdict(key.verifies(&proposal_preimage(&self.network, proposal), signature))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Ctx>,
        _: &(),
        _: &Signature,
        _: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        verdict(false)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Ctx>,
    ) -> Result<VerificationResult, Error> {
        let Ok(key) = proof.decoded_public_key() else {
            return verdict(false);
        };
        verdict(key.verifies(&proof.preimage(), &proof.signature))
    }
}

#[cfg(test)]
mod tests {
    use malachitebft_core_types::Context as _;
    use nupeer_primitives::consensus::{Certificate, Validator, ValidatorSet};

    use super::*;
    use crate::context::{Address, BlockId};

    const NETWORK: Hash = Hash([9; 32]);
    const BLOCK: BlockId = BlockId(Hash([3; 32]));

    fn signer(seed: u8) -> LocalSigner {
        LocalSigner::new(NETWORK, SigningKey::from_bytes(&[seed; 32]))
    }

    fn address() -> Address {
        Address(signer(1).public_key().hash())
    }

    /// Every statement that one validator can make in one round, about one block and about none.
    fn preimages() -> Vec<Vec<u8>> {
        let (height, round) = (BlockHeight(7), Round::new(1));
        let mut all = Vec::new();
        for block in [NilOrVal::Nil, NilOrVal::Val(BLOCK)] {
            all.push(vote_preimage(
                &NETWORK,
                &Ctx.new_prevote(height, round, block, address()),
            ));
            all.push(vote_preimage(
                &NETWORK,
                &Ctx.new_precommit(height, round, block, address()),
            ));
        }
        for pol in [Round::Nil, Round::new(0)] {
            let proposal = Ctx.new_proposal(height, round, BLOCK, pol, address());
            all.push(proposal_preimage(&NETWORK, &proposal));
            let announcement = signer(1).announce(Height(7), 1, pol.as_u32(), BLOCK.0, 5);
            all.push(announcement_preimage(&NETWORK, &announcement));
        }
        all
    }

    #[test]
    fn no_statement_can_be_taken_for_the_start_of_another() {
        let all = preimages();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{i} begins {j}");
            }
        }
    }

    #[test]
    fn statements_are_pinned() {
        let head = format!("{}000000000000000700000001", "09".repeat(32));
        let block = "03".repeat(32);
        let expected = [
            ("nupeer/prevote/1", format!("{head}00")),
            ("nupeer/precommit-nil/1", head.clone()),
            ("nupeer/prevote/1", format!("{head}01{block}")),
            ("nupeer/precommit/1", format!("{head}{block}")),
            ("nupeer/proposal/1", format!("{head}00{block}")),
            (
                "nupeer/announcement/1",
                format!("{head}000000000000000005{block}"),
            ),
            ("nupeer/proposal/1", format!("{head}0100000000{block}")),
            (
                "nupeer/announcement/1",
                format!("{head}01000000000000000000000005{block}"),
            ),
        ];
        for (preimage, (kind, tail)) in preimages().iter().zip(expected) {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            assert_eq!(hex(preimage), hex(kind.as_bytes()) + &tail, "{kind}");
        }
    }

    #[tokio::test]
    async fn precommits_make_a_certificate_that_primitives_accept() {
        let signers: Vec<LocalSigner> = (1..=4).map(signer).collect();
        let validator = |s: &LocalSigner| Validator {
            public_key: s.public_key(),
            power: 1,
        };
        let set = ValidatorSet::new(signers.iter().map(validator)).unwrap();
        let mut signatures = Vec::new();
        for signer in &signers[..3] {
            let id = signer.public_key().hash();
            let vote = Ctx.new_precommit(
                BlockHeight(7),
                Round::new(1),
                NilOrVal::Val(BLOCK),
                Address(id),
            );
            signatures.push((id, signer.sign_vote(vote).await.unwrap().signature));
        }
        signatures.sort();
        let certificate = Certificate {
            height: Height(7),
            round: 1,
            block: BLOCK.0,
            signatures,
        };
        assert_eq!(certificate.verify(&NETWORK, &set), Ok(()));
    }

    #[tokio::test]
    async fn a_peer_proof_holds_for_its_key_and_peer_alone() {
        let verifier = StrictVerifier::new(NETWORK);
        let proof = signer(1).prove_peer(vec![1, 2, 3]);
        assert!(
            verifier
                .verify_validator_proof(&proof)
                .await
                .unwrap()
                .is_valid()
        );
        for (public_key, peer_id) in [
            (signer(2).public_key().0.to_vec(), vec![1, 2, 3]),
            (proof.public_key.clone(), vec![1, 2, 4]),
            (vec![0; 31], vec![1, 2, 3]),
        ] {
            let forged = ValidatorProof::new(public_key, peer_id, proof.signature);
            assert!(
                verifier
                    .verify_validator_proof(&forged)
                    .await
                    .unwrap()
                    .is_invalid()
            );
        }
    }

    #[test]
    fn an_announcement_binds_all_that_it_says() {
        let verifier = StrictVerifier::new(NETWORK);
        let key = signer(1).public_key();
        let good = signer(1).announce(Height(7), 1, None, BLOCK.0, 5);
        assert!(verifier.announced_by(&good, &key));
        for forged in [
            Announcement {
                height: Height(8),
                ..good.clone()
            },
            Announcement {
                round: 2,
                ..good.clone()
            },
            Announcement {
                valid_round: Some(0),
                ..good.clone()
            },
            Announcement {
                block: Hash([4; 32]),
                ..good.clone()
            },
            Announcement {
                length: 6,
                ..good.clone()
            },
        ] {
            assert!(!verifier.announced_by(&forged, &key), "{forged:?}");
        }
        assert!(!StrictVerifier::new(Hash([8; 32])).announced_by(&good, &key));
        assert!(!verifier.announced_by(&good, &signer(2).public_key()));
    }
}
