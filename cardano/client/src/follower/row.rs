//! What is stored of a block.

use minicbor::{
    Decode, Encode,
    bytes::{ByteArray, ByteVec},
};
use nupeer_primitives::{CardanoPoint, Hash, Slot};

use super::FollowerError;

/// One block's row, `[slot, hash, observations]`; its key is the block's number, big-endian.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    #[n(0)]
    slot: u64,
    #[n(1)]
    hash: ByteArray<32>,
    #[n(2)]
    observations: ByteVec,
}

impl Row {
    pub(super) fn new(point: CardanoPoint, observations: Vec<u8>) -> Self {
        let CardanoPoint { slot, hash } = point;
        Row {
            slot: slot.0,
            hash: hash.0.into(),
            observations: observations.into(),
        }
    }

    pub(super) fn point(&self) -> CardanoPoint {
        CardanoPoint {
            slot: Slot(self.slot),
            hash: Hash(*self.hash),
        }
    }

    pub(super) fn into_observations(self) -> Vec<u8> {
        self.observations.into()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A vector takes every byte.
        minicbor::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, FollowerError> {
        Ok(minicbor::decode(bytes)?)
    }
}

pub(super) fn key(block_number: u64) -> [u8; 8] {
    block_number.to_be_bytes()
}

pub(super) fn number(key: &[u8]) -> Result<u64, FollowerError> {
    let bytes = key
        .try_into()
        .map_err(|_| FollowerError::Damaged("a key that is no block number".into()))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_pinned() {
        let point = CardanoPoint {
            slot: Slot(70_000),
            hash: Hash([0xab; 32]),
        };
        let row = Row::new(point, b"seen".to_vec());
        let bytes = format!("831a000111705820{}447365656e", "ab".repeat(32));
        assert_eq!(hex::encode(row.to_bytes()), bytes);
        let read = Row::from_bytes(&row.to_bytes()).unwrap();
        assert_eq!(
            (read.point(), read.into_observations()),
            (point, b"seen".to_vec())
        );
        assert_eq!(hex::encode(key(258)), "0000000000000102");
    }

    #[test]
    fn a_damaged_row_is_an_error() {
        assert!(matches!(
            Row::from_bytes(&[0x83, 0x01]),
            Err(FollowerError::Damaged(_))
        ));
        assert!(matches!(number(&[1, 2]), Err(FollowerError::Damaged(_))));
    }
}
