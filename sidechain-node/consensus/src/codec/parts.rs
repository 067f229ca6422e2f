//! Parts of a proposed block.

use malachitebft_app::streaming::{StreamContent, StreamId, StreamMessage};
use minicbor::{Decode, Encode};
use nupeer_primitives::consensus::ValidatorId;
use nupeer_primitives::{Hash, Height, Signature};

use super::{CodecError, Wire, checked};
use crate::context::{Announcement, Part};

/// Length of a stream's name.
pub(crate) const STREAM_ID_BYTES: usize = 16;

#[derive(Encode, Decode)]
pub(super) struct WireAnnouncement {
    #[n(0)]
    height: Height,
    #[n(1)]
    round: u32,
    #[n(2)]
    valid_round: Option<u32>,
    #[n(3)]
    proposer: ValidatorId,
    #[n(4)]
    block: Hash,
    #[n(5)]
    length: u64,
    #[n(6)]
    signature: Signature,
}

impl From<&Announcement> for WireAnnouncement {
    fn from(announcement: &Announcement) -> Self {
        WireAnnouncement {
            height: announcement.height,
            round: announcement.round,
            valid_round: announcement.valid_round,
            proposer: announcement.proposer,
            block: announcement.block,
            length: announcement.length,
            signature: announcement.signature,
        }
    }
}

impl WireAnnouncement {
    fn into_announcement(self) -> Result<Announcement, CodecError> {
        Ok(Announcement {
            height: self.height,
            round: checked(self.round)?,
            valid_round: self.valid_round.map(checked).transpose()?,
            proposer: self.proposer,
            block: self.block,
            length: self.length,
            signature: self.signature,
        })
    }
}

#[derive(Encode, Decode)]
pub(super) enum WirePart {
    #[n(0)]
    Announcement(#[n(0)] WireAnnouncement),
    #[n(1)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

impl Wire<Part> for WirePart {
    fn from_message(part: &Part) -> Result<Self, CodecError> {
        Ok(match part {
            Part::Announcement(announcement) => WirePart::Announcement(announcement.into()),
            Part::Bytes(bytes) => WirePart::Bytes(bytes.to_vec()),
        })
    }

    fn into_message(self) -> Result<Part, CodecError> {
        Ok(match self {
            WirePart::Announcement(announcement) => {
                Part::Announcement(announcement.into_announcement()?)
            }
            WirePart::Bytes(bytes) => Part::Bytes(bytes.into()),
        })
    }
}

#[derive(Encode, Decode)]
pub(super) struct WireStreamPart {
    #[cbor(n(0), with = "minicbor::bytes")]
    stream: Vec<u8>,
    #[n(1)]
    sequence: u64,
    #[n(2)]
    part: WirePart,
}

impl Wire<StreamMessage<Part>> for WireStreamPart {
    fn from_message(message: &StreamMessage<Part>) -> Result<Self, CodecError> {
        let StreamContent::Data(part) = &message.content else {
            return Err(CodecError::StreamEnd);
        };
        Ok(WireStreamPart {
            stream: message.stream_id.to_bytes().to_vec(),
            sequence: message.sequence,
            part: Wire::from_message(part)?,
        })
    }

    fn into_message(self) -> Result<StreamMessage<Part>, CodecError> {
        let provided = self.stream.len();
        if provided != STREAM_ID_BYTES {
            return Err(CodecError::StreamId { provided });
        }
        let (id, content) = (
            self.stream.into(),
            StreamContent::Data(self.part.into_message()?),
        );
        Ok(StreamMessage::new(
            StreamId::new(id),
            self.sequence,
            content,
        ))
    }
}
