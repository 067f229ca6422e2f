//! The way in to a container's published port.

#[path = "../common/mod.rs"]
mod common;
mod needs_root;
