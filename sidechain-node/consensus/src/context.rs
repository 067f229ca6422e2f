//! Our types in the roles that Malachite casts: none of them leaves this crate.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use malachitebft_core_types as malachite;
use malachitebft_core_types::{
    Context, LinearTimeouts, NilOrVal, Round, SignedExtension, ValidatorSet as _, VoteType,
};
use nupeer_primitives::consensus::{ValidatorId, ValidatorSet};
use nupeer_primitives::{Hash, Height, PublicKey, Signature};

/// A validator's id as an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(pub(crate) ValidatorId);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl malachite::Address for Address {}

/// A height. Steps saturate, since numbers come from strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockHeight(pub(crate) u64);

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl malachite::Height for BlockHeight {
    const ZERO: Self = BlockHeight(0);
    const INITIAL: Self = BlockHeight(1);

    fn increment_by(&self, n: u64) -> Self {
        BlockHeight(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(BlockHeight)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl From<Height> for BlockHeight {
    fn from(height: Height) -> Self {
        BlockHeight(height.0)
    }
}

impl From<BlockHeight> for Height {
    fn from(height: BlockHeight) -> Self {
        Height(height.0)
    }
}

/// A block's id: what is voted on stands for the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId(pub(crate) Hash);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl malachite::Value for BlockId {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        *self
    }
}

/// Ed25519 as `nupeer_primitives` verifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

impl malachite::SigningScheme for Ed25519 {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = SigningKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes
            .try_into()
            .map(Signature)
            .map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        bytes
            .try_into()
            .map(PublicKey)
            .map_err(|_| "a public key has 32 bytes")
    }

    fn encode_public_key(public_key: &PublicKey) -> Vec<u8> {
        public_key.0.to_vec()
    }
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) address: Address,
    pub(crate) public_key: PublicKey,
    pub(crate) power: u64,
}

impl malachite::Validator<Ctx> for Member {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

/// The validators of one height and the order in which they propose at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// In the order of ids.
    sorted: Arc<[Member]>,
    /// The proposers of rounds 0, 1, …, then from the start again. Never empty.
    turns: Arc<[Member]>,
    total_power: u64,
}

impl Members {
    /// `set` with `turns`, the ids in the order of their turns; ids that are not in the set have none.
    pub(crate) fn new(set: &ValidatorSet, turns: &[ValidatorId]) -> Self {
        let sorted: Arc<[Member]> = set
            .iter()
            .map(|v| Member {
                address: Address(v.id()),
                public_key: v.public_key,
                power: v.power,
            })
            .collect();
        let mut members = Members {
            sorted,
            turns: Arc::new([]),
            total_power: set.total_power(),
        };
        let turns: Vec<Member> = turns
            .iter()
            .filter_map(|id| members.get_by_address(&Address(*id)).cloned())
            .collect();
        members.turns = if turns.is_empty() {
            members.sorted.clone()
        } else {
            turns.into()
        };
        members
    }

    /// Whose turn to propose it is in `round`.
    pub(crate) fn proposer(&self, round: u32) -> &Member {
        // Both tables have a member at least: a `ValidatorSet` is never empty.
        &self.turns[round as usize % self.turns.len()]
    }
}

impl malachite::ValidatorSet<Ctx> for Members {
    fn count(&self) -> usize {
        self.sorted.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.total_power
    }

    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        let at = self
            .sorted
            .binary_search_by_key(address, |member| member.address)
            .ok()?;
        self.sorted.get(at)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.sorted.get(index)
    }
}

/// A proposer's announcement of a block, ahead of its bytes. Signed, so that only the proposer of a round makes
/// others set memory aside for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) height: Height,
    pub(crate) round: u32,
    pub(crate) valid_round: Option<u32>,
    pub(crate) proposer: ValidatorId,
    pub(crate) block: Hash,
    /// How many bytes follow.
    pub(crate) length: u64,
    pub(crate) signature: Signature,
}

/// A piece of a proposed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Announcement(Announcement),
    Bytes(Bytes),
}

impl malachite::ProposalPart<Ctx> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Part::Announcement(_))
    }

    /// The announcement tells how many follow; no part knows by itself.
    fn is_last(&self) -> bool {
        false
    }
}

/// "I propose this block."
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockProposal {
    pub(crate) height: BlockHeight,
    pub(crate) round: Round,
    pub(crate) block: BlockId,
    pub(crate) pol_round: Round,
    pub(crate) proposer: Address,
}

impl malachite::Proposal<Ctx> for BlockProposal {
    fn height(&self) -> BlockHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.block
    }

    fn take_value(self) -> BlockId {
        self.block
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.proposer
    }
}

/// A prevote or precommit. There are no vote extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockVote {
    pub(crate) kind: VoteType,
    pub(crate) height: BlockHeight,
    pub(crate) round: Round,
    pub(crate) block: NilOrVal<BlockId>,
    pub(crate) validator: Address,
}

impl malachite::Vote<Ctx> for BlockVote {
    fn height(&self) -> BlockHeight {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.block
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.block
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }

    fn extend(self, _: SignedExtension<Ctx>) -> Self {
        self
    }
}

/// All of the above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ctx;

impl Context for Ctx {
    type Address = Address;
    type Height = BlockHeight;
    type ProposalPart = Part;
    type Proposal = BlockProposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = LinearTimeouts;
    type Value = BlockId;
    type Vote = BlockVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a Members, _: BlockHeight, round: Round) -> &'a Member {
        // The order of turns was made for the height.
        set.proposer(round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: BlockHeight,
        round: Round,
        block: BlockId,
        pol_round: Round,
        proposer: Address,
    ) -> BlockProposal {
        BlockProposal {
            height,
            round,
            block,
            pol_round,
            proposer,
        }
    }

    fn new_prevote(
        &self,
        height: BlockHeight,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> BlockVote {
        BlockVote {
            kind: VoteType::Prevote,
            height,
            round,
            block,
            validator,
        }
    }

    fn new_precommit(
        &self,
        height: BlockHeight,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> BlockVote {
        BlockVote {
            kind: VoteType::Precommit,
            height,
            round,
            block,
            validator,
        }
    }
}
