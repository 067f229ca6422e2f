//! A real node's blocks through the devnet's server.

mod needs_chain_data;
