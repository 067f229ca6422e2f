//! What happened, for the API stream, agents and wallets. Events are no state: nothing decides by them.

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, Code, Hash};

use crate::{
    due::Subject,
    id::{LeaseId, MachineId, OfferId},
    lease::{CloseReason, PauseReason},
};

/// Something the market did. The numbers are part of the stored format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A machine takes leases.
    #[n(0)]
    MachineRegistered {
        /// Which.
        #[n(0)]
        machine: MachineId,
        /// Whose.
        #[n(1)]
        owner: AccountId,
    },
    /// A machine's owner said something else of it.
    #[n(1)]
    MachineUpdated {
        /// Which.
        #[n(0)]
        machine: MachineId,
    },
    /// A machine takes no more leases.
    #[n(2)]
    MachineDraining {
        /// Which.
        #[n(0)]
        machine: MachineId,
    },
    /// A machine is gone, its bond released.
    #[n(3)]
    MachineWithdrawn {
        /// Which.
        #[n(0)]
        machine: MachineId,
    },
    /// A request stands open.
    #[n(4)]
    Requested {
        /// Its name, and that of the lease to come.
        #[n(0)]
        request: LeaseId,
        /// Who asks.
        #[n(1)]
        tenant: AccountId,
    },
    /// A request was taken back and its escrow returned.
    #[n(5)]
    RequestCancelled {
        /// Which.
        #[n(0)]
        request: LeaseId,
    },
    /// A request's time was over and its escrow returned.
    #[n(6)]
    RequestExpired {
        /// Which.
        #[n(0)]
        request: LeaseId,
    },
    /// A lease was made.
    #[n(7)]
    Matched {
        /// Which.
        #[n(0)]
        lease: LeaseId,
        /// Where it is to run.
        #[n(1)]
        machine: MachineId,
        /// From which offer.
        #[n(2)]
        offer: OfferId,
    },
    /// The provider prepares a lease.
    #[n(8)]
    LeaseProvisioning {
        /// Which.
        #[n(0)]
        lease: LeaseId,
    },
    /// A lease is to run, for the first time or again.
    #[n(9)]
    LeaseActive {
        /// Which.
        #[n(0)]
        lease: LeaseId,
    },
    /// A lease is to stop and keep its data.
    #[n(10)]
    LeasePaused {
        /// Which.
        #[n(0)]
        lease: LeaseId,
        /// Why.
        #[n(1)]
        reason: PauseReason,
    },
    /// The tenant put more in.
    #[n(11)]
    ToppedUp {
        /// Which lease.
        #[n(0)]
        lease: LeaseId,
        /// How much, in lovelace.
        #[n(1)]
        amount_lovelace: Amount,
    },
    /// Metered time was paid for.
    #[n(12)]
    Settled {
        /// Which lease.
        #[n(0)]
        lease: LeaseId,
        /// Since it began, in ms.
        #[n(1)]
        metered_ms: u64,
        /// To the provider, after the fee, in lovelace.
        #[n(2)]
        paid_lovelace: Amount,
        /// To the protocol, in lovelace.
        #[n(3)]
        fee_lovelace: Amount,
    },
    /// A lease is over; its last usage note may still come.
    #[n(13)]
    LeaseClosing {
        /// Which.
        #[n(0)]
        lease: LeaseId,
        /// Why.
        #[n(1)]
        reason: CloseReason,
    },
    /// A lease is over and settled.
    #[n(14)]
    LeaseClosed {
        /// Which.
        #[n(0)]
        lease: LeaseId,
        /// Why.
        #[n(1)]
        reason: CloseReason,
        /// What went back to the tenant in all, in lovelace.
        #[n(2)]
        refunded_lovelace: Amount,
    },
    /// Something due could not be done. Never seen while the invariants hold; it is tried again an hour later.
    #[n(15)]
    DeadlineRefused {
        /// To what it belongs.
        #[n(0)]
        subject: Subject,
        /// To which one.
        #[n(1)]
        id: Hash,
        /// The number of the error.
        #[n(2)]
        code: Code,
    },
}
