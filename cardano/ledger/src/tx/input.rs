//! References to outputs.

use crate::cbor::{DecodeError, Reader};
use std::fmt;

/// An output's place: the transaction that made it, and its number there. Sorts as the ledger sorts inputs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxIn {
    /// The transaction's id.
    pub tx_id: [u8; 32],
    /// The output's number, from 0.
    pub index: u16,
}

impl TxIn {
    /// Decodes `[transaction id, index]` that fills `bytes` completely.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let input = Self::decode(&mut reader)?;
        reader.finish("an input")?;
        Ok(input)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let record = reader.record(2, "an input")?;
        let tx_id = *reader.fixed::<32>("a transaction id")?;
        let index = u16::try_from(reader.unsigned("an output's index")?);
        let index = index.map_err(|_| DecodeError::OutOfRange {
            what: "an output's index",
        })?;
        reader.close(record, "an input")?;
        Ok(Self { tx_id, index })
    }
}

impl fmt::Display for TxIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", hex::encode(self.tx_id), self.index)
    }
}

impl fmt::Debug for TxIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
