//! Reading a block as far as following needs: where it is, what it follows, and that its body is its header's.

use minicbor::Decoder;
use nupeer_primitives::{CardanoPoint, Code, Hash, Numbered, Slot, blake2b_256};
use pallas_traverse::MultiEraBlock;

use crate::chain::Tip;

/// Why a block is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not a block of an era that is known here.
    #[error("not a block: {0}")]
    Malformed(String),
    /// A block of the Byron era.
    #[error("a block of the Byron era; follow from a block of Shelley or later")]
    Byron,
    /// The body is not the one that the header promises.
    #[error("the body's hash is {provided} where the header promises {expected}")]
    Body {
        /// Hash of the body.
        provided: Hash,
        /// Hash in the header.
        expected: Hash,
    },
    /// It follows another block than the last.
    #[error("it follows {provided:?} where {expected:?} is the last block")]
    Parent {
        /// Its parent's hash; none at the origin.
        provided: Option<Hash>,
        /// The last block's hash; none at the origin.
        expected: Option<Hash>,
    },
    /// Its slot is not above its parent's.
    #[error("its slot {provided} is not above its parent's, {parent}")]
    Slot {
        /// Its slot.
        provided: Slot,
        /// Its parent's slot.
        parent: Slot,
    },
    /// Its number is not its parent's and one.
    #[error("it has number {provided} where {expected} is next")]
    Number {
        /// Its number.
        provided: u64,
        /// The number that is next.
        expected: u64,
    },
}

impl Numbered for BlockError {
    fn code(&self) -> Code {
        Code(match self {
            BlockError::Malformed(_) => 7073,
            BlockError::Byron => 7074,
            BlockError::Body { .. } => 7075,
            BlockError::Parent { .. } => 7076,
            BlockError::Slot { .. } => 7077,
            BlockError::Number { .. } => 7078,
        })
    }
}

/// A place in the chain after which a block may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The block there; none at the origin.
    pub(super) point: Option<CardanoPoint>,
    /// Its number, unless it is a beginning of which only the point is known.
    pub(super) number: Option<u64>,
}

impl Place {
    /// The number that the next block must have, if it can be told.
    fn next_number(&self) -> Option<u64> {
        match (self.point, self.number) {
            (None, _) => Some(0),
            (Some(_), number) => number.map(|number| number.saturating_add(1)),
        }
    }
}

impl From<Tip> for Place {
    fn from(tip: Tip) -> Self {
        Place {
            point: Some(tip.point),
            number: Some(tip.block_number),
        }
    }
}

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tip: Tip,
    pub(super) parent: Option<Hash>,
}

/// Reads a block's header and checks that its body is the one promised. Must run on a stack deep enough for data
/// nested as deeply as a block is long: pallas' trees are dropped recursively.
pub(super) fn read(raw: &[u8]) -> Result<Header, BlockError> {
    let block = MultiEraBlock::decode(raw).map_err(|e| BlockError::Malformed(e.to_string()))?;
    let header = block.header();
    let promised = match (header.as_babbage(), header.as_alonzo()) {
        (Some(header), _) => header.header_body.block_body_hash,
        (_, Some(header)) => header.header_body.block_body_hash,
        _ => return Err(BlockError::Byron),
    };
    let (provided, expected) = (body_hash(raw)?, Hash(*promised));
    if provided != expected {
        return Err(BlockError::Body { provided, expected });
    }
    let point = CardanoPoint {
        slot: Slot(block.slot()),
        hash: Hash(*block.hash()),
    };
    let parent = header.previous_hash().map(|hash| Hash(*hash));
    Ok(Header {
        tip: Tip {
            point,
            block_number: block.number(),
        },
        parent,
    })
}

/// The hash of the hashes of the body's parts (Alonzo ledger specification, `bbodyhash`; three parts before).
fn body_hash(raw: &[u8]) -> Result<Hash, BlockError> {
    let parts = || {
        let mut d = Decoder::new(raw);
        d.array()?;
        d.skip()?;
        let parts = d.array()?.unwrap_or_default();
        d.skip()?;
        let mut hashes = Vec::new();
        for _ in 1..parts.min(8) {
            let start = d.position();
            d.skip()?;
            hashes.extend(blake2b_256(&[raw.get(start..d.position()).unwrap_or_default()]).0);
        }
        Ok(blake2b_256(&[&hashes]))
    };
    parts().map_err(|e: minicbor::decode::Error| BlockError::Malformed(e.to_string()))
}

/// Whether `header` may come after `place`.
pub(super) fn check(header: &Header, place: &Place) -> Result<(), BlockError> {
    let expected = place.point.map(|point| point.hash);
    if header.parent != expected {
        return Err(BlockError::Parent {
            provided: header.parent,
            expected,
        });
    }
    let provided = header.tip.point.slot;
    if let Some(parent) = place
        .point
        .map(|point| point.slot)
        .filter(|parent| provided <= *parent)
    {
        return Err(BlockError::Slot { provided, parent });
    }
    let provided = header.tip.block_number;
    match place.next_number().filter(|expected| *expected != provided) {
        Some(expected) => Err(BlockError::Number { provided, expected }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(slot: u64, n: u8) -> CardanoPoint {
        CardanoPoint {
            slot: Slot(slot),
            hash: Hash([n; 32]),
        }
    }

    fn header(slot: u64, number: u64, parent: Option<u8>) -> Header {
        let tip = Tip {
            point: at(slot, 99),
            block_number: number,
        };
        Header {
            tip,
            parent: parent.map(|n| Hash([n; 32])),
        }
    }

    #[test]
    fn a_block_continues_its_parent_in_hash_slot_and_number() {
        let last = Place {
            point: Some(at(10, 1)),
            number: Some(4),
        };
        let (provided, expected) = (Some(Hash([2; 32])), Some(Hash([1; 32])));
        for (header, verdict) in [
            (header(11, 5, Some(1)), Ok(())),
            (
                header(11, 5, Some(2)),
                Err(BlockError::Parent { provided, expected }),
            ),
            (
                header(10, 5, Some(1)),
                Err(BlockError::Slot {
                    provided: Slot(10),
                    parent: Slot(10),
                }),
            ),
            (
                header(11, 6, Some(1)),
                Err(BlockError::Number {
                    provided: 6,
                    expected: 5,
                }),
            ),
        ] {
            assert_eq!(check(&header, &last), verdict);
        }
    }

    #[test]
    fn the_first_block_has_no_parent_and_number_zero() {
        let origin = Place {
            point: None,
            number: None,
        };
        assert_eq!(check(&header(0, 0, None), &origin), Ok(()));
        let refused = Err(BlockError::Number {
            provided: 1,
            expected: 0,
        });
        assert_eq!(check(&header(0, 1, None), &origin), refused);
    }

    #[test]
    fn after_a_beginning_in_midstream_any_number_is_believed() {
        let place = Place {
            point: Some(at(10, 1)),
            number: None,
        };
        assert_eq!(check(&header(30, 777, Some(1)), &place), Ok(()));
    }

    #[test]
    fn garbage_is_refused() {
        assert!(matches!(read(&[]), Err(BlockError::Malformed(_))));
        assert!(matches!(
            read(&[0x82, 0x07, 0x80]),
            Err(BlockError::Malformed(_))
        ));
    }
}
