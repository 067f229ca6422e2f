//! What the tests of several crates need. It panics where a test should fail.

pub mod chain_data;
pub mod child;
pub mod failpoints;
pub mod immutable;
pub mod npm;
pub mod plutus;
