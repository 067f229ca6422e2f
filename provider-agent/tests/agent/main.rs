//! The agent against a chain and an engine that a test plays.

mod damaged;
mod full;
mod hostile;
mod lying;
#[path = "../../../sidechain-node/client/tests/client/played.rs"]
mod played;
mod registering;
mod rivals;
mod rounds;
mod stage;
