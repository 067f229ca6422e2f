//! Withdrawals, from request to payment.

use std::fmt;

use minicbor::{Decode, Encode};
use nupeer_ledger::{HoldKind, Purse};
use nupeer_outbox::{Address, Output, Value};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Height};

use crate::leaf::LeafId;

/// Names a withdrawal: the id of the transaction that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct WithdrawalId(pub Hash);

impl fmt::Display for WithdrawalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl WithdrawalId {
    /// Where the value waits for its payment.
    pub fn hold(&self, owner: AccountId) -> Purse {
        Purse::Hold {
            owner,
            kind: HoldKind::Withdrawal,
            id: self.0,
        }
    }
}

/// A payment on Cardano that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Withdrawal {
    /// Its place among all, from 0.
    #[n(0)]
    pub number: u64,
    /// Who asked, and paid.
    #[n(1)]
    pub account: AccountId,
    /// Where to.
    #[n(2)]
    pub address: Address,
    /// What.
    #[n(3)]
    pub asset: AssetId,
    /// How much, in base units.
    #[n(4)]
    pub amount: Amount,
    /// ADA that goes along with a native asset.
    #[n(5)]
    pub lovelace_along: Amount,
    /// The block that took it in.
    #[n(6)]
    pub requested: Height,
    /// How far it is.
    #[n(7)]
    pub state: WithdrawalState,
}

/// How far a withdrawal is. The numbers are part of the stored format and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum WithdrawalState {
    /// No shard was told to pay it yet.
    #[n(0)]
    Queued,
    /// A shard is to pay it.
    #[n(1)]
    Assigned(#[n(0)] LeafId),
    /// An anchor on Cardano lets anybody have it paid.
    #[n(2)]
    Anchored {
        /// By which shard, and when.
        #[n(0)]
        leaf: LeafId,
        /// Under which anchor first.
        #[n(1)]
        anchor_seq: u64,
    },
    /// The payment lies deep in Cardano.
    #[n(3)]
    Paid {
        /// By which shard.
        #[n(0)]
        leaf: LeafId,
        /// Under which anchor first.
        #[n(1)]
        anchor_seq: Option<u64>,
        /// The transaction.
        #[n(2)]
        transaction: Hash,
        /// The block that saw it.
        #[n(3)]
        height: Height,
    },
    /// Its owner took it back before a shard was told to pay it.
    #[n(4)]
    Cancelled {
        /// The block that gave the value back.
        #[n(0)]
        height: Height,
    },
}

impl WithdrawalState {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            WithdrawalState::Queued => "queued",
            WithdrawalState::Assigned(_) => "assigned",
            WithdrawalState::Anchored { .. } => "anchored",
            WithdrawalState::Paid { .. } => "paid",
            WithdrawalState::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether nothing waits for it any more: its hold is empty.
    pub fn is_closed(&self) -> bool {
        matches!(
            self,
            WithdrawalState::Paid { .. } | WithdrawalState::Cancelled { .. }
        )
    }

    /// The payment that it is part of.
    pub fn leaf(&self) -> Option<LeafId> {
        match self {
            WithdrawalState::Queued | WithdrawalState::Cancelled { .. } => None,
            WithdrawalState::Assigned(leaf)
            | WithdrawalState::Anchored { leaf, .. }
            | WithdrawalState::Paid { leaf, .. } => Some(*leaf),
        }
    }

    /// The first anchor on Cardano that it was under.
    pub fn anchor_seq(&self) -> Option<u64> {
        match self {
            WithdrawalState::Queued
            | WithdrawalState::Assigned(_)
            | WithdrawalState::Cancelled { .. } => None,
            WithdrawalState::Anchored { anchor_seq, .. } => Some(*anchor_seq),
            WithdrawalState::Paid { anchor_seq, .. } => *anchor_seq,
        }
    }
}

impl Withdrawal {
    /// All that is paid.
    pub fn value(&self) -> Value {
        match self.asset {
            AssetId::Ada => Value::default().with(AssetId::Ada, self.amount),
            _ => Value::default()
                .with(AssetId::Ada, self.lovelace_along)
                .with(self.asset.clone(), self.amount),
        }
    }

    /// The output on Cardano.
    pub fn output(&self) -> Output {
        Output {
            address: self.address,
            value: self.value(),
            datum: None,
        }
    }
}
