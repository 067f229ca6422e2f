//! What the market refuses, and why.

use nupeer_ledger::LedgerError;
use nupeer_primitives::{Amount, AssetId, Code, Hash, Hash28, Numbered, TimeMs};

use crate::{
    id::{LeaseId, MachineId, OfferId},
    machine::ENDPOINT_BYTES_MAX,
    params::Kind,
    resources::Resource,
    score::Metric,
};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No machine of that name.
    #[error("no machine {machine}")]
    UnknownMachine {
        /// Its name.
        machine: MachineId,
    },
    /// No request of that name, or one that was forgotten.
    #[error("no request {request}")]
    UnknownRequest {
        /// Its name.
        request: LeaseId,
    },
    /// No lease of that name, or one that was forgotten.
    #[error("no lease {lease}")]
    UnknownLease {
        /// Its name.
        lease: LeaseId,
    },
    /// Of somebody else's machine.
    #[error("account {provided} acts for a machine of {expected}")]
    NotOwner {
        /// Who acts.
        provided: Hash28,
        /// Whose it is.
        expected: Hash28,
    },
    /// Of somebody else's request or lease.
    #[error("account {provided} acts for a lease of {expected}")]
    NotTenant {
        /// Who acts.
        provided: Hash28,
        /// Whose it is.
        expected: Hash28,
    },
    /// Parameters under which the rules would not work.
    #[error("parameters of the market: {what}")]
    InvalidParams {
        /// What is wrong.
        what: &'static str,
    },
    /// The chain's parameters know no such kind of lease.
    #[error("this chain has no leases of the kind {kind}")]
    KindNotOffered {
        /// The kind.
        kind: Kind,
    },
    /// An agent's address that is empty, too long or not visible ASCII.
    #[error(
        "an endpoint of {provided} bytes; 1 to {ENDPOINT_BYTES_MAX} visible ASCII characters are possible"
    )]
    InvalidEndpoint {
        /// Its length, in bytes.
        provided: usize,
    },
    /// A machine without something that every lease takes.
    #[error("a machine without {resource}")]
    NoCapacity {
        /// Which resource.
        resource: Resource,
    },
    /// Scores or floors that do not ascend by metric, or name one twice.
    #[error("scores must ascend by metric, each once")]
    ScoresOutOfOrder,
    /// The operator key may not act for the machine's owner.
    #[error("operator key {key}: {reason}")]
    OperatorNotGranted {
        /// Hash of the key.
        key: Hash28,
        /// Why not.
        reason: LedgerError,
    },
    /// A machine that serves no kind of lease.
    #[error("a machine needs a bond for at least one kind of lease")]
    NoBond,
    /// Bonds that do not ascend by kind, or name one twice.
    #[error("bonds must ascend by kind, each once")]
    BondsOutOfOrder,
    /// A bond in another asset than its kind demands.
    #[error("a bond in {provided}, this kind takes {expected}")]
    WrongBondAsset {
        /// The bond's asset.
        provided: AssetId,
        /// The kind's asset.
        expected: AssetId,
    },
    /// A bond below the least of its kind.
    #[error("a bond of {provided}, this kind takes {minimum} at least (in base units)")]
    BondTooSmall {
        /// The bond.
        provided: Amount,
        /// The least.
        minimum: Amount,
    },
    /// A capacity below what leases take.
    #[error("{resource} {provided} would be below the {used} that leases take")]
    CapacityInUse {
        /// Which resource.
        resource: Resource,
        /// The new capacity.
        provided: u64,
        /// What leases take.
        used: u64,
    },
    /// A nonce floor that would let taken-back offers hold again.
    #[error("nonce floor {provided} is below {current}")]
    FloorBackwards {
        /// The new floor.
        provided: u64,
        /// The floor in force.
        current: u64,
    },
    /// The machine is not in a state for this.
    #[error("the machine is {provided}, this takes one that is {needed}")]
    WrongMachineState {
        /// Its state.
        provided: &'static str,
        /// The states that allow it.
        needed: &'static str,
    },
    /// Less of a resource than a lease of this kind takes.
    #[error("{resource} {provided} is below the {minimum} of this kind")]
    ResourceTooSmall {
        /// Which resource.
        resource: Resource,
        /// What is asked.
        provided: u64,
        /// The least.
        minimum: u64,
    },
    /// More of a resource than a lease of this kind may take.
    #[error("{resource} {provided} is above the {maximum} of this kind")]
    ResourceTooLarge {
        /// Which resource.
        resource: Resource,
        /// What is asked.
        provided: u64,
        /// The most.
        maximum: u64,
    },
    /// A lease of no time or of too much.
    #[error("a duration of {provided_ms} ms; 1 to {maximum_ms} are possible")]
    InvalidDuration {
        /// What is asked.
        provided_ms: u64,
        /// The most.
        maximum_ms: u64,
    },
    /// A request that would be over at once or stand too long.
    #[error("the request would expire at {expires}, block time is {now}, {maximum_ms} ms at most")]
    RequestLife {
        /// In the request.
        expires: TimeMs,
        /// Block time.
        now: TimeMs,
        /// The longest.
        maximum_ms: u64,
    },
    /// An escrow that would last too short.
    #[error("an escrow of {provided} lovelace, {minimum} at least at this price")]
    EscrowTooSmall {
        /// The escrow.
        provided: Amount,
        /// The least.
        minimum: Amount,
    },
    /// The request is matched, cancelled or expired.
    #[error("the request is {provided}, this takes an open one")]
    RequestNotOpen {
        /// Its state.
        provided: &'static str,
    },
    /// The request's time is over.
    #[error("the request expired at {expired}, block time is {now} (unix ms)")]
    RequestExpired {
        /// End of the request.
        expired: TimeMs,
        /// Block time.
        now: TimeMs,
    },
    /// Signed by a key that is not the machine's operator key.
    #[error("signed by key {provided}, the machine's operator key is {expected}")]
    WrongOperator {
        /// Hash of the key that signed.
        provided: Hash28,
        /// Hash of the operator key.
        expected: Hash28,
    },
    /// The offer was altered, or signed for another chain.
    #[error("the signature does not verify over offer {offer}")]
    BadOfferSignature {
        /// What should have been signed.
        offer: OfferId,
    },
    /// The offer's time is over.
    #[error("the offer expired at {expired}, block time is {now} (unix ms)")]
    OfferExpired {
        /// End of the offer.
        expired: TimeMs,
        /// Block time.
        now: TimeMs,
    },
    /// An offer that would hold too long.
    #[error("the offer would hold for {provided} ms more, {maximum} at most")]
    OfferTooLong {
        /// How long, in ms.
        provided: u64,
        /// The most, in ms.
        maximum: u64,
    },
    /// The machine's owner took this offer back.
    #[error("the offer's nonce {nonce} is below the machine's floor {floor}")]
    OfferTakenBack {
        /// Of the offer.
        nonce: u64,
        /// Of the machine.
        floor: u64,
    },
    /// The offer is replayed more often than it says.
    #[error("{used} leases were made from the offer, {maximum} at most")]
    OfferUsedUp {
        /// Leases made from it.
        used: u32,
        /// What it says.
        maximum: u32,
    },
    /// The machine has no bond for this kind of lease.
    #[error("the machine has no bond for leases of the kind {kind}")]
    KindNotServed {
        /// The kind.
        kind: Kind,
    },
    /// An offer of another kind of lease.
    #[error("an offer of a {offered}, the request wants a {requested}")]
    WrongKind {
        /// The offer's.
        offered: Kind,
        /// The request's.
        requested: Kind,
    },
    /// An offer to another tenant.
    #[error("an offer to account {offered}, the request is of {tenant}")]
    OfferForAnother {
        /// To whom.
        offered: Hash28,
        /// Who asks.
        tenant: Hash28,
    },
    /// A request to another machine.
    #[error("an offer of machine {offered}, the request wants {requested}")]
    RequestForAnother {
        /// Whose.
        offered: MachineId,
        /// Which is wanted.
        requested: MachineId,
    },
    /// A machine that scored less than the request takes.
    #[error("{metric:?} scored {provided}, the request takes {minimum} at least")]
    ScoreTooLow {
        /// In what.
        metric: Metric,
        /// The score; zero where there is none.
        provided: u64,
        /// The request's floor.
        minimum: u64,
    },
    /// A lease longer than offered.
    #[error("a duration of {needed_ms} ms, the offer allows {offered_ms}")]
    OverDuration {
        /// What is asked.
        needed_ms: u64,
        /// What is offered.
        offered_ms: u64,
    },
    /// More than the offer allows for one lease.
    #[error("{resource} {needed} is more than the {offered} of the offer")]
    OverOffer {
        /// Which resource.
        resource: Resource,
        /// What is asked.
        needed: u64,
        /// What is offered.
        offered: u64,
    },
    /// More than the machine has left.
    #[error("{resource} {needed} is more than the {free} that the machine has left")]
    OverCapacity {
        /// Which resource.
        resource: Resource,
        /// What is asked.
        needed: u64,
        /// What is left.
        free: u64,
    },
    /// The offer asks more than the tenant pays.
    #[error("{offered} lovelace per hour, the request pays {maximum} at most")]
    PriceTooHigh {
        /// What the offer comes to; the end of the range where it is beyond.
        offered: u64,
        /// The request's most.
        maximum: u64,
    },
    /// The lease is not in a state for this.
    #[error("the lease is {provided}, this takes one that is {needed}")]
    WrongLeaseState {
        /// Its state.
        provided: &'static str,
        /// The states that allow it.
        needed: &'static str,
    },
    /// A usage note of another lease.
    #[error("a usage note of lease {provided}, this is {expected}")]
    UsageOfAnotherLease {
        /// In the note.
        provided: LeaseId,
        /// In the action.
        expected: LeaseId,
    },
    /// A usage note that says no more than the last one: replayed, or going backwards.
    #[error("{provided_ms} ms metered, {metered_ms} are settled already")]
    UsageBackwards {
        /// In the note.
        provided_ms: u64,
        /// In the state.
        metered_ms: u64,
    },
    /// More time than passed.
    #[error("{provided_ms} ms metered, the lease's clock shows {clock_ms}")]
    UsageBeyondClock {
        /// In the note.
        provided_ms: u64,
        /// The clock.
        clock_ms: u64,
    },
    /// A usage note that was altered, or that one side did not sign.
    #[error("the {side}'s signature does not verify over the usage note")]
    BadUsageSignature {
        /// Whose.
        side: &'static str,
    },
    /// A key that may not sign for the tenant.
    #[error("tenant's key {key}: {reason}")]
    TenantKeyNotGranted {
        /// Hash of the key.
        key: Hash28,
        /// Why not.
        reason: LedgerError,
    },
    /// Counters beside a usage note that are not those it was made for.
    #[error("the counters hash to {provided}, the usage note says {expected}")]
    WrongEvidence {
        /// Of the counters.
        provided: Hash,
        /// In the note.
        expected: Hash,
    },
}

impl Numbered for LeaseError {
    fn code(&self) -> Code {
        Code(match self {
            LeaseError::Ledger(error) => return error.code(),
            LeaseError::UnknownMachine { .. } => 4001,
            LeaseError::UnknownRequest { .. } => 4002,
            LeaseError::UnknownLease { .. } => 4003,
            LeaseError::NotOwner { .. } => 4004,
            LeaseError::NotTenant { .. } => 4005,
            LeaseError::InvalidParams { .. } => 4006,
            LeaseError::KindNotOffered { .. } => 4007,
            LeaseError::InvalidEndpoint { .. } => 4010,
            LeaseError::NoCapacity { .. } => 4011,
            LeaseError::ScoresOutOfOrder => 4012,
            LeaseError::OperatorNotGranted { .. } => 4013,
            LeaseError::NoBond => 4014,
            LeaseError::BondsOutOfOrder => 4015,
            LeaseError::WrongBondAsset { .. } => 4016,
            LeaseError::BondTooSmall { .. } => 4017,
            LeaseError::CapacityInUse { .. } => 4018,
            LeaseError::FloorBackwards { .. } => 4019,
            LeaseError::WrongMachineState { .. } => 4020,
            LeaseError::ResourceTooSmall { .. } => 4030,
            LeaseError::ResourceTooLarge { .. } => 4031,
            LeaseError::InvalidDuration { .. } => 4032,
            LeaseError::RequestLife { .. } => 4033,
            LeaseError::EscrowTooSmall { .. } => 4034,
            LeaseError::RequestNotOpen { .. } => 4035,
            LeaseError::RequestExpired { .. } => 4036,
            LeaseError::WrongOperator { .. } => 4040,
            LeaseError::BadOfferSignature { .. } => 4041,
            LeaseError::OfferExpired { .. } => 4042,
            LeaseError::OfferTooLong { .. } => 4043,
            LeaseError::OfferTakenBack { .. } => 4044,
            LeaseError::OfferUsedUp { .. } => 4045,
            LeaseError::KindNotServed { .. } => 4046,
            LeaseError::WrongKind { .. } => 4050,
            LeaseError::OfferForAnother { .. } => 4051,
            LeaseError::RequestForAnother { .. } => 4052,
            LeaseError::ScoreTooLow { .. } => 4053,
            LeaseError::OverDuration { .. } => 4054,
            LeaseError::OverOffer { .. } => 4055,
            LeaseError::OverCapacity { .. } => 4056,
            LeaseError::PriceTooHigh { .. } => 4057,
            LeaseError::WrongLeaseState { .. } => 4060,
            LeaseError::UsageOfAnotherLease { .. } => 4070,
            LeaseError::UsageBackwards { .. } => 4071,
            LeaseError::UsageBeyondClock { .. } => 4072,
            LeaseError::BadUsageSignature { .. } => 4073,
            LeaseError::TenantKeyNotGranted { .. } => 4074,
            LeaseError::WrongEvidence { .. } => 4075,
        })
    }
}
