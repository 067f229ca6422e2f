//! What happened, for the API stream, agents and wallets. Events are no state: nothing decides by them.

use nupeer_primitives::{AccountId, Amount, Code, Hash};

use crate::{
    due::Subject,
    id::{LeaseId, MachineId, OfferId},
    lease::{CloseReason, PauseReason},
};

/// Something the market did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A machine takes leases.
    MachineRegistered {
        /// Which.
        machine: MachineId,
        /// Whose.
        owner: AccountId,
    },
    /// A machine's owner said something else of it.
    MachineUpdated {
        /// Which.
        machine: MachineId,
    },
    /// A machine takes no more leases.
    MachineDraining {
        /// Which.
        machine: MachineId,
    },
    /// A machine is gone, its bond released.
    MachineWithdrawn {
        /// Which.
        machine: MachineId,
    },
    /// A request stands open.
    Requested {
        /// Its name, and that of the lease to come.
        request: LeaseId,
        /// Who asks.
        tenant: AccountId,
    },
    /// A request was taken back and its escrow returned.
    RequestCancelled {
        /// Which.
        request: LeaseId,
    },
    /// A request's time was over and its escrow returned.
    RequestExpired {
        /// Which.
        request: LeaseId,
    },
    /// A lease was made.
    Matched {
        /// Which.
        lease: LeaseId,
        /// Where it is to run.
        machine: MachineId,
        /// From which offer.
        offer: OfferId,
    },
    /// The provider prepares a lease.
    LeaseProvisioning {
        /// Which.
        lease: LeaseId,
    },
    /// A lease is to run, for the first time or again.
    LeaseActive {
        /// Which.
        lease: LeaseId,
    },
    /// A lease is to stop and keep its data.
    LeasePaused {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: PauseReason,
    },
    /// The tenant put more in.
    ToppedUp {
        /// Which lease.
        lease: LeaseId,
        /// How much, in lovelace.
        amount_lovelace: Amount,
    },
    /// Metered time was paid for.
    Settled {
        /// Which lease.
        lease: LeaseId,
        /// Since it began, in ms.
        metered_ms: u64,
        /// To the provider, after the fee, in lovelace.
        paid_lovelace: Amount,
        /// To the protocol, in lovelace.
        fee_lovelace: Amount,
    },
    /// A lease is over; its last usage note may still come.
    LeaseClosing {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: CloseReason,
    },
    /// A lease is over and settled.
    LeaseClosed {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: CloseReason,
        /// What went back to the tenant in all, in lovelace.
        refunded_lovelace: Amount,
    },
    /// Something due could not be done. Never seen while the invariants hold; it is tried again in the next block.
    DeadlineRefused {
        /// To what it belongs.
        subject: Subject,
        /// To which one.
        id: Hash,
        /// The number of the error.
        code: Code,
    },
}
