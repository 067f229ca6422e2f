//! The client against nodes and agents that a test plays.

mod agents;
mod chains;
mod deposits;
mod played;
mod probing;
mod waiting;
