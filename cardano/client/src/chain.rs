//! Places in a chain, between pallas' types and ours.

use nupeer_primitives::{CardanoPoint, Hash, Slot};
use pallas_network::miniprotocols::Point;

/// The last block of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Where it is.
    pub point: CardanoPoint,
    /// Its number: how many blocks come before it.
    pub block_number: u64,
}

/// `None` is the origin, before the first block.
pub(crate) fn to_pallas(point: Option<CardanoPoint>) -> Point {
    match point {
        None => Point::Origin,
        Some(CardanoPoint { slot, hash }) => Point::Specific(slot.0, hash.0.to_vec()),
    }
}

/// Fails on a hash of another length than 32 bytes.
pub(crate) fn from_pallas(point: &Point) -> Result<Option<CardanoPoint>, String> {
    match point {
        Point::Origin => Ok(None),
        Point::Specific(slot, hash) => {
            let hash = Hash::try_from(hash.as_slice()).map_err(|e| e.to_string())?;
            Ok(Some(CardanoPoint {
                slot: Slot(*slot),
                hash,
            }))
        }
    }
}
