//! The agent against a chain and an engine that a test plays.

mod hostile;
mod registering;
mod rounds;
mod stage;
