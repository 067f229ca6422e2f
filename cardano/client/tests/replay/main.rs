//! The follower behind a real node's blocks.

mod needs_chain_data;
