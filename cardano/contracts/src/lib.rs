//! The bridge's scripts on Cardano, and what a program needs to use them.
//!
//! The Aiken project in this folder is compiled into `plutus.json`, which this crate carries. [`BridgeScripts`]
//! applies the parameters and so derives every script, policy and address of one bridge from its seed;
//! [`redeemer`] and [`birth`] write what its transactions carry. The data types are those of `nupeer_outbox`,
//! which the sidechain's rules share. No file is read, no socket opened.

pub mod apply;
pub mod birth;
pub mod blueprint;
pub mod bridge;
pub mod redeemer;
pub mod script;

pub use apply::ApplyError;
pub use blueprint::{Blueprint, BlueprintError, Validator};
pub use bridge::{BridgeScripts, ScriptsError};
pub use script::PlutusScript;
