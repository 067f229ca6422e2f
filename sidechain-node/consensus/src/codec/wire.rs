//! The shapes in which messages travel, and what is refused of them before anything is made of it.
//!
//! Knows nothing of the engine: the fuzz target `consensus` compiles this file by its path, without the engine around it.

use minicbor::{Decode, Encode};
use nupeer_primitives::cbor::{self, CborError};
use nupeer_primitives::consensus::{Certificate, ValidatorId};
use nupeer_primitives::{Hash, Height, Signature};

/// Rounds from here on are refused: the engine adds to them, and no height lives to see them.
pub(crate) const ROUND_END: u32 = 1 << 20;
/// Length of a stream's name.
pub(crate) const STREAM_ID_BYTES: usize = 16;

/// Why bytes were refused, or a message has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    #[error(transparent)]
    Cbor(#[from] CborError),
    #[error("round {provided}, but rounds end at {ROUND_END}")]
    Round { provided: u32 },
    #[error("a statement without a round")]
    NoRound,
    #[error("a statement that was not signed, since it would contradict another")]
    Withheld,
    #[error("no libp2p peer id: {0}")]
    PeerId(String),
    #[error("a stream id has {STREAM_ID_BYTES} bytes, not {provided}")]
    StreamId { provided: usize },
    #[error("an end of stream where announcements tell the end")]
    StreamEnd,
    #[error("certificates and values of a response disagree on height {expected}")]
    Gap { expected: u64 },
}

/// A shape: what its fields do not say, `check` refuses.
pub(crate) trait Shape: Encode<()> + for<'b> Decode<'b, ()> {
    fn check(&self) -> Result<(), CodecError>;
}

/// The one message of at most `maximum` bytes that these are.
pub(crate) fn read<S: Shape>(bytes: &[u8], maximum: usize) -> Result<S, CodecError> {
    let shape: S = cbor::decode_bounded(bytes, maximum)?;
    shape.check()?;
    Ok(shape)
}

pub(crate) fn checked(round: u32) -> Result<u32, CodecError> {
    if round < ROUND_END {
        Ok(round)
    } else {
        Err(CodecError::Round { provided: round })
    }
}

fn check_rounds<const N: usize>(rounds: [Option<u32>; N]) -> Result<(), CodecError> {
    rounds
        .into_iter()
        .flatten()
        .try_for_each(|round| checked(round).map(drop))
}

/// A vote's kind.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum WireVoteKind {
    #[n(0)]
    Prevote,
    #[n(1)]
    Precommit,
}

#[derive(Encode, Decode)]
pub(crate) struct WireVote {
    #[n(0)]
    pub(crate) kind: WireVoteKind,
    #[n(1)]
    pub(crate) height: u64,
    #[n(2)]
    pub(crate) round: u32,
    #[n(3)]
    pub(crate) block: Option<Hash>,
    #[n(4)]
    pub(crate) validator: ValidatorId,
    #[n(5)]
    pub(crate) signature: Signature,
}

impl Shape for WireVote {
    fn check(&self) -> Result<(), CodecError> {
        check_rounds([Some(self.round)])
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireProposal {
    #[n(0)]
    pub(crate) height: u64,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) block: Hash,
    #[n(3)]
    pub(crate) pol_round: Option<u32>,
    #[n(4)]
    pub(crate) proposer: ValidatorId,
    #[n(5)]
    pub(crate) signature: Signature,
}

impl Shape for WireProposal {
    fn check(&self) -> Result<(), CodecError> {
        check_rounds([Some(self.round), self.pol_round])
    }
}

#[derive(Encode, Decode)]
pub(crate) enum WireStatement {
    #[n(0)]
    Vote(#[n(0)] WireVote),
    #[n(1)]
    Proposal(#[n(0)] WireProposal),
}

impl Shape for WireStatement {
    fn check(&self) -> Result<(), CodecError> {
        match self {
            WireStatement::Vote(vote) => vote.check(),
            WireStatement::Proposal(proposal) => proposal.check(),
        }
    }
}

/// What the crash log keeps of a proposed block.
#[derive(Encode, Decode)]
pub(crate) struct WireProposedValue {
    #[n(0)]
    pub(crate) height: u64,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) valid_round: Option<u32>,
    #[n(3)]
    pub(crate) proposer: ValidatorId,
    #[n(4)]
    pub(crate) block: Hash,
    #[n(5)]
    pub(crate) valid: bool,
}

impl Shape for WireProposedValue {
    fn check(&self) -> Result<(), CodecError> {
        check_rounds([Some(self.round), self.valid_round])
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WirePolka {
    #[n(0)]
    pub(crate) height: u64,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) block: Hash,
    #[n(3)]
    pub(crate) signatures: Vec<(ValidatorId, Signature)>,
}

impl Shape for WirePolka {
    fn check(&self) -> Result<(), CodecError> {
        check_rounds([Some(self.round)])
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireRoundSignature {
    #[n(0)]
    pub(crate) kind: WireVoteKind,
    #[n(1)]
    pub(crate) block: Option<Hash>,
    #[n(2)]
    pub(crate) validator: ValidatorId,
    #[n(3)]
    pub(crate) signature: Signature,
}

#[derive(Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum WireRoundKind {
    #[n(0)]
    Skip,
    #[n(1)]
    Precommit,
}

#[derive(Encode, Decode)]
pub(crate) struct WireRound {
    #[n(0)]
    pub(crate) height: u64,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) kind: WireRoundKind,
    #[n(3)]
    pub(crate) signatures: Vec<WireRoundSignature>,
}

impl Shape for WireRound {
    fn check(&self) -> Result<(), CodecError> {
        check_rounds([Some(self.round)])
    }
}

#[derive(Encode, Decode)]
pub(crate) enum WireLiveness {
    #[n(0)]
    Vote(#[n(0)] WireVote),
    #[n(1)]
    Polka(#[n(0)] WirePolka),
    #[n(2)]
    Round(#[n(0)] WireRound),
}

impl Shape for WireLiveness {
    fn check(&self) -> Result<(), CodecError> {
        match self {
            WireLiveness::Vote(vote) => vote.check(),
            WireLiveness::Polka(certificate) => certificate.check(),
            WireLiveness::Round(certificate) => certificate.check(),
        }
    }
}

/// That a peer is a validator.
#[derive(Encode, Decode)]
pub(crate) struct WireProof {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) public_key: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) peer_id: Vec<u8>,
    #[n(2)]
    pub(crate) signature: Signature,
}

impl Shape for WireProof {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireAnnouncement {
    #[n(0)]
    pub(crate) height: Height,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) valid_round: Option<u32>,
    #[n(3)]
    pub(crate) proposer: ValidatorId,
    #[n(4)]
    pub(crate) block: Hash,
    #[n(5)]
    pub(crate) length: u64,
    #[n(6)]
    pub(crate) signature: Signature,
}

#[derive(Encode, Decode)]
pub(crate) enum WirePart {
    #[n(0)]
    Announcement(#[n(0)] WireAnnouncement),
    #[n(1)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

impl Shape for WirePart {
    fn check(&self) -> Result<(), CodecError> {
        match self {
            WirePart::Announcement(announcement) => {
                check_rounds([Some(announcement.round), announcement.valid_round])
            }
            WirePart::Bytes(_) => Ok(()),
        }
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireStreamPart {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) stream: Vec<u8>,
    #[n(1)]
    pub(crate) sequence: u64,
    #[n(2)]
    pub(crate) part: WirePart,
}

impl Shape for WireStreamPart {
    fn check(&self) -> Result<(), CodecError> {
        let provided = self.stream.len();
        if provided != STREAM_ID_BYTES {
            return Err(CodecError::StreamId { provided });
        }
        self.part.check()
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireStatus {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) peer_id: Vec<u8>,
    #[n(1)]
    pub(crate) tip: u64,
    #[n(2)]
    pub(crate) history_min: u64,
}

impl Shape for WireStatus {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireRequest {
    #[n(0)]
    pub(crate) from: u64,
    #[n(1)]
    pub(crate) to: u64,
}

impl Shape for WireRequest {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

#[derive(Encode, Decode)]
pub(crate) struct WireDecided {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) block: Vec<u8>,
    #[n(1)]
    pub(crate) certificate: Certificate,
}

/// Decided blocks of consecutive heights.
#[derive(Encode, Decode)]
pub(crate) struct WireResponse {
    #[n(0)]
    pub(crate) start: u64,
    #[n(1)]
    pub(crate) values: Vec<WireDecided>,
}

impl Shape for WireResponse {
    fn check(&self) -> Result<(), CodecError> {
        for (at, decided) in self.values.iter().enumerate() {
            let expected = self.start.saturating_add(at as u64);
            if decided.certificate.height.0 != expected {
                return Err(CodecError::Gap { expected });
            }
            checked(decided.certificate.round)?;
        }
        Ok(())
    }
}
