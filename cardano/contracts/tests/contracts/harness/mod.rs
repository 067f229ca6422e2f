//! A transaction as scripts see it, the machine that runs them, and what it costs.

pub(crate) mod attack;
pub(crate) mod data;
pub(crate) mod ledger;
pub(crate) mod machine;
pub(crate) mod tx;
pub(crate) mod world;

pub(crate) use attack::{Attack, accepted, refused};
pub(crate) use tx::{Datum, Out, Tx};
pub(crate) use world::{Build, World};
