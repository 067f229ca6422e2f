//! A lease and its clock.
//!
//! The clock is the time that the lease was active, by block times: pauses do not count. It is an upper bound alone: what is paid for
//! is the metered time that both sides signed, which never exceeds it. The clock stops at the duration, and at what the
//! deposits cover; so the deposits always cover whatever can still be signed for.

use std::fmt;

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, Hash, TimeMs};

use crate::{
    id::{MachineId, OfferId},
    params::Kind,
    resources::Resources,
    settlement,
};

/// Why a lease is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PauseReason {
    /// The deposits cover no more time; a top-up makes it run on.
    #[n(0)]
    Funds,
    /// The provider says that usage stayed unsigned; the provider lets it run on.
    #[n(1)]
    Unsigned,
}

impl PauseReason {
    /// Its name in answers for programs.
    pub fn name(self) -> &'static str {
        match self {
            PauseReason::Funds => "funds",
            PauseReason::Unsigned => "unsigned",
        }
    }

    /// Why a lease ended that was not let run on in time.
    pub fn when_over(self) -> CloseReason {
        match self {
            PauseReason::Funds => CloseReason::FundsExhausted,
            PauseReason::Unsigned => CloseReason::Unsigned,
        }
    }
}

/// Why a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CloseReason {
    /// It ran for its whole duration.
    #[n(0)]
    Completed,
    /// The tenant ended it.
    #[n(1)]
    TenantClosed,
    /// The provider ended it.
    #[n(2)]
    ProviderClosed,
    /// The provider began and did not get it to run in time.
    #[n(3)]
    ProvisioningTimeout,
    /// Paused for want of funds for longer than the grace, or ended by the provider meanwhile.
    #[n(4)]
    FundsExhausted,
    /// Paused because usage stayed unsigned for longer than the grace, or ended by the provider meanwhile.
    #[n(5)]
    Unsigned,
    /// The provider did not begin in time after the match: it may be away, or the tenant gave it nothing to run.
    #[n(6)]
    ReservationTimeout,
}

/// Who is to blame for a lease's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody, or nobody that can be named.
    Nobody,
    /// The tenant.
    Tenant,
    /// The provider.
    Provider,
}

impl Fault {
    /// Its name in answers for programs.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Nobody => "nobody",
            Fault::Tenant => "tenant",
            Fault::Provider => "provider",
        }
    }
}

impl CloseReason {
    /// Its name in answers for programs.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Completed => "completed",
            CloseReason::TenantClosed => "tenant_closed",
            CloseReason::ProviderClosed => "provider_closed",
            CloseReason::ProvisioningTimeout => "provisioning_timeout",
            CloseReason::FundsExhausted => "funds_exhausted",
            CloseReason::Unsigned => "unsigned",
            CloseReason::ReservationTimeout => "reservation_timeout",
        }
    }

    /// The party at fault. Who withheld a signature, or an image, cannot be proven, so nobody is named for that; a provider that says that it begins
    /// has all that it needs.
    pub fn fault(self) -> Fault {
        match self {
            CloseReason::Completed
            | CloseReason::TenantClosed
            | CloseReason::Unsigned
            | CloseReason::ReservationTimeout => Fault::Nobody,
            CloseReason::ProviderClosed | CloseReason::ProvisioningTimeout => Fault::Provider,
            CloseReason::FundsExhausted => Fault::Tenant,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Completed => "completed",
            CloseReason::TenantClosed => "closed by the tenant",
            CloseReason::ProviderClosed => "closed by the provider",
            CloseReason::ProvisioningTimeout => "not provisioned in time",
            CloseReason::FundsExhausted => "out of funds",
            CloseReason::Unsigned => "usage unsigned",
            CloseReason::ReservationTimeout => "not begun in time",
        })
    }
}

/// How far a lease is. Every state but the last fires something at a stated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LeaseState {
    /// Matched; the tenant uploads, and the provider has not begun yet.
    #[n(0)]
    Reserved {
        /// When it ends if the provider has not begun by then, unix ms.
        #[n(0)]
        until: TimeMs,
    },
    /// The provider has what it is to run, and prepares it.
    #[n(1)]
    Provisioning {
        /// When it ends if it does not run by then, unix ms.
        #[n(0)]
        until: TimeMs,
    },
    /// It is to run.
    #[n(2)]
    Active {
        /// Since when, unix ms.
        #[n(0)]
        since: TimeMs,
    },
    /// It keeps its data and does not run.
    #[n(3)]
    Paused {
        /// Why.
        #[n(0)]
        reason: PauseReason,
        /// When it ends, unix ms.
        #[n(1)]
        until: TimeMs,
    },
    /// Over; the last usage note may still come.
    #[n(4)]
    Closing {
        /// Why it ended.
        #[n(0)]
        reason: CloseReason,
        /// When the rest goes back, unix ms.
        #[n(1)]
        until: TimeMs,
    },
    /// Over and settled.
    #[n(5)]
    Closed {
        /// Why it ended.
        #[n(0)]
        reason: CloseReason,
        /// When the chain forgets it, unix ms.
        #[n(1)]
        forget: TimeMs,
    },
}

impl LeaseState {
    /// Its name, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            LeaseState::Reserved { .. } => "reserved",
            LeaseState::Provisioning { .. } => "provisioning",
            LeaseState::Active { .. } => "active",
            LeaseState::Paused {
                reason: PauseReason::Funds,
                ..
            } => "paused for funds",
            LeaseState::Paused {
                reason: PauseReason::Unsigned,
                ..
            } => "paused unsigned",
            LeaseState::Closing { .. } => "closing",
            LeaseState::Closed { .. } => "closed",
        }
    }

    /// Whether it still takes capacity and escrow.
    pub fn is_open(&self) -> bool {
        !matches!(self, LeaseState::Closed { .. })
    }
}

/// A lease as the chain knows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Lease {
    /// Who pays.
    #[n(0)]
    pub tenant: AccountId,
    /// Who is paid: the machine's owner.
    #[n(1)]
    pub provider: AccountId,
    /// Where it runs.
    #[n(2)]
    pub machine: MachineId,
    /// From which offer it was made.
    #[n(3)]
    pub offer: OfferId,
    /// Which kind.
    #[n(4)]
    pub kind: Kind,
    /// What it takes of the machine.
    #[n(5)]
    pub resources: Resources,
    /// Digest of the image.
    #[n(6)]
    pub image: Hash,
    /// Digest of everything else that the machine must know.
    #[n(7)]
    pub manifest: Hash,
    /// What it costs.
    #[n(8)]
    pub price_lovelace_per_hour: u64,
    /// The protocol's part, as it stood at the match, in parts per ten thousand.
    #[n(9)]
    pub protocol_fee_per_10k: u16,
    /// The longest it runs, in ms.
    #[n(10)]
    pub duration_ms: u64,
    /// When it was matched, unix ms.
    #[n(11)]
    pub matched_at: TimeMs,
    /// What the tenant put in, in lovelace.
    #[n(12)]
    pub deposited_lovelace: Amount,
    /// What was taken for metered time, the protocol's part included, in lovelace.
    #[n(13)]
    pub charged_lovelace: Amount,
    /// What went back to the tenant, in lovelace.
    #[n(14)]
    pub refunded_lovelace: Amount,
    /// Time that both sides signed for, in ms.
    #[n(15)]
    pub metered_ms: u64,
    /// The evidence of the last usage note; zeros before the first.
    #[n(16)]
    pub evidence: Hash,
    /// What the clock showed when it last stopped, in ms.
    #[n(17)]
    pub ran_ms: u64,
    /// How far it is.
    #[n(18)]
    pub state: LeaseState,
}

impl Lease {
    /// How far the clock may go in all, in ms: the duration, or what the deposits cover.
    pub fn clock_max_ms(&self) -> u64 {
        self.covered_ms().min(self.duration_ms)
    }

    /// How long the deposits last in all, in ms.
    pub fn covered_ms(&self) -> u64 {
        settlement::covered_ms(self.price_lovelace_per_hour, self.deposited_lovelace)
    }

    /// What the clock shows at `now`, in ms.
    pub fn clock_ms(&self, now: TimeMs) -> u64 {
        match self.state {
            LeaseState::Active { since } => {
                let ran_ms = self.ran_ms.saturating_add(since.until(now));
                ran_ms.min(self.clock_max_ms())
            }
            _ => self.ran_ms,
        }
    }

    /// Stops the clock at `now` and takes another state.
    pub(crate) fn stop(&mut self, now: TimeMs, state: LeaseState) {
        self.ran_ms = self.clock_ms(now);
        self.state = state;
    }

    /// When something happens to it by itself.
    pub fn due(&self) -> TimeMs {
        match self.state {
            LeaseState::Active { since } => {
                later(since, self.clock_max_ms().saturating_sub(self.ran_ms))
            }
            LeaseState::Reserved { until }
            | LeaseState::Provisioning { until }
            | LeaseState::Paused { until, .. }
            | LeaseState::Closing { until, .. }
            | LeaseState::Closed { forget: until, .. } => until,
        }
    }

    /// What its escrow must hold, in lovelace.
    pub fn held_lovelace(&self) -> Amount {
        self.deposited_lovelace
            .saturating_sub(self.charged_lovelace)
            .saturating_sub(self.refunded_lovelace)
    }

    /// The protocol's part of what was charged, in lovelace.
    pub fn protocol_fee_lovelace(&self) -> Amount {
        settlement::protocol_fee(self.charged_lovelace, self.protocol_fee_per_10k)
    }

    /// What the provider received, after the fee, in lovelace.
    pub fn paid_lovelace(&self) -> Amount {
        self.charged_lovelace
            .saturating_sub(self.protocol_fee_lovelace())
    }
}

/// `time` and `by_ms` more; the end of the range where that would leave it.
pub(crate) fn later(time: TimeMs, by_ms: u64) -> TimeMs {
    TimeMs(time.0.saturating_add(by_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::lease;

    #[test]
    fn the_clock_counts_active_time_up_to_duration_and_deposit() {
        // Price 3,600,000 lovelace per hour: a lovelace for each ms.
        for (deposited, duration_ms, ran_ms, since, now, clock) in [
            (1_000, 1_000, 0, 5_000, 5_000, 0),
            (1_000, 1_000, 0, 5_000, 5_300, 300),
            (1_000, 1_000, 600, 5_000, 5_300, 900),
            (1_000, 1_000, 600, 5_000, 9_000, 1_000),
            (1_000, 700, 600, 5_000, 9_000, 700),
            (650, 1_000, 600, 5_000, 9_000, 650),
            // A block time before the start counts nothing.
            (1_000, 1_000, 0, 5_000, 4_000, 0),
        ] {
            let lease = Lease {
                deposited_lovelace: Amount::new(deposited),
                duration_ms,
                ran_ms,
                state: LeaseState::Active {
                    since: TimeMs(since),
                },
                ..lease()
            };
            assert_eq!(lease.clock_ms(TimeMs(now)), clock);
            let due = since + deposited.min(u128::from(duration_ms)) as u64 - ran_ms;
            assert_eq!(lease.due(), TimeMs(due));
        }
    }

    #[test]
    fn a_stopped_clock_stands_still() {
        let mut lease = Lease {
            deposited_lovelace: Amount::new(1_000),
            state: LeaseState::Active {
                since: TimeMs(5_000),
            },
            ..lease()
        };
        let (reason, until) = (PauseReason::Unsigned, TimeMs(9_999));
        lease.stop(TimeMs(5_250), LeaseState::Paused { reason, until });
        assert_eq!((lease.ran_ms, lease.clock_ms(TimeMs(9_000))), (250, 250));
    }

    #[test]
    fn blame_is_named_where_it_can_be_proven() {
        for (reason, fault) in [
            (CloseReason::Completed, Fault::Nobody),
            (CloseReason::TenantClosed, Fault::Nobody),
            (CloseReason::ProviderClosed, Fault::Provider),
            (CloseReason::ProvisioningTimeout, Fault::Provider),
            (CloseReason::FundsExhausted, Fault::Tenant),
            (CloseReason::Unsigned, Fault::Nobody),
            (CloseReason::ReservationTimeout, Fault::Nobody),
        ] {
            assert_eq!(reason.fault(), fault);
        }
    }
}
