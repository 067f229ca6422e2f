//! What must not be seen on Cardano, and stops the bridge.

use minicbor::{Decode, Encode};
use nupeer_observe::Part;
use nupeer_outbox::OutputReference;
use nupeer_primitives::{Code, Numbered};

/// Something on Cardano that this chain did not order and that the bridge's scripts should have refused. Nothing leaves from then
/// on; what is seen goes on being recorded. Error numbers as everywhere. 8 is reserved for a rollback deeper than the
/// chain allows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Contradiction {
    /// A shard that was never born.
    #[error("shard {shard} moved on Cardano, and this bridge has none of that number")]
    #[n(0)]
    UnknownShard {
        /// Its number.
        #[n(0)]
        shard: u8,
    },
    /// A shard that did not come from where it lay.
    #[error("shard {shard} moved to {}#{} from elsewhere than where it lay", .output.transaction_id, .output.index)]
    #[n(1)]
    ShardFromNowhere {
        /// Its number.
        #[n(0)]
        shard: u8,
        /// Where it is now.
        #[n(1)]
        output: OutputReference,
    },
    /// A payment without an order.
    #[error("shard {shard} made payment {seq}, which this chain did not order")]
    #[n(2)]
    UnorderedPayment {
        /// The shard.
        #[n(0)]
        shard: u8,
        /// Its place in the shard's sequence.
        #[n(1)]
        seq: u64,
    },
    /// Sums that do not agree: of what was paid and swept, of the books, of the value.
    #[error("shard {shard} at {}#{} does not hold, or does not say, what was paid and swept", .output.transaction_id, .output.index)]
    #[n(3)]
    ShardBooks {
        /// The shard.
        #[n(0)]
        shard: u8,
        /// Where it is.
        #[n(1)]
        output: OutputReference,
    },
    /// An anchor that was not made here.
    #[error("anchor {seq} at {}#{} was not made by this chain", .output.transaction_id, .output.index)]
    #[n(4)]
    UnknownAnchor {
        /// Its number.
        #[n(0)]
        seq: u64,
        /// Where it lies.
        #[n(1)]
        output: OutputReference,
    },
    /// A head that skips or repeats.
    #[error("the head counts {provided} anchors where {expected} is next")]
    #[n(5)]
    HeadOutOfOrder {
        /// In the head.
        #[n(0)]
        provided: u64,
        /// Next.
        #[n(1)]
        expected: u64,
    },
    /// A datum that a script should have refused.
    #[error("the {part:?} at {}#{} says nothing that can be read", .output.transaction_id, .output.index)]
    #[n(6)]
    Unreadable {
        /// Where it lies.
        #[n(0)]
        output: OutputReference,
        /// What it should be.
        #[n(1)]
        part: Part,
    },
    /// A hold that does not have what was paid for it.
    #[error("payment {seq} of shard {shard} cannot be booked: error {code}")]
    #[n(7)]
    PaymentNotBooked {
        /// The shard.
        #[n(0)]
        shard: u8,
        /// Its place in the shard's sequence.
        #[n(1)]
        seq: u64,
        /// Number of the ledger's error.
        #[n(2)]
        code: u16,
    },
}

impl Numbered for Contradiction {
    fn code(&self) -> Code {
        Code(match self {
            Contradiction::UnknownShard { .. } => 3040,
            Contradiction::ShardFromNowhere { .. } => 3041,
            Contradiction::UnorderedPayment { .. } => 3042,
            Contradiction::ShardBooks { .. } => 3043,
            Contradiction::UnknownAnchor { .. } => 3044,
            Contradiction::HeadOutOfOrder { .. } => 3045,
            Contradiction::Unreadable { .. } => 3046,
            Contradiction::PaymentNotBooked { .. } => 3047,
        })
    }
}
