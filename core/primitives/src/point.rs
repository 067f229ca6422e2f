//! A place in the Cardano chain.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};

use crate::{Hash, Slot, hash::HexError};

/// A Cardano block by its slot and the hash of its header, written `slot.hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct CardanoPoint {
    /// The block's slot.
    #[n(0)]
    pub slot: Slot,
    /// The hash of its header.
    #[n(1)]
    pub hash: Hash,
}

/// Why a text names no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// No dot, or no number before it.
    #[error("a point is written slot.hash, as in 61402.9f2c…")]
    Shape,
    /// What follows the dot is no hash.
    #[error(transparent)]
    Hash(#[from] HexError),
}

impl fmt::Display for CardanoPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.hash)
    }
}

impl FromStr for CardanoPoint {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let (slot, hash) = text.split_once('.').ok_or(PointError::Shape)?;
        let slot = slot.parse().map(Slot).map_err(|_| PointError::Shape)?;
        Ok(CardanoPoint {
            slot,
            hash: hash.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written() {
        let point = CardanoPoint {
            slot: Slot(61_402),
            hash: Hash([0x9f; 32]),
        };
        assert_eq!(point.to_string().parse(), Ok(point));
        assert_eq!("61402".parse::<CardanoPoint>(), Err(PointError::Shape));
    }
}
