//! The client against nodes and agents that a test plays.

mod agents;
mod chains;
mod played;
mod probing;
mod waiting;
