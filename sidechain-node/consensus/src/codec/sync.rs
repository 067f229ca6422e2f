//! How a node that fell behind fetches decided blocks.

use malachitebft_app::types::PeerId;
use malachitebft_core_types::{ExtendedCommitCertificate, ExtendedCommitSignature};
use malachitebft_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use nupeer_primitives::Height;
use nupeer_primitives::consensus::Certificate;

use super::wire::{WireDecided, WireRequest, WireResponse, WireStatus};
use super::{CodecError, Wire, defined, into_round};
use crate::context::{Address, BlockHeight, BlockId, Ctx};

impl Wire<Status<Ctx>> for WireStatus {
    fn from_message(status: &Status<Ctx>) -> Result<Self, CodecError> {
        let (tip, history_min) = (status.tip_height.0, status.history_min_height.0);
        Ok(WireStatus {
            peer_id: status.peer_id.to_bytes(),
            tip,
            history_min,
        })
    }

    fn into_message(self) -> Result<Status<Ctx>, CodecError> {
        let peer_id = PeerId::from_bytes(&self.peer_id);
        Ok(Status {
            peer_id: peer_id.map_err(|error| CodecError::PeerId(error.to_string()))?,
            tip_height: BlockHeight(self.tip),
            history_min_height: BlockHeight(self.history_min),
        })
    }
}

impl Wire<Request<Ctx>> for WireRequest {
    fn from_message(Request::ValueRequest(request): &Request<Ctx>) -> Result<Self, CodecError> {
        Ok(WireRequest {
            from: request.range.start().0,
            to: request.range.end().0,
        })
    }

    fn into_message(self) -> Result<Request<Ctx>, CodecError> {
        let range = BlockHeight(self.from)..=BlockHeight(self.to);
        Ok(Request::ValueRequest(ValueRequest::new(range)))
    }
}

impl Wire<Response<Ctx>> for WireResponse {
    fn from_message(Response::ValueResponse(response): &Response<Ctx>) -> Result<Self, CodecError> {
        let value = |value: &RawDecidedValue<Ctx>| {
            let certificate = to_certificate(&value.certificate)?;
            Ok(WireDecided {
                block: value.value_bytes.to_vec(),
                certificate,
            })
        };
        let values: Result<_, CodecError> = response.values.iter().map(value).collect();
        Ok(WireResponse {
            start: response.start_height.0,
            values: values?,
        })
    }

    fn into_message(self) -> Result<Response<Ctx>, CodecError> {
        let value = |decided: WireDecided| {
            let certificate = from_certificate(decided.certificate)?;
            Ok(RawDecidedValue::new(decided.block.into(), certificate))
        };
        let values: Result<_, CodecError> = self.values.into_iter().map(value).collect();
        let response = ValueResponse::new(BlockHeight(self.start), values?);
        Ok(Response::ValueResponse(response))
    }
}

/// A length that the encoding never exceeds. It sizes batches, so it must not cost an encoding.
pub(super) fn encoded_length_max(Response::ValueResponse(response): &Response<Ctx>) -> usize {
    const FRAME: usize = 64;
    // Two byte strings with their heads (30 + 66) and the head of the pair.
    const SIGNATURE: usize = 97;
    let value = |value: &RawDecidedValue<Ctx>| {
        value.value_bytes.len() + FRAME + 64 + value.certificate.commit_signatures.len() * SIGNATURE
    };
    FRAME + response.values.iter().map(value).sum::<usize>()
}

/// The certificate as the world knows it, its signatures in the order of ids.
pub(crate) fn to_certificate(
    certificate: &ExtendedCommitCertificate<Ctx>,
) -> Result<Certificate, CodecError> {
    let signatures = certificate.commit_signatures.iter();
    let mut signatures: Vec<_> = signatures.map(|s| (s.address.0, s.signature)).collect();
    signatures.sort_unstable();
    Ok(Certificate {
        height: Height(certificate.height.0),
        round: defined(certificate.round)?,
        block: certificate.value_id.0,
        signatures,
    })
}

/// The certificate as Malachite knows it; nothing is verified here.
pub(crate) fn from_certificate(
    certificate: Certificate,
) -> Result<ExtendedCommitCertificate<Ctx>, CodecError> {
    let signature = |(id, signature)| ExtendedCommitSignature::new(Address(id), signature, None);
    Ok(ExtendedCommitCertificate {
        height: certificate.height.into(),
        round: into_round(certificate.round)?,
        value_id: BlockId(certificate.block),
        commit_signatures: certificate.signatures.into_iter().map(signature).collect(),
    })
}
