//! What the sidechain owes to whom: state access, purses, sequences, key grants, conservation, and the shape that
//! every room has.
//!
//! Value sits in *purses* ([`purse::Purse`]): accounts' balances, holds and pots. It moves from one purse to another
//! ([`purse::transfer`]), enters by [`totals::credit`] and leaves by [`totals::pay_out`]; nothing else touches an amount, so
//! conservation ([`invariants`]) holds by construction and is checked all the same.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod action;
pub mod actions;
pub mod context;
pub mod counting;
pub mod error;
pub mod event;
pub mod genesis;
pub mod grant;
pub mod invariants;
pub mod memory;
pub mod params;
pub mod purse;
pub mod sequence;
pub mod state;
pub mod totals;
pub mod view;

pub use action::Action;
pub use context::Context;
pub use error::LedgerError;
pub use event::Event;
pub use grant::{Grant, Scope};
pub use params::Params;
pub use purse::{HoldKind, Pot, Purse};
pub use state::{Changes, Overlay, StateRead, StateWrite};
