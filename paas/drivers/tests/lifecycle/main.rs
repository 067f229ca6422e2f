//! Containers from their making to their complete absence, through crashes of everything around them.

#[path = "../common/mod.rs"]
mod common;
mod needs_root;
