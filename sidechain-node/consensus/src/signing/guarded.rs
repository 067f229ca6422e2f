//! Signing nothing that contradicts what was signed before.

use std::sync::Arc;

use async_trait::async_trait;
use malachitebft_core_types::{
    NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use malachitebft_signing::{Error, Signer};
use nupeer_primitives::{Hash, Height, Signature, blake2b_256};
use tracing::{error, warn};

use super::{LocalSigner, announcement_preimage, proposal_preimage};
use crate::context::{Address, Announcement, BlockId, BlockProposal, BlockVote, Ctx};
use crate::guard::{Guard, Statement, Step, Withheld};

/// Stands where there is no signature, because there must not be one. It verifies nothing, so that Malachite drops the statement, and it has no bytes
/// (`codec/votes.rs`), so that it goes to nobody and into no log. An error instead would end the engine, and a validator that only has to catch up must
/// be able to.
pub(crate) const WITHHELD: Signature = Signature([0; 64]);

/// Stands in the record for a vote for no block: no block has this id.
const NONE: Hash = Hash([0; 32]);

/// Signs for this validator what does not contradict anything that it signed before, whatever became of store and crash log.
#[derive(Clone)]
pub(crate) struct GuardedSigner {
    signer: LocalSigner,
    guard: Arc<Guard>,
}

impl GuardedSigner {
    pub(crate) fn new(signer: LocalSigner, guard: Guard) -> Self {
        GuardedSigner {
            signer,
            guard: Arc::new(guard),
        }
    }

    /// The signer alone, for what is no statement about a height.
    pub(crate) fn unguarded(&self) -> &LocalSigner {
        &self.signer
    }

    /// What keeps it from signing at all.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// As [`LocalSigner::announce`]. The proposal that follows an announcement is noted with it: one write for both.
    pub(crate) async fn announce(
        &self,
        height: Height,
        round: u32,
        valid_round: Option<u32>,
        block: Hash,
        length: u64,
    ) -> Result<Announcement, Withheld> {
        let network = &self.signer.network;
        let announcement = self
            .signer
            .announce(height, round, valid_round, block, length);
        let proposal = BlockProposal {
            height: height.into(),
            round: Round::new(round),
            block: BlockId(block),
            pol_round: valid_round.into(),
            proposer: Address(announcement.proposer),
        };
        let statement = |step, preimage: Vec<u8>| Statement {
            height: height.0,
            round,
            step,
            value: blake2b_256(&[&preimage]),
        };
        let announced = announcement_preimage(network, &announcement);
        let both = vec![
            statement(Step::Announcement, announced),
            statement(Step::Proposal, proposal_preimage(network, &proposal)),
        ];
        self.admit(both).await.map(|()| announcement)
    }

    /// Notes on disk what is to be signed.
    async fn admit(&self, wanted: Vec<Statement>) -> Result<(), Withheld> {
        let guard = self.guard.clone();
        let noted = tokio::task::spawn_blocking(move || guard.admit(&wanted)).await;
        noted.unwrap_or_else(|ended| {
            Err(Withheld::Unwritten {
                path: Default::default(),
                reason: ended.to_string(),
            })
        })
    }
}

/// What was signed, if it may be known; a statement without a signature, where it would contradict another.
fn release<T>(
    signed: SignedMessage<Ctx, T>,
    admitted: Result<(), Withheld>,
) -> Result<SignedMessage<Ctx, T>, Error> {
    match admitted {
        Ok(()) => Ok(signed),
        // The disk is not to be trusted any more: the engine ends.
        Err(withheld @ Withheld::Unwritten { .. }) => {
            error!(%withheld, "nothing is signed any more");
            Err(Error::from_source(withheld))
        }
        Err(withheld) => {
            warn!(%withheld, "not signed");
            Ok(SignedMessage::new(signed.message, WITHHELD))
        }
    }
}

#[async_trait]
impl Signer<Ctx> for GuardedSigner {
    async fn sign_vote(&self, vote: BlockVote) -> Result<SignedMessage<Ctx, BlockVote>, Error> {
        let block = match vote.block {
            NilOrVal::Nil => None,
            NilOrVal::Val(block) => Some(block.0),
        };
        let wanted = Statement {
            height: vote.height.0,
            round: vote.round.as_u32().ok_or_else(Error::new)?,
            step: match vote.kind {
                VoteType::Prevote => Step::Prevote,
                VoteType::Precommit => Step::Precommit,
            },
            value: block.unwrap_or(NONE),
        };
        let admitted = self.admit(vec![wanted]).await;
        release(self.signer.sign_vote(vote).await?, admitted)
    }

    async fn sign_proposal(
        &self,
        proposal: BlockProposal,
    ) -> Result<SignedMessage<Ctx, BlockProposal>, Error> {
        let wanted = Statement {
            height: proposal.height.0,
            round: proposal.round.as_u32().ok_or_else(Error::new)?,
            step: Step::Proposal,
            value: blake2b_256(&[&proposal_preimage(&self.signer.network, &proposal)]),
        };
        let admitted = self.admit(vec![wanted]).await;
        release(self.signer.sign_proposal(proposal).await?, admitted)
    }

    async fn sign_vote_extension(
        &self,
        scope: VoteExtensionScope<Ctx>,
        extension: (),
    ) -> Result<SignedMessage<Ctx, ()>, Error> {
        self.signer.sign_vote_extension(scope, extension).await
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Ctx>, Error> {
        self.signer.sign_validator_proof(public_key, peer_id).await
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use malachitebft_app::types::SignedConsensusMsg;
    use malachitebft_app::types::codec::Codec;
    use malachitebft_core_consensus::LivenessMsg;
    use malachitebft_core_types::Context as _;

    use super::*;
    use crate::codec::WireCodec;
    use crate::context::BlockHeight;
    use crate::signing::vote_preimage;

    const NETWORK: Hash = Hash([9; 32]);
    const BLOCK: BlockId = BlockId(Hash([3; 32]));

    fn signer() -> LocalSigner {
        LocalSigner::new(NETWORK, SigningKey::from_bytes(&[1; 32]))
    }

    fn address() -> Address {
        Address(signer().public_key().hash())
    }

    fn guarded(folder: &tempfile::TempDir) -> GuardedSigner {
        let guard = Guard::open(&folder.path().join("last-signed"), NETWORK, 7).unwrap();
        GuardedSigner::new(signer(), guard)
    }

    #[tokio::test]
    async fn what_contradicts_an_earlier_signature_gets_none_and_has_no_bytes() {
        let codec = WireCodec {
            response_bytes_max: 1 << 20,
        };
        let folder = tempfile::tempdir().unwrap();
        let guarded = guarded(&folder);
        let (height, round) = (BlockHeight(7), Round::new(1));
        let vote = |block| Ctx.new_prevote(height, round, block, address());
        let good = guarded.sign_vote(vote(NilOrVal::Val(BLOCK))).await;
        let good = good.unwrap();
        let (preimage, key) = (
            vote_preimage(&NETWORK, &good.message),
            signer().public_key(),
        );
        assert!(key.verifies(&preimage, &good.signature));
        let again = guarded.sign_vote(good.message.clone()).await;
        assert_eq!(again.unwrap().signature, good.signature);
        let other = guarded.sign_vote(vote(NilOrVal::Nil)).await;
        assert_eq!(other.unwrap().signature, WITHHELD);
        let earlier = Ctx.new_prevote(height, Round::new(0), NilOrVal::Nil, address());
        let withheld = guarded.sign_vote(earlier).await.unwrap();
        assert_eq!(withheld.signature, WITHHELD);
        let preimage = vote_preimage(&NETWORK, &withheld.message);
        assert!(!key.verifies(&preimage, &withheld.signature));
        for (vote, expected) in [(good, true), (withheld, false)] {
            let message = SignedConsensusMsg::Vote(vote.clone());
            assert_eq!(codec.encode(&message).is_ok(), expected);
            let repeated = LivenessMsg::Vote(vote);
            assert_eq!(codec.encode(&repeated).is_ok(), expected);
        }
    }

    #[tokio::test]
    async fn an_announcement_and_its_proposal_are_one_and_no_second_block_is_proposed() {
        let folder = tempfile::tempdir().unwrap();
        let (height, round, other) = (Height(7), Round::new(1), BlockId(Hash([4; 32])));
        let announced = guarded(&folder).announce(height, 1, None, BLOCK.0, 5).await;
        assert_eq!(
            announced.unwrap(),
            signer().announce(height, 1, None, BLOCK.0, 5)
        );
        for (block, expected) in [(BLOCK, true), (other, false)] {
            let again = guarded(&folder).announce(height, 1, None, block.0, 5).await;
            assert_eq!(again.is_ok(), expected);
            let proposal = Ctx.new_proposal(height.into(), round, block, Round::Nil, address());
            let signed = guarded(&folder).sign_proposal(proposal).await.unwrap();
            assert_eq!(signed.signature != WITHHELD, expected);
        }
    }
}
