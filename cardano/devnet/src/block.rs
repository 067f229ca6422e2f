//! Conway blocks: a header and four segments, in which every transaction lies exactly as it was submitted.
//!
//! What is hashed is never re-encoded: a submitted transaction is cut into its body, witnesses and auxiliary data, and the
//! cuts go into the block as they are.

use std::borrow::Cow;

use pallas_codec::minicbor::Encoder;
use pallas_crypto::hash::{Hash, Hasher};
use thiserror::Error;

use crate::cbor::{ScanError, Slices};

/// The tag of a Conway block in the hard-fork combinator's encoding: Byron has 0 and 1, Shelley 2, …, Conway 7.
pub const CONWAY_BLOCK_TAG: u8 = 7;

/// Why bytes are not a block or a transaction of the Conway form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// Not the record that the Conway CDDL defines.
    #[error("not a Conway {what}: {error}")]
    Shape {
        /// `transaction` or `block`.
        what: &'static str,
        /// What is wrong.
        error: ScanError,
    },
    /// A transaction's validity mark is not a boolean.
    #[error("a transaction's validity mark is neither true nor false")]
    ValidityMark,
    /// Another number of witness sets than of bodies.
    #[error("{bodies} transaction bodies and {witnesses} witness sets")]
    Count {
        /// How many bodies.
        bodies: usize,
        /// How many witness sets.
        witnesses: usize,
    },
    /// A block of another era.
    #[error("era tag {provided}, expected {expected}")]
    Era {
        /// The tag found.
        provided: u8,
        /// Conway's.
        expected: u8,
    },
}

/// A transaction cut into the slices that a block holds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxParts<'a> {
    /// The body: its blake2b-256 is the transaction's id.
    pub body: &'a [u8],
    /// The witness set.
    pub witnesses: &'a [u8],
    /// Whether its scripts are to succeed; if not, its collateral is taken.
    pub is_valid: bool,
    /// The auxiliary data, if there is any.
    pub auxiliary: Option<&'a [u8]>,
}

impl<'a> TxParts<'a> {
    /// Cuts a raw transaction `[body, witnesses, validity, auxiliary data or null]`.
    pub fn split(raw: &'a [u8]) -> Result<Self, BlockError> {
        let shape = |error| BlockError::Shape {
            what: "transaction",
            error,
        };
        let mut slices = Slices::new(raw);
        let indefinite = slices.array(4).map_err(shape)?;
        let body = slices.item().map_err(shape)?;
        let witnesses = slices.item().map_err(shape)?;
        let is_valid = match slices.item().map_err(shape)? {
            [0xf4] => false,
            [0xf5] => true,
            _ => return Err(BlockError::ValidityMark),
        };
        let auxiliary = Some(slices.item().map_err(shape)?).filter(|item| *item != [0xf6]);
        slices.finish(indefinite).map_err(shape)?;
        Ok(Self {
            body,
            witnesses,
            is_valid,
            auxiliary,
        })
    }

    /// The transaction's id.
    pub fn id(&self) -> Hash<32> {
        Hasher::<256>::hash(self.body)
    }
}

/// The four segments of a block's body, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBody<'a> {
    /// The array of transaction bodies.
    pub bodies: Cow<'a, [u8]>,
    /// The array of witness sets.
    pub witnesses: Cow<'a, [u8]>,
    /// The map from a transaction's position to its auxiliary data.
    pub auxiliary: Cow<'a, [u8]>,
    /// The positions of the transactions whose scripts fail.
    pub invalid: Cow<'a, [u8]>,
}

impl BlockBody<'static> {
    /// The body that holds `transactions` in this order.
    pub fn assemble(transactions: &[TxParts<'_>]) -> Self {
        let count = transactions.len() as u64;
        let mut bodies = array_head(count);
        let mut witnesses = array_head(count);
        for tx in transactions {
            bodies.extend_from_slice(tx.body);
            witnesses.extend_from_slice(tx.witnesses);
        }
        let invalid = positions(transactions, |tx| !tx.is_valid);
        let with_data = positions(transactions, |tx| tx.auxiliary.is_some());
        let mut auxiliary = head(|e| drop(e.map(with_data.len() as u64)));
        for (position, data) in with_data
            .iter()
            .zip(transactions.iter().filter_map(|tx| tx.auxiliary))
        {
            auxiliary.extend(head(|e| drop(e.u64(*position))));
            auxiliary.extend_from_slice(data);
        }
        let mut marks = array_head(invalid.len() as u64);
        invalid
            .iter()
            .for_each(|position| marks.extend(head(|e| drop(e.u64(*position)))));
        Self {
            bodies: bodies.into(),
            witnesses: witnesses.into(),
            auxiliary: auxiliary.into(),
            invalid: marks.into(),
        }
    }
}

impl BlockBody<'_> {
    /// The header's `block_body_hash`: blake2b-256 over the four segments' blake2b-256 hashes (`hashAlonzoSegWits`).
    pub fn hash(&self) -> Hash<32> {
        let mut hasher = Hasher::<256>::new();
        self.segments()
            .iter()
            .for_each(|segment| hasher.input(Hasher::<256>::hash(segment).as_ref()));
        hasher.finalize()
    }

    /// The header's `block_body_size`: the four segments' length in bytes.
    pub fn size(&self) -> u64 {
        self.segments()
            .iter()
            .map(|segment| segment.len() as u64)
            .sum()
    }

    /// The whole block: the era's tag, the header and the segments.
    pub fn with_header(&self, header: &[u8]) -> Vec<u8> {
        let mut raw = vec![0x82, CONWAY_BLOCK_TAG, 0x85];
        raw.extend_from_slice(header);
        self.segments()
            .iter()
            .for_each(|segment| raw.extend_from_slice(segment));
        raw
    }

    /// The transactions, each put together again from its slices.
    pub fn transactions(&self) -> Result<Vec<Vec<u8>>, BlockError> {
        let shape = |error| BlockError::Shape {
            what: "block",
            error,
        };
        let bodies = Slices::items(&self.bodies, 4).map_err(shape)?;
        let witnesses = Slices::items(&self.witnesses, 4).map_err(shape)?;
        let data = Slices::items(&self.auxiliary, 5).map_err(shape)?;
        let invalid = Slices::items(&self.invalid, 4).map_err(shape)?;
        if bodies.len() != witnesses.len() {
            return Err(BlockError::Count {
                bodies: bodies.len(),
                witnesses: witnesses.len(),
            });
        }
        let data: Vec<_> = data
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let put_together = |(position, (body, witnesses)): (u64, (&&[u8], &&[u8]))| {
            let key = head(|e| drop(e.u64(position)));
            let data = data
                .iter()
                .find(|(at, _)| *at == key)
                .map_or(&[0xf6][..], |(_, data)| data);
            let mark = if invalid.contains(&key.as_slice()) {
                0xf4
            } else {
                0xf5
            };
            [&[0x84], *body, *witnesses, &[mark], data].concat()
        };
        Ok((0..)
            .zip(bodies.iter().zip(&witnesses))
            .map(put_together)
            .collect())
    }

    fn segments(&self) -> [&[u8]; 4] {
        [
            &self.bodies,
            &self.witnesses,
            &self.auxiliary,
            &self.invalid,
        ]
    }
}

/// Cuts an era-tagged block into its header and its body.
pub fn split_block(raw: &[u8]) -> Result<(&[u8], BlockBody<'_>), BlockError> {
    let shape = |error| BlockError::Shape {
        what: "block",
        error,
    };
    let mut outer = Slices::new(raw);
    let outer_indefinite = outer.array(2).map_err(shape)?;
    match outer.item().map_err(shape)? {
        [CONWAY_BLOCK_TAG] => {}
        [provided, ..] => {
            return Err(BlockError::Era {
                provided: *provided,
                expected: CONWAY_BLOCK_TAG,
            });
        }
        [] => return Err(shape(ScanError::Incomplete { offset: 0 })),
    }
    let mut block = Slices::new(outer.item().map_err(shape)?);
    outer.finish(outer_indefinite).map_err(shape)?;
    let indefinite = block.array(5).map_err(shape)?;
    let header = block.item().map_err(shape)?;
    let [bodies, witnesses, auxiliary, invalid] =
        [block.item(), block.item(), block.item(), block.item()];
    block.finish(indefinite).map_err(shape)?;
    let body = BlockBody {
        bodies: bodies.map_err(shape)?.into(),
        witnesses: witnesses.map_err(shape)?.into(),
        auxiliary: auxiliary.map_err(shape)?.into(),
        invalid: invalid.map_err(shape)?.into(),
    };
    Ok((header, body))
}

fn positions(transactions: &[TxParts<'_>], wanted: impl Fn(&TxParts<'_>) -> bool) -> Vec<u64> {
    (0..)
        .zip(transactions)
        .filter(|(_, tx)| wanted(tx))
        .map(|(position, _)| position)
        .collect()
}

fn array_head(count: u64) -> Vec<u8> {
    head(|e| drop(e.array(count)))
}

/// Bytes written by an encoder into memory, which cannot fail.
fn head(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tx(body: &str, validity: &str, auxiliary: &str) -> Vec<u8> {
        hex::decode(format!("84{body}a0{validity}{auxiliary}")).expect("hex")
    }

    #[test]
    fn a_transaction_is_cut_byte_for_byte_even_if_oddly_encoded() {
        // Indefinite lists and long heads change the id, and must survive.
        let raw = hex::decode("9fbf00800180021900ffffa0f5a100f6ff").expect("hex");
        let parts = TxParts::split(&raw).expect("a transaction");
        assert_eq!(
            parts.body,
            hex::decode("bf00800180021900ffff").expect("hex")
        );
        assert_eq!((parts.witnesses, parts.is_valid), (&[0xa0][..], true));
        assert_eq!(parts.auxiliary, Some(&[0xa1, 0x00, 0xf6][..]));
        assert_eq!(parts.id(), Hasher::<256>::hash(parts.body));
    }

    #[test]
    fn what_is_no_transaction_is_refused() {
        let malformed = |offset| BlockError::Shape {
            what: "transaction",
            error: ScanError::Malformed { offset },
        };
        let cases = [
            ("83a0a0f6", malformed(0)),
            ("84a0a000f6", BlockError::ValidityMark),
            ("84a0a0f5f600", malformed(5)),
            (
                "84a0a0f5",
                BlockError::Shape {
                    what: "transaction",
                    error: ScanError::Incomplete { offset: 4 },
                },
            ),
        ];
        for (raw, error) in cases {
            assert_eq!(
                TxParts::split(&hex::decode(raw).expect("hex")),
                Err(error),
                "{raw}"
            );
        }
    }

    #[test]
    fn the_segments_hold_positions_of_data_and_of_failures() {
        let raws = [
            tx("a10001", "f5", "f6"),
            tx("a10002", "f4", "a0"),
            tx("a10003", "f4", "80"),
        ];
        let parts: Vec<_> = raws
            .iter()
            .map(|raw| TxParts::split(raw).expect("a transaction"))
            .collect();
        let body = BlockBody::assemble(&parts);
        let segments = body.segments().map(hex::encode);
        assert_eq!(
            segments,
            ["83a10001a10002a10003", "83a0a0a0", "a201a00280", "820102"]
        );
        assert_eq!(body.size(), 10 + 4 + 5 + 3);
        assert_eq!(body.transactions(), Ok(raws.to_vec()));
    }

    #[test]
    fn an_assembled_block_is_cut_back_into_the_same_parts() {
        let raw = tx("a10001", "f5", "f6");
        let body = BlockBody::assemble(&[TxParts::split(&raw).expect("a transaction")]);
        let block = body.with_header(&[0x82, 0x80, 0x40]);
        let (header, again) = split_block(&block).expect("a block");
        assert_eq!((header, &again), (&[0x82, 0x80, 0x40][..], &body));
        assert_eq!(again.hash(), body.hash());
    }

    #[test]
    fn a_block_of_another_era_is_refused() {
        assert_eq!(
            split_block(&[0x82, 0x06, 0x80]),
            Err(BlockError::Era {
                provided: 6,
                expected: 7
            })
        );
    }
}
