//! What happened, for the API stream, relayers and wallets. Events are no state: nothing decides by them.

use minicbor::{Decode, Encode};
use nupeer_outbox::{Address, OutputReference, Value};
use nupeer_primitives::{AccountId, Hash, PublicKey};

use crate::{credit::Refusal, halt::Contradiction, leaf::LeafId, withdrawal::WithdrawalId};

/// Something the bridge did or saw. The numbers are part of the stored format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A deposit became a balance.
    #[n(0)]
    DepositCredited {
        /// Its place among credited deposits, from 0.
        #[n(0)]
        index: u64,
        /// Which.
        #[n(1)]
        output: OutputReference,
        /// Whose it is now.
        #[n(2)]
        account: AccountId,
        /// How much.
        #[n(3)]
        value: Value,
    },
    /// A deposit will never be credited.
    #[n(1)]
    DepositRefused {
        /// Which.
        #[n(0)]
        output: OutputReference,
        /// Why.
        #[n(1)]
        reason: Refusal,
    },
    /// A credited deposit lies in the vault now.
    #[n(2)]
    DepositSwept {
        /// Its place among credited deposits.
        #[n(0)]
        index: u64,
        /// Into which shard.
        #[n(1)]
        shard: u8,
        /// By which transaction.
        #[n(2)]
        transaction: Hash,
    },
    /// A payment was asked for.
    #[n(3)]
    WithdrawalRequested {
        /// Which.
        #[n(0)]
        id: WithdrawalId,
        /// By whom.
        #[n(1)]
        account: AccountId,
        /// Where to.
        #[n(2)]
        address: Address,
        /// How much.
        #[n(3)]
        value: Value,
    },
    /// A payment was given to a shard.
    #[n(4)]
    WithdrawalAssigned {
        /// Which.
        #[n(0)]
        id: WithdrawalId,
        /// Where in which sequence.
        #[n(1)]
        leaf: LeafId,
    },
    /// A payment was seen on Cardano: the withdrawal is closed.
    #[n(5)]
    WithdrawalPaid {
        /// Which.
        #[n(0)]
        id: WithdrawalId,
        /// By which transaction.
        #[n(1)]
        transaction: Hash,
    },
    /// An anchor waits for signatures.
    #[n(6)]
    AnchorMade {
        /// Its number.
        #[n(0)]
        seq: u64,
        /// What is signed.
        #[n(1)]
        digest: Hash,
    },
    /// A member signed.
    #[n(7)]
    AnchorSigned {
        /// The anchor.
        #[n(0)]
        seq: u64,
        /// The member.
        #[n(1)]
        key: PublicKey,
    },
    /// An anchor has its quorum: anybody may publish it.
    #[n(8)]
    AnchorCertified {
        /// The anchor.
        #[n(0)]
        seq: u64,
    },
    /// An anchor was seen on Cardano.
    #[n(9)]
    AnchorPublished {
        /// The anchor.
        #[n(0)]
        seq: u64,
        /// Where it lies.
        #[n(1)]
        output: OutputReference,
    },
    /// Something was seen that must not be; nothing leaves any more.
    #[n(10)]
    Halted {
        /// What.
        #[n(0)]
        reason: Contradiction,
    },
    /// A payment was taken back before a shard was told to make it.
    #[n(11)]
    WithdrawalCancelled {
        /// Which.
        #[n(0)]
        id: WithdrawalId,
        /// By whom; the value is the account's again.
        #[n(1)]
        account: AccountId,
        /// How much.
        #[n(2)]
        value: Value,
    },
}
