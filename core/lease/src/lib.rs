//! Machines and leases: who offers how much of what, who asks for it, what was matched, how it ran, and who is paid.
//!
//! The chain keeps machines (with their bonds), requests (with their escrow) and leases; offers and usage notes are documents that
//! their parties sign off the chain and that an action carries in ([`offer`], [`usage`]). Whatever must happen at some time stands in a queue in the
//! state ([`due`]) and [`block::end_block`] fires it, so that no deadline waits for anybody to remember it. A request and the
//! lease made from it share one id, which is also that of their escrow.
//!
//! Money moves in three places: the bond at registration and withdrawal, the escrow at request and top-up, and [`pay`].

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod action;
pub mod actions;
pub mod agent_request;
pub mod block;
pub mod due;
pub mod error;
pub mod event;
pub mod genesis;
pub mod id;
pub mod invariants;
pub mod lease;
pub mod machine;
pub mod offer;
pub mod params;
pub mod pay;
pub mod price;
pub mod request;
pub mod resources;
pub mod score;
pub mod settlement;
pub(crate) mod store;
/// Prefixes of the plain entries of which anybody can be shown one by itself; an id follows.
pub mod records {
    pub use crate::store::{LEASE, MACHINE, REQUEST};
}
pub mod usage;
pub mod view;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stored;

pub use action::Action;
pub use agent_request::{AgentRequest, AgentRequestError, SignedAgentRequest};
pub use error::LeaseError;
pub use event::Event;
pub use id::{LeaseId, MachineId, OfferId};
pub use lease::{CloseReason, Fault, Lease, LeaseState, PauseReason};
pub use machine::{Bond, Machine, MachineState, MachineTerms};
pub use offer::{Offer, SignedOffer};
pub use params::{Kind, KindParams, Params};
pub use price::Price;
pub use request::{Request, RequestState};
pub use resources::{Resource, Resources};
pub use score::{Metric, Score};
pub use usage::{ProviderNote, SignedUsage, Usage};
