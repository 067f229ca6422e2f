//! Each limit is exceeded from inside, and the kernel is seen to refuse.

#[path = "../common/mod.rs"]
mod common;
mod needs_root;
