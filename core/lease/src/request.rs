//! A request: what a tenant wants, until when, and for how much at most.

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, Hash, TimeMs};

use crate::{id::MachineId, params::Kind, resources::Resources, score::Score};

/// What a tenant wants.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Wanted {
    /// Which kind of lease.
    #[n(0)]
    pub kind: Kind,
    /// How much of a machine.
    #[n(1)]
    pub resources: Resources,
    /// The longest it is to run, in ms.
    #[n(2)]
    pub duration_ms: u64,
    /// Digest of the image (sha256 of an OCI manifest for containers).
    #[n(3)]
    pub image: Hash,
    /// Digest of everything else that the machine must know and the chain need not: the kind's room says of what.
    #[n(4)]
    pub manifest: Hash,
    /// The least that the machine must have scored, ascending by metric.
    #[n(5)]
    pub score_floors: Vec<Score>,
    /// On this machine alone.
    #[n(6)]
    pub machine: Option<MachineId>,
    /// The most that it may cost, in lovelace per hour.
    #[n(7)]
    pub price_max_lovelace_per_hour: u64,
    /// The block time from which it no longer stands, unix ms.
    #[n(8)]
    pub expires: TimeMs,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RequestState {
    /// To be matched.
    #[n(0)]
    Open,
    /// A lease of the same id was made from it.
    #[n(1)]
    Matched,
    /// Its time is over; the escrow went back.
    #[n(2)]
    Expired {
        /// When the chain forgets it, unix ms.
        #[n(0)]
        forget: TimeMs,
    },
    /// The tenant took it back, and the escrow.
    #[n(3)]
    Cancelled {
        /// When the chain forgets it, unix ms.
        #[n(0)]
        forget: TimeMs,
    },
}

impl RequestState {
    /// Its name, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            RequestState::Open => "open",
            RequestState::Matched => "matched",
            RequestState::Expired { .. } => "expired",
            RequestState::Cancelled { .. } => "cancelled",
        }
    }
}

/// A request as the chain knows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// Who asks.
    #[n(0)]
    pub tenant: AccountId,
    /// For what.
    #[n(1)]
    pub wanted: Wanted,
    /// What is held for it, in lovelace.
    #[n(2)]
    pub escrow_lovelace: Amount,
    /// How far it is.
    #[n(3)]
    pub state: RequestState,
}

impl Request {
    /// When something happens to it by itself. A matched one is forgotten together with its lease.
    pub fn due(&self) -> Option<TimeMs> {
        match self.state {
            RequestState::Open => Some(self.wanted.expires),
            RequestState::Matched => None,
            RequestState::Expired { forget } | RequestState::Cancelled { forget } => Some(forget),
        }
    }
}
