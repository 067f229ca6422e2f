//! The agent against a chain and an engine that a test plays.

mod hostile;
mod lying;
#[path = "../../../sidechain-node/client/tests/client/played.rs"]
mod played;
mod registering;
mod rounds;
mod stage;
