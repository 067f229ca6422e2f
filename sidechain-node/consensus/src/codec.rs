//! The wire and crash log formats: canonical CBOR of fixed shapes, each with a largest size.
//!
//! Decoding is total: it refuses what is longer than its bound, any second encoding of the same thing, and numbers
//! with which the engine must not do arithmetic. Golden bytes in the tests pin every format; changing one is a new
//! protocol version.

mod certificates;
mod parts;
mod sync;
mod votes;

use bytes::Bytes;
use malachitebft_app::streaming::StreamMessage;
use malachitebft_app::types::codec::{Codec, HasEncodedLen};
use malachitebft_app::types::{ProposedValue, SignedConsensusMsg};
use malachitebft_core_consensus::LivenessMsg;
use malachitebft_core_types::{PolkaCertificate, Round, ValidatorProof};
use malachitebft_sync::{Request, Response, Status};
use minicbor::{Decode, Encode};
use nupeer_primitives::cbor::{self, CborError};

use crate::context::{Ctx, Part};
use crate::streams::CHUNK_BYTES;

pub(crate) use parts::STREAM_ID_BYTES;
pub(crate) use sync::{from_certificate, to_certificate};

/// Votes and proposals.
const STATEMENT_BYTES_MAX: usize = 512;
/// Certificates: a thousand validators fit.
const CERTIFICATE_BYTES_MAX: usize = 192 << 10;
/// A part of a block, and its frame.
const PART_BYTES_MAX: usize = CHUNK_BYTES + 512;
/// Everything else that is small.
const SMALL_BYTES_MAX: usize = 256;
/// What the network layer lets through at all.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Rounds from here on are refused: the engine adds to them, and no height lives to see them.
const ROUND_END: u32 = 1 << 20;

/// Why bytes were refused, or a message has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    #[error(transparent)]
    Cbor(#[from] CborError),
    #[error("round {provided}, but rounds end at {ROUND_END}")]
    Round { provided: u32 },
    #[error("a statement without a round")]
    NoRound,
    #[error("no libp2p peer id: {0}")]
    PeerId(String),
    #[error("a stream id has {STREAM_ID_BYTES} bytes, not {provided}")]
    StreamId { provided: usize },
    #[error("an end of stream where announcements tell the end")]
    StreamEnd,
    #[error("certificates and values of a response disagree on height {expected}")]
    Gap { expected: u64 },
}

/// The shape in which a message of type `T` travels.
trait Wire<T>: Sized {
    fn from_message(message: &T) -> Result<Self, CodecError>;
    fn into_message(self) -> Result<T, CodecError>;
}

/// Encodes and decodes all that engines exchange and log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireCodec {
    /// Largest answer to a request for decided blocks.
    pub(crate) response_bytes_max: usize,
}

fn decode<T, W>(bytes: &[u8], maximum: usize) -> Result<T, CodecError>
where
    W: Wire<T> + Encode<()> + for<'b> Decode<'b, ()>,
{
    cbor::decode_bounded::<W>(bytes, maximum)?.into_message()
}

fn encode<T, W: Wire<T> + Encode<()>>(message: &T) -> Result<Bytes, CodecError> {
    Ok(cbor::encode(&W::from_message(message)?).into())
}

macro_rules! codec {
    ($($message:ty as $wire:ty, $maximum:expr;)*) => { $(
        impl Codec<$message> for WireCodec {
            type Error = CodecError;

            fn decode(&self, bytes: Bytes) -> Result<$message, CodecError> {
                let maximum: fn(&WireCodec) -> usize = $maximum;
                decode::<$message, $wire>(&bytes, maximum(self))
            }

            fn encode(&self, message: &$message) -> Result<Bytes, CodecError> {
                encode::<$message, $wire>(message)
            }
        }
    )* };
}

codec! {
    SignedConsensusMsg<Ctx> as votes::WireStatement, |_| STATEMENT_BYTES_MAX;
    ProposedValue<Ctx> as votes::WireProposedValue, |_| SMALL_BYTES_MAX;
    LivenessMsg<Ctx> as certificates::WireLiveness, |_| CERTIFICATE_BYTES_MAX;
    PolkaCertificate<Ctx> as certificates::WirePolka, |_| CERTIFICATE_BYTES_MAX;
    ValidatorProof<Ctx> as certificates::WireProof, |_| SMALL_BYTES_MAX;
    Part as parts::WirePart, |_| PART_BYTES_MAX;
    StreamMessage<Part> as parts::WireStreamPart, |_| PART_BYTES_MAX;
    Status<Ctx> as sync::WireStatus, |_| SMALL_BYTES_MAX;
    Request<Ctx> as sync::WireRequest, |_| SMALL_BYTES_MAX;
    Response<Ctx> as sync::WireResponse, |codec| codec.response_bytes_max;
}

impl HasEncodedLen<Response<Ctx>> for WireCodec {
    fn encoded_len(&self, response: &Response<Ctx>) -> Result<usize, CodecError> {
        Ok(sync::encoded_length_max(response))
    }
}

fn defined(round: Round) -> Result<u32, CodecError> {
    round.as_u32().ok_or(CodecError::NoRound)
}

fn checked(round: u32) -> Result<u32, CodecError> {
    if round < ROUND_END {
        Ok(round)
    } else {
        Err(CodecError::Round { provided: round })
    }
}

fn into_round(round: u32) -> Result<Round, CodecError> {
    checked(round).map(Round::new)
}

fn into_optional_round(round: Option<u32>) -> Result<Round, CodecError> {
    round.map_or(Ok(Round::Nil), into_round)
}

#[cfg(test)]
mod tests;
