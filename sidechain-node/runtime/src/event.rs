//! The sum of all rooms' events.

use minicbor::{Decode, Encode};

/// Something a room did. The numbers are part of the stored format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// In `core/ledger`.
    #[n(0)]
    Ledger(#[n(0)] nupeer_ledger::Event),
    /// In `core/lease`.
    #[n(1)]
    Lease(#[n(0)] nupeer_lease::Event),
    /// In `bridge/rules`.
    #[n(2)]
    Bridge(#[n(0)] nupeer_bridge::Event),
}
