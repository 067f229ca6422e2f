//! Votes, proposals, and what the crash log keeps of a proposed block.

use malachitebft_app::types::{ProposedValue, SignedConsensusMsg};
use malachitebft_core_types::{NilOrVal, SignedMessage, Validity, VoteType};
use nupeer_primitives::{Hash, Signature};

use super::wire::{WireProposal, WireProposedValue, WireStatement, WireVote, WireVoteKind};
use super::{CodecError, Wire, defined, into_optional_round, into_round};
use crate::context::{Address, BlockHeight, BlockId, BlockProposal, BlockVote, Ctx};
use crate::signing::WITHHELD;

impl From<VoteType> for WireVoteKind {
    fn from(kind: VoteType) -> Self {
        match kind {
            VoteType::Prevote => WireVoteKind::Prevote,
            VoteType::Precommit => WireVoteKind::Precommit,
        }
    }
}

impl From<WireVoteKind> for VoteType {
    fn from(kind: WireVoteKind) -> Self {
        match kind {
            WireVoteKind::Prevote => VoteType::Prevote,
            WireVoteKind::Precommit => VoteType::Precommit,
        }
    }
}

pub(super) fn to_option(block: NilOrVal<BlockId>) -> Option<Hash> {
    match block {
        NilOrVal::Nil => None,
        NilOrVal::Val(block) => Some(block.0),
    }
}

pub(super) fn from_option(block: Option<Hash>) -> NilOrVal<BlockId> {
    block.map_or(NilOrVal::Nil, |hash| NilOrVal::Val(BlockId(hash)))
}

/// The last gate: what was not signed has no bytes, neither for the network nor for the crash log.
fn refuse_withheld(signature: &Signature) -> Result<(), CodecError> {
    match *signature == WITHHELD {
        true => Err(CodecError::Withheld),
        false => Ok(()),
    }
}

impl Wire<SignedMessage<Ctx, BlockVote>> for WireVote {
    fn from_message(vote: &SignedMessage<Ctx, BlockVote>) -> Result<Self, CodecError> {
        refuse_withheld(&vote.signature)?;
        Ok(WireVote {
            kind: vote.kind.into(),
            height: vote.height.0,
            round: defined(vote.round)?,
            block: to_option(vote.block),
            validator: vote.validator.0,
            signature: vote.signature,
        })
    }

    fn into_message(self) -> Result<SignedMessage<Ctx, BlockVote>, CodecError> {
        let vote = BlockVote {
            kind: self.kind.into(),
            height: BlockHeight(self.height),
            round: into_round(self.round)?,
            block: from_option(self.block),
            validator: Address(self.validator),
        };
        Ok(SignedMessage::new(vote, self.signature))
    }
}

impl Wire<SignedMessage<Ctx, BlockProposal>> for WireProposal {
    fn from_message(proposal: &SignedMessage<Ctx, BlockProposal>) -> Result<Self, CodecError> {
        refuse_withheld(&proposal.signature)?;
        Ok(WireProposal {
            height: proposal.height.0,
            round: defined(proposal.round)?,
            block: proposal.block.0,
            pol_round: proposal.pol_round.as_u32(),
            proposer: proposal.proposer.0,
            signature: proposal.signature,
        })
    }

    fn into_message(self) -> Result<SignedMessage<Ctx, BlockProposal>, CodecError> {
        let proposal = BlockProposal {
            height: BlockHeight(self.height),
            round: into_round(self.round)?,
            block: BlockId(self.block),
            pol_round: into_optional_round(self.pol_round)?,
            proposer: Address(self.proposer),
        };
        Ok(SignedMessage::new(proposal, self.signature))
    }
}

impl Wire<SignedConsensusMsg<Ctx>> for WireStatement {
    fn from_message(message: &SignedConsensusMsg<Ctx>) -> Result<Self, CodecError> {
        Ok(match message {
            SignedConsensusMsg::Vote(vote) => WireStatement::Vote(Wire::from_message(vote)?),
            SignedConsensusMsg::Proposal(proposal) => {
                WireStatement::Proposal(Wire::from_message(proposal)?)
            }
        })
    }

    fn into_message(self) -> Result<SignedConsensusMsg<Ctx>, CodecError> {
        Ok(match self {
            WireStatement::Vote(vote) => SignedConsensusMsg::Vote(vote.into_message()?),
            WireStatement::Proposal(proposal) => {
                SignedConsensusMsg::Proposal(proposal.into_message()?)
            }
        })
    }
}

impl Wire<ProposedValue<Ctx>> for WireProposedValue {
    fn from_message(value: &ProposedValue<Ctx>) -> Result<Self, CodecError> {
        Ok(WireProposedValue {
            height: value.height.0,
            round: defined(value.round)?,
            valid_round: value.valid_round.as_u32(),
            proposer: value.proposer.0,
            block: value.value.0,
            valid: value.validity.is_valid(),
        })
    }

    fn into_message(self) -> Result<ProposedValue<Ctx>, CodecError> {
        Ok(ProposedValue {
            height: BlockHeight(self.height),
            round: into_round(self.round)?,
            valid_round: into_optional_round(self.valid_round)?,
            proposer: Address(self.proposer),
            value: BlockId(self.block),
            validity: Validity::from_bool(self.valid),
        })
    }
}
