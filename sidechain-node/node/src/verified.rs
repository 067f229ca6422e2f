//! A signature is verified once per node: what was verified is remembered by the hash of the signed bytes, from its
//! admission to the mempool until the block that holds it is executed, and beyond.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nupeer_primitives::{Hash, blake2b_256};
use nupeer_runtime::{Chain, SignedTransaction, Verified, error::TransactionError};

use crate::store::cache::Generations;

/// Memory for what was verified, in bytes: more than the mempool can hold.
const BYTES_MAX: usize = 24 << 20;
/// What an entry takes besides its transaction, roughly.
const ENTRY_BYTES: usize = 256;
/// Fewer than this are not worth a thread.
const PER_THREAD_MIN: usize = 16;

/// The memory of one node.
pub struct VerifiedCache {
    chain: Chain,
    known: Mutex<Generations<Hash, Arc<Verified>>>,
}

impl VerifiedCache {
    /// An empty memory for transactions of `chain`.
    pub fn new(chain: Chain) -> Self {
        VerifiedCache {
            chain,
            known: Mutex::new(Generations::new(BYTES_MAX)),
        }
    }

    /// The chain whose transactions are verified.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What the signed transaction `bytes` says, if size, encoding, network and signature are good.
    pub fn verify(&self, bytes: &[u8]) -> Result<Arc<Verified>, TransactionError> {
        // Too long is refused before it is hashed.
        let maximum = self.chain.limits.transaction_bytes_max as usize;
        let key = (bytes.len() <= maximum).then(|| blake2b_256(&[bytes]));
        if let Some(known) = key.and_then(|key| self.known().get(&key)) {
            return Ok(known);
        }
        let verified = SignedTransaction::from_bytes(bytes, &self.chain)?.verify(&self.chain)?;
        let verified = Arc::new(verified);
        if let Some(key) = key {
            self.known()
                .insert(key, verified.clone(), bytes.len() + ENTRY_BYTES);
        }
        Ok(verified)
    }

    /// Verifies what is not known yet on all cores, so that [`VerifiedCache::verify`] answers from memory afterwards. What
    /// is refused is told there.
    pub fn verify_all(&self, transactions: &[&[u8]]) {
        let unknown: Vec<&[u8]> = {
            let mut known = self.known();
            let is_unknown = |bytes: &&[u8]| known.get(&blake2b_256(&[bytes])).is_none();
            transactions.iter().copied().filter(is_unknown).collect()
        };
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let share = unknown.len().div_ceil(threads).max(PER_THREAD_MIN);
        std::thread::scope(|scope| {
            for part in unknown.chunks(share) {
                scope.spawn(|| part.iter().for_each(|bytes| drop(self.verify(bytes))));
            }
        });
    }

    fn known(&self) -> MutexGuard<'_, Generations<Hash, Arc<Verified>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
