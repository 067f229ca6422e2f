//! Parts of a proposed block.

use malachitebft_app::streaming::{StreamContent, StreamId, StreamMessage};

use super::wire::{WireAnnouncement, WirePart, WireStreamPart, checked};
use super::{CodecError, Wire};
use crate::context::{Announcement, Part};

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
