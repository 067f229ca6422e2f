//! The words every floor above speaks: hashes, amounts, accounts, keys, units of time, canonical CBOR, wallet
//! signatures and commit certificates.
//!
//! Everything here is pure: no clock, no file, no socket, no random source. What decodes bytes from outside is
//! total and refuses any second encoding of the same thing.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod account;
pub mod amount;
pub mod asset;
pub mod cbor;
pub mod cip8;
pub mod code;
pub mod consensus;
pub mod hash;
pub mod keys;
pub mod plutus;
pub mod point;
pub mod units;

pub use account::{AccountId, CardanoNetwork, Credential};
pub use amount::Amount;
pub use asset::AssetId;
pub use code::{Code, Numbered};
pub use hash::{Hash, Hash28, blake2b_224, blake2b_256};
pub use keys::{PublicKey, Signature};
pub use point::CardanoPoint;
pub use units::{Epoch, Height, Slot, TimeMs};
