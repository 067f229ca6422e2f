//! The agent on a provider's machine.

pub mod inventory;
