//! The node's protocols, seen by clients in other languages.

#[path = "../common/mod.rs"]
mod common;
mod needs_npm;
