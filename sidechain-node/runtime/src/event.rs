//! The sum of all rooms' events.

/// Something a room did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// In `core/ledger`.
    Ledger(nupeer_ledger::Event),
}
