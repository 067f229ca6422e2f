//! The client against nodes that a test plays.

mod chains;
mod played;
mod probing;
mod waiting;
