//! The wire and crash log formats: canonical CBOR of fixed shapes, each with a largest size.
//!
//! Decoding is total: it refuses what is longer than its bound, any second encoding of the same thing, and numbers
//! with which the engine must not do arithmetic. Golden bytes in the tests pin every format; changing one is a new
//! protocol version.

mod certificates;
mod parts;
mod sync;
mod votes;
mod wire;

use bytes::Bytes;
use malachitebft_app::streaming::StreamMessage;
use malachitebft_app::types::codec::{Codec, HasEncodedLen};
use malachitebft_app::types::{ProposedValue, SignedConsensusMsg};
use malachitebft_core_consensus::LivenessMsg;
use malachitebft_core_types::{PolkaCertificate, Round, ValidatorProof};
use malachitebft_sync::{Request, Response, Status};
use nupeer_primitives::cbor;

use crate::context::{Ctx, Part};
use crate::streams::CHUNK_BYTES;

pub(crate) use sync::{from_certificate, to_certificate};
use wire::{CodecError, Shape, checked};

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

/// What a shape is to the engine. Only what was checked becomes a message.
trait Wire<T>: Shape {
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
    W: Wire<T>,
{
    wire::read::<W>(bytes, maximum)?.into_message()
}

fn encode<T, W: Wire<T>>(message: &T) -> Result<Bytes, CodecError> {
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
    SignedConsensusMsg<Ctx> as wire::WireStatement, |_| STATEMENT_BYTES_MAX;
    ProposedValue<Ctx> as wire::WireProposedValue, |_| SMALL_BYTES_MAX;
    LivenessMsg<Ctx> as wire::WireLiveness, |_| CERTIFICATE_BYTES_MAX;
    PolkaCertificate<Ctx> as wire::WirePolka, |_| CERTIFICATE_BYTES_MAX;
    ValidatorProof<Ctx> as wire::WireProof, |_| SMALL_BYTES_MAX;
    Part as wire::WirePart, |_| PART_BYTES_MAX;
    StreamMessage<Part> as wire::WireStreamPart, |_| PART_BYTES_MAX;
    Status<Ctx> as wire::WireStatus, |_| SMALL_BYTES_MAX;
    Request<Ctx> as wire::WireRequest, |_| SMALL_BYTES_MAX;
    Response<Ctx> as wire::WireResponse, |codec| codec.response_bytes_max;
}

impl HasEncodedLen<Response<Ctx>> for WireCodec {
    fn encoded_len(&self, response: &Response<Ctx>) -> Result<usize, CodecError> {
        Ok(sync::encoded_length_max(response))
    }
}

fn defined(round: Round) -> Result<u32, CodecError> {
    round.as_u32().ok_or(CodecError::NoRound)
}

fn into_round(round: u32) -> Result<Round, CodecError> {
    checked(round).map(Round::new)
}

fn into_optional_round(round: Option<u32>) -> Result<Round, CodecError> {
    round.map_or(Ok(Round::Nil), into_round)
}

#[cfg(test)]
mod tests;
