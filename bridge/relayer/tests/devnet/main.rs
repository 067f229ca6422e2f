//! The bridge's transactions on the devnet: its ledger and its phase two have the last word.

mod confirm;
mod fixture;
mod hostile;
mod lifecycle;
mod refusals;
mod relaying;
mod sidechain;
mod world;
