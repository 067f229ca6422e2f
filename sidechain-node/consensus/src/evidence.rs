//! Two statements of one validator that exclude each other.

use malachitebft_core_consensus::MisbehaviorEvidence;
use malachitebft_core_types::{DoubleProposal, DoubleVote, Round, VoteType};
use nupeer_primitives::consensus::ValidatorId;
use nupeer_primitives::{Hash, Height, PublicKey, Signature};

use crate::context::{BlockProposal, BlockVote, Ctx};
use crate::signing::{proposal_preimage, vote_preimage};

/// Proof that a validator signed twice what it may sign once. Whoever knows the validator's key can check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Who did it.
    pub validator: ValidatorId,
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: u32,
    /// What was signed twice.
    pub kind: EvidenceKind,
    /// One of the statements.
    pub first: Statement,
    /// The other.
    pub second: Statement,
}

/// What a validator may sign once per round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

/// What was signed, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The signed bytes: kind, chain, height, round, then what is said.
    pub preimage: Vec<u8>,
    /// The validator's signature over them.
    pub signature: Signature,
}

impl Evidence {
    /// Whether `key` is the accused validator's and signed two different statements.
    pub fn verify(&self, key: &PublicKey) -> bool {
        let signed = |s: &Statement| key.verifies(&s.preimage, &s.signature);
        key.hash() == self.validator
            && self.first.preimage != self.second.preimage
            && signed(&self.first)
            && signed(&self.second)
    }

    pub(crate) fn all(network: &Hash, found: &MisbehaviorEvidence<Ctx>) -> Vec<Evidence> {
        let votes = found.votes.iter().flat_map(|(_, pairs)| pairs);
        let proposals = found.proposals.iter().flat_map(|(_, pairs)| pairs);
        votes
            .map(|pair| Evidence::of_votes(network, pair))
            .chain(proposals.map(|pair| Evidence::of_proposals(network, pair)))
            .collect()
    }

    fn of_votes(network: &Hash, (first, second): &DoubleVote<Ctx>) -> Evidence {
        let statement = |vote: &BlockVote, signature: &Signature| Statement {
            preimage: vote_preimage(network, vote),
            signature: *signature,
        };
        Evidence {
            validator: first.validator.0,
            height: first.height.into(),
            round: round(first.round),
            kind: match first.kind {
                VoteType::Prevote => EvidenceKind::Prevote,
                VoteType::Precommit => EvidenceKind::Precommit,
            },
            first: statement(first, &first.signature),
            second: statement(second, &second.signature),
        }
    }

    fn of_proposals(network: &Hash, (first, second): &DoubleProposal<Ctx>) -> Evidence {
        let statement = |proposal: &BlockProposal, signature: &Signature| Statement {
            preimage: proposal_preimage(network, proposal),
            signature: *signature,
        };
        Evidence {
            validator: first.proposer.0,
            height: first.height.into(),
            round: round(first.round),
            kind: EvidenceKind::Proposal,
            first: statement(first, &first.signature),
            second: statement(second, &second.signature),
        }
    }
}

/// Nothing that was received has no round; see the decoders.
fn round(round: Round) -> u32 {
    round.as_u32().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use malachitebft_core_types::{Context as _, NilOrVal, SignedMessage};
    use malachitebft_signing::Signer as _;

    use super::*;
    use crate::context::{Address, BlockHeight, BlockId};
    use crate::signing::LocalSigner;

    const NETWORK: Hash = Hash([9; 32]);

    fn key() -> PublicKey {
        PublicKey(SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes())
    }

    async fn prevote(block: NilOrVal<BlockId>) -> SignedMessage<Ctx, BlockVote> {
        let signer = LocalSigner::new(NETWORK, SigningKey::from_bytes(&[1; 32]));
        let voter = Address(key().hash());
        let vote = Ctx.new_prevote(BlockHeight(7), Round::new(2), block, voter);
        signer.sign_vote(vote).await.unwrap()
    }

    #[tokio::test]
    async fn two_votes_of_one_round_convict_their_signer_and_nobody_else() {
        let one = prevote(NilOrVal::Val(BlockId(Hash([3; 32])))).await;
        let other = prevote(NilOrVal::Nil).await;
        let evidence = Evidence::of_votes(&NETWORK, &(one, other));
        assert_eq!((evidence.height, evidence.round), (Height(7), 2));
        assert_eq!(
            (evidence.validator, evidence.kind),
            (key().hash(), EvidenceKind::Prevote)
        );
        assert!(evidence.verify(&key()));
        assert!(!evidence.verify(&PublicKey([4; 32])));
    }

    #[tokio::test]
    async fn one_vote_twice_convicts_nobody() {
        let one = prevote(NilOrVal::Nil).await;
        let evidence = Evidence::of_votes(&NETWORK, &(one.clone(), one));
        assert!(!evidence.verify(&key()));
    }
}
