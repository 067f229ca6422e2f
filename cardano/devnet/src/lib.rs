//! A small Cardano in the same binary: valid Praos headers, Conway blocks, a ledger that checks every transaction, the
//! node-to-client protocols over a Unix socket, and commands to fork it, roll it back, stall it and hurry it.
//!
//! What follows a devnet follows a cardano-node: only the socket's path and the genesis' figures differ.

pub mod block;
pub mod cbor;
pub mod chain;
mod clock;
pub mod control;
mod devnet;
#[doc(hidden)]
pub mod fuzz;
pub mod genesis;
pub mod header;
pub mod header_vectors;
pub mod keys;
mod mempool;
pub mod nonce;
mod owner;
pub mod profile;
pub mod query;
pub mod replay;
mod server;
mod stack;
pub mod store;
pub mod verify;
pub mod view;
mod waiting;

pub use clock::Clock;
pub use devnet::{Config, Devnet, DevnetError, run};
pub use owner::{Owner, Stopped};
pub use profile::Profile;
pub use server::{BindError, SessionError};
