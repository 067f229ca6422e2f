//! Many small transactions travel in one message: a canonical CBOR array of byte strings, each the signed bytes of one.

use bytes::Bytes;
use minicbor::bytes::ByteVec;
use nupeer_primitives::cbor::{self, CborError};

/// A message is sent when its transactions reach this many bytes.
pub const BATCH_BYTES: usize = 64 << 10;
/// What the array's and each byte string's head take, at most.
const FRAME_BYTES: usize = 5;

/// The largest message where one transaction has at most `transaction_bytes_max` bytes.
pub fn message_bytes_max(transaction_bytes_max: usize) -> usize {
    // The last transaction may go over; the frames of the smallest ones that anybody accepts are far below the double.
    2 * BATCH_BYTES + transaction_bytes_max
}

/// Transactions that wait to be sent together.
#[derive(Debug, Default)]
pub struct Batch {
    transactions: Vec<ByteVec>,
    bytes: usize,
}

impl Batch {
    /// Adds a transaction; says whether the batch is full now.
    pub fn push(&mut self, transaction: &Bytes) -> bool {
        self.bytes = self.bytes.saturating_add(transaction.len() + FRAME_BYTES);
        self.transactions.push(ByteVec::from(transaction.to_vec()));
        self.bytes >= BATCH_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The message, and an empty batch after it.
    pub fn take(&mut self) -> Vec<u8> {
        let batch = std::mem::take(self);
        cbor::encode(&batch.transactions)
    }
}

/// The transactions in a message of at most `bytes_max` bytes.
pub fn decode(message: &[u8], bytes_max: usize) -> Result<Vec<Bytes>, CborError> {
    let transactions: Vec<ByteVec> = cbor::decode_bounded(message, bytes_max)?;
    Ok(transactions
        .into_iter()
        .map(|bytes| Bytes::from(Vec::from(bytes)))
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_pinned() {
        let mut batch = Batch::default();
        batch.push(&Bytes::from_static(&[1, 2]));
        batch.push(&Bytes::from_static(&[3]));
        assert_eq!(hex::encode(batch.take()), "8242010241 03".replace(' ', ""));
        assert!(batch.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_sent_arrives_and_fits(sizes in prop::collection::vec(1usize..16_384, 1..200)) {
            let (maximum, mut batch, mut sent) = (message_bytes_max(16_384), Batch::default(), 0);
            for (n, size) in sizes.iter().enumerate() {
                let full = batch.push(&Bytes::from(vec![n as u8; *size]));
                if full || n + 1 == sizes.len() {
                    let arrived = decode(&batch.take(), maximum).unwrap();
                    prop_assert!(arrived.iter().zip(&sizes[sent..]).all(|(a, size)| a.len() == *size));
                    sent += arrived.len();
                }
            }
            prop_assert_eq!(sent, sizes.len());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes: Vec<u8>) {
            if let Ok(transactions) = decode(&bytes, 1_000) {
                let again: Vec<ByteVec> = transactions.iter().map(|t| ByteVec::from(t.to_vec())).collect();
                prop_assert_eq!(cbor::encode(&again), bytes);
            }
        }
    }
}
