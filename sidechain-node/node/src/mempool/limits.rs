//! How much a mempool holds and does.

/// Bounds of a mempool. What it holds takes about four times `bytes_max` in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions.
    pub count_max: usize,
    /// Their signed bytes, together.
    pub bytes_max: usize,
    /// As many more may be system transactions: the validators' own, without which no payment leaves, find room however much others send.
    pub system_count_max: usize,
    /// Their signed bytes, together.
    pub system_bytes_max: usize,
    /// Transactions of one account, by whichever of its keys.
    pub per_account_max: usize,
    /// Transactions that wait for one with a lower sequence number.
    pub waiting_max: usize,
    /// How long they wait, in ms.
    pub waiting_ms: u64,
    /// When others are told of a local transaction again that is in no block yet, in ms; twice as long each further time.
    pub repeat_ms: u64,
    /// Transactions executed again after a block.
    pub rebase_max: usize,
    /// Dropped transactions whose reason is remembered.
    pub refused_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            count_max: 16_384,
            bytes_max: 8 << 20,
            system_count_max: 256,
            system_bytes_max: 128 << 10,
            per_account_max: 64,
            waiting_max: 1_024,
            waiting_ms: 10_000,
            repeat_ms: 2_000,
            rebase_max: 512,
            refused_max: 8_192,
        }
    }
}
